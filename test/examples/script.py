# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a script of an example that makes tables."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def make(script, inputs, argument, outputs, *options):
    """Runs examples/`script` in a folder with `inputs`, by name, on `argument` of that folder, with `options`; what it did, and the
    rows of those `outputs` that are there."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in inputs.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        result = subprocess.run([sys.executable, "-B", os.path.join(ROOT, "examples", script), os.path.join(folder, argument),
                                 "--out", folder, *options], capture_output=True, text=True, check=False)
        tables = []
        for name in outputs:
            path = os.path.join(folder, name)
            if os.path.exists(path):
                with open(path, encoding="utf-8") as lines:
                    tables.append([line.rstrip("\n").split("\t") for line in lines])
        return result, tables
