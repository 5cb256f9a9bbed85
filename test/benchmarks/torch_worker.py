# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""torch_worker.py eager|compile SPEC DATA PARAMETERS SEED THREADS: training steps by PyTorch, sparse gradients of tables."""
import sys

import torch

import draws
import torch_compiled
import torch_model
import worker
from safetensors import load
from static_batch import Plan
from supported import check
from torch_optimizers import Rows, dense


def use_gpu():
    """All tensors on the GPU, batches too, from when they are made."""
    torch.set_default_device('cuda')
    on_host = torch.from_numpy
    torch.from_numpy = lambda values: on_host(values).cuda()


def main():
    if torch.cuda.is_available():
        use_gpu()
    kind, spec_path, folder, parameters, seed, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    data = draws.Data(folder)
    with open(spec_path) as file:
        spec = draws.Spec(file.read(), data)
    check(spec)
    stored = load(parameters)
    trained = {name: stored[name] for name in draws.model.parameters(spec)}
    constants = {name: value for name, value in stored.items() if name not in trained}

    def drawn(step):
        return draws.Draws(spec, data, constants, step, int(seed))

    if kind == 'compile':
        plan = Plan(spec, drawn(0))
        model, batch = torch_compiled.Compiled(spec, trained, plan), lambda step: torch_compiled.Batch(plan, drawn(step))
    else:
        model = torch_model.Model(spec, trained)
        batch = lambda step: torch_model.Batch(drawn(step), model.pooled)
    rows = [Rows(spec.optimizers['table'], table) for table in model.tables.values()]
    rest = dense(spec.optimizers['dense'], list(model.dense.values()))
    batches = {}

    def prepare(steps):
        batches.clear()
        batches.update((step, batch(step)) for step in steps)

    def step(number):
        losses = model.losses(batches[number])
        losses[0].backward()
        with torch.no_grad():
            for table in rows:
                table.step(number)
        rest.step()
        rest.zero_grad(set_to_none=True)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return [loss.detach() for loss in losses]

    what = {'eager': 'sparse gradients', 'compile': 'torch.compile, sparse gradients'}[kind]
    worker.serve(prepare, step, {'what': f'PyTorch {torch.__version__}, {what}'})


main()
