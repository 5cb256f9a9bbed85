#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""time_peer.py jax|pytorch SPEC DATA STEPS: the median time of a peer's training steps, by whatever device it takes; JSON.

For a machine without towerc (test/gpu/run): parameters are those of the spec's seed.
"""
import json
import os
import statistics
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

import draws
from implementations import write_parameters
from worker import Worker

WORKERS = {'jax': ('jax_worker.py', 'expert'), 'pytorch': ('torch_worker.py', 'eager')}


def main():
    name, path, folder, steps = sys.argv[1:]
    data = draws.Data(folder)
    with open(path) as file:
        spec = draws.Spec(file.read(), data)
    with tempfile.TemporaryDirectory() as work:
        parameters = os.path.join(work, 'parameters.safetensors')
        write_parameters(parameters, spec, data, 0.05)
        script, way = WORKERS[name]
        worker = Worker(name, [sys.executable, os.path.join(HERE, script), way, path, folder, parameters, str(spec.seed),
                               str(len(os.sched_getaffinity(0)))], {})
        # A few batches at a time: they lie in memory.
        block, seconds = 10, []
        worker.run(0, block)
        for first in range(block, block + int(steps), block):
            seconds += worker.run(first, block)['seconds']
        worker.close()
    print(json.dumps({'what': worker.about['what'], 'milliseconds': 1e3 * statistics.median(seconds)}))


main()
