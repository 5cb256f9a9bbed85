#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Generates data and compiles every spec to every stage, for the tests."""
import concurrent.futures
import os
import shutil
import subprocess
import sys

from harness import ROOT, SPECS, TEXT_STAGES, TOWERC, WORK, built, data, spec


def make_data():
    script = os.path.join(ROOT, 'test', 'reference', 'reference.py')
    for kind in sorted(set(SPECS.values())):
        folder = os.path.join(WORK, kind)
        subprocess.run([sys.executable, '-B', script, 'data', kind, folder],
                       check=True)
        subprocess.run([TOWERC, 'data', 'mi', folder], check=True,
                       capture_output=True)


def compile_spec(job):
    """The compiler's output if it failed."""
    name, stage = job
    done = subprocess.run(
        [TOWERC, spec(name), '--data', data(name), f'--emit={stage}', '-o',
         built(name, stage)], capture_output=True, text=True)
    said = done.stdout + done.stderr
    if done.returncode or said:
        return f'{name} --emit={stage}: exit code {done.returncode}: {said}'
    return None


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    make_data()
    jobs = [(name, stage) for stage in ('exe', 'lib', 'obj') + TEXT_STAGES
            for name in SPECS]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        failures = [text for text in pool.map(compile_spec, jobs) if text]
    print('\n'.join(failures), end='')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
