# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""floor_worker.py SPEC DATA PARAMETERS SEED THREADS: a step's unavoidable products alone, by torch.mm; no losses."""
import sys

import torch

import draws
import worker
from floor import operations, products
from safetensors import load

BLOCK = 1 << 20     # Numbers of a result: larger ones are made in parts, near the processor.


def main():
    spec_path, folder, parameters, seed, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    data = draws.Data(folder)
    with open(spec_path) as file:
        spec = draws.Spec(file.read(), data)
    constants = {name: value for name, value in load(parameters).items() if name.startswith('entity/')}
    numbers = {}    # Operands and results of each size.
    batches = {}

    def tensor(use, rows, columns):
        size = rows * columns
        if use not in numbers or len(numbers[use]) < size:
            numbers[use] = torch.rand(size)
        return numbers[use][:size].view(rows, columns)

    def drawn(step):
        return products(draws.Draws(spec, data, constants, step, int(seed)))

    def prepare(steps):
        batches.clear()
        batches.update((step, drawn(step)) for step in steps)
        for rows, inner, columns in sum(batches.values(), []):
            tensor('left', rows, inner)
            tensor('right', inner, columns)
            tensor('result', rows, columns)

    def step(number):
        for rows, inner, columns in batches[number]:
            left, right = tensor('left', rows, inner), tensor('right', inner, columns)
            part = max(64, BLOCK // columns)
            for first in range(0, rows, part):
                block = left[first:first + part]
                torch.mm(block, right, out=tensor('result', len(block), columns))
        return []

    count = operations(drawn(0)) / 1e9
    worker.serve(prepare, step, {'what': f'{count:.2f} GFLOP of products alone, torch.mm', 'gflop': count})


main()
