#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Parses every example of the op definitions with tower-opt: documentation that does not parse is an error.

usage: examples.py TOWER_OPT FILE.td..."""
import re
import subprocess
import sys
import textwrap

tower_opt, *files = sys.argv[1:]
passed = failed = 0
for file in files:
    text = open(file, encoding="utf-8").read()
    for op in re.split(r"^def ", text, flags=re.M)[1:]:
        name = op.split(":")[0].strip()
        for example in re.findall(r"```mlir\n(.*?)```", op, flags=re.S):
            run = subprocess.run([tower_opt, "--verify-roundtrip"], input=textwrap.dedent(example), text=True,
                                 capture_output=True)
            if run.returncode:
                print(f"{file}: example of {name} does not parse:\n{run.stderr}")
                failed += 1
            else:
                passed += 1
        # Dataflow ops stand alone, so each must show itself; declarations are shown by tower.model's example.
        if "[Pure" in op.split("\n")[0] or ": Tower_Update<" in op.split("{")[0]:
            if "```mlir" not in op:
                print(f"{file}: {name} has no example")
                failed += 1
print(f"{passed} examples parse, {failed} do not")
sys.exit(failed > 0 or passed == 0)
