# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An implementation in a process of its own, which runs the steps that it is told.

It reads a line `prepare FIRST COUNT` or `run FIRST COUNT` and answers with a line of JSON. Whatever an implementation
prepares (drawing batches, for one that does not draw in its step) is not timed.
"""
import json
import os
import subprocess
import sys
import time


def serve(prepare, step, about):
    """prepare(steps): makes ready for these steps; step(number): runs one, gives its losses, the weighted sum first."""
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)   # What libraries print is no answer.

    def answer(value):
        print(json.dumps(value), file=answers, flush=True)

    answer(about)
    for line in sys.stdin:
        command, first, count = line.split()
        steps = range(int(first), int(first) + int(count))
        if command == 'prepare':
            prepare(steps)
            answer('ready')
            continue
        seconds, losses = [], []
        for number in steps:
            start = time.perf_counter()
            values = step(number)
            seconds.append(time.perf_counter() - start)
            losses.append([float(value) for value in values])
        drawing = sys.modules['draws'].taken[0] if 'draws' in sys.modules else 0.0
        answer({'seconds': seconds, 'losses': losses, 'drawing': drawing})


class Worker:
    """The other end."""

    def __init__(self, name, command, environment):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **environment})
        self.about = self._answer()

    def run(self, first, count):
        self._tell('prepare', first, count)
        return self._tell('run', first, count)

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def _tell(self, *words):
        self.process.stdin.write(' '.join(str(word) for word in words) + '\n')
        self.process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f'error: {self.name} stopped with exit code {self.process.wait()}')
        return json.loads(line)
