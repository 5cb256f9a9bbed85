# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""torch_worker.py SPEC DATA PARAMETERS SEED THREADS: training steps by PyTorch with sparse gradients of tables."""
import sys

import torch

import draws
import worker
from safetensors import load
from supported import check
from torch_model import Batch, Model
from torch_optimizers import Rows, dense


def main():
    spec_path, folder, parameters, seed, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    data = draws.Data(folder)
    with open(spec_path) as file:
        spec = draws.Spec(file.read(), data)
    check(spec)
    stored = load(parameters)
    trained = {name: stored[name] for name in draws.model.parameters(spec)}
    model = Model(spec, trained)
    rows = [Rows(spec.optimizers['table'], table) for table in model.tables.values()]
    rest = dense(spec.optimizers['dense'], list(model.dense.values()))
    constants = {name: value for name, value in stored.items() if name not in trained}
    batches = {}

    def prepare(steps):
        batches.clear()
        batches.update((step, Batch(draws.Draws(spec, data, constants, step, int(seed)), model.pooled))
                       for step in steps)

    def step(number):
        losses = model.losses(batches[number])
        losses[0].backward()
        with torch.no_grad():
            for table in rows:
                table.step(number)
        rest.step()
        rest.zero_grad(set_to_none=True)
        return [loss.detach() for loss in losses]

    worker.serve(prepare, step, {'what': f'PyTorch {torch.__version__}, sparse gradients'})


main()
