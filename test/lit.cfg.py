# Tests of the compiler's tools: each file under test/ holds its own RUN lines.
import os

import lit.formats

config.name = "towerc"
config.test_format = lit.formats.ShTest(True)
config.suffixes = [".mlir", ".txtpb", ".test"]
config.excludes = ["lit.cfg.py", "Inputs", "unit", "tools", "benchmarks", "reference", "integration"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.towerc_binary_dir, "test")
if "ASAN_OPTIONS" in os.environ:
    config.environment["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"]
config.environment["PATH"] = os.pathsep.join(
    [config.towerc_tools_dir, config.llvm_tools_dir, config.environment.get("PATH", "")]
)
