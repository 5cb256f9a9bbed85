#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Run a command and write how long it took and the most memory that was resident.

    peak.py FILE.json COMMAND...
"""
import json
import os
import resource
import subprocess
import sys
import time

path, command = sys.argv[1], sys.argv[2:]
start = time.perf_counter()
code = subprocess.run(command).returncode
if code:
    sys.exit(code if code > 0 else 128 - code)
measured = {"seconds": time.perf_counter() - start, "peak_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024}
with open(path + ".new", "w", encoding="utf-8") as file:
    json.dump(measured, file)
    file.write("\n")
os.replace(path + ".new", path)
