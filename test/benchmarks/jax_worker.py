# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""jax_worker.py plain|expert SPEC DATA PARAMETERS SEED THREADS: training steps by JAX, jax_steps.py."""
import functools
import os
import sys

# XLA takes as many threads as there are processors for it.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:int(sys.argv[6])])

import jax
import jax.numpy as jnp

import draws
import jax_steps
import worker
from jax_optimizers import first_slots
from safetensors import load
from static_batch import Plan
from supported import check

STEPS = {'plain': (jax_steps.plain, (), 'gradients of whole tables'),     # what it does, operands that it gives up
         'expert': (jax_steps.expert, 0, 'gradients of rows')}


def main():
    kind, spec_path, folder, parameters, seed, _ = sys.argv[1:]
    data = draws.Data(folder)
    with open(spec_path) as file:
        spec = draws.Spec(file.read(), data)
    check(spec)
    stored = load(parameters)
    dense, tables = {}, {}
    for name in draws.model.parameters(spec):
        value = jnp.asarray(stored[name])
        if name.startswith('table/'):
            tables[name[len('table/'):]] = value, first_slots(spec.optimizers['table'], value)
        else:
            dense[name] = value, first_slots(spec.optimizers['dense'], value)
    constants = {name: value for name, value in stored.items() if name.startswith('entity/')}
    plan = Plan(spec, draws.Draws(spec, data, constants, 0, int(seed)))
    function, given_up, what = STEPS[kind]
    jitted = jax.jit(functools.partial(function, plan), donate_argnums=given_up)
    state, compiled, shape, batches = (dense, tables), {}, None, {}

    def prepare(steps):
        nonlocal shape
        batches.clear()
        for number in steps:
            batches[number] = plan.batch(draws.Draws(spec, data, constants, number, int(seed)))
        for number, batch in batches.items():
            plan.fill(batch)
            batches[number] = jax.device_put((batch, jnp.float32(number + 1)))
        shape = tuple(plan.capacities.values())
        if shape not in compiled:
            compiled[shape] = jitted.lower(state, *batches[steps[0]]).compile()

    def step(number):
        nonlocal state
        state, values = compiled[shape](state, *batches[number])
        return jax.device_get(values)

    worker.serve(prepare, step, {'what': f'JAX {jax.__version__}, {what}'})


main()
