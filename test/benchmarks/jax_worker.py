# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""jax_worker.py SPEC DATA PARAMETERS SEED THREADS: training steps by JAX, as an expert writes them.

One compiled function that owns its state; gradients to the rows that were looked up, never to whole tables.
"""
import functools
import os
import sys

# XLA takes as many threads as there are processors for it.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:int(sys.argv[5])])

import jax
import jax.numpy as jnp

import draws
import worker
from jax_batch import Plan
from jax_model import gather, losses
from jax_optimizers import first_slots, update, update_rows
from safetensors import load
from supported import check


def training_step(plan, state, batch, t):
    """The state after step t, and its losses."""
    dense, tables = state
    optimizers = plan.spec.optimizers
    values = {name: value for name, (value, _) in dense.items()}
    rows = {name: gather(table, batch['tables'][name]) for name, (table, _) in tables.items() if name in plan.tables}
    (total, each), (dense_gradients, row_gradients) = jax.value_and_grad(
        functools.partial(losses, plan), argnums=(0, 1), has_aux=True)(values, rows, batch)
    dense = {name: update(optimizers['dense'], value, slots, dense_gradients[name], t)
             for name, (value, slots) in dense.items()}
    tables = {**tables, **{name: update_rows(optimizers['table'], *tables[name], batch['tables'][name]['ids'],
                                             rows[name], row_gradients[name], t) for name in rows}}
    return (dense, tables), [total, *each]


def main():
    spec_path, folder, parameters, seed, _ = sys.argv[1:]
    data = draws.Data(folder)
    with open(spec_path) as file:
        spec = draws.Spec(file.read(), data)
    check(spec)
    stored = load(parameters)
    constants = {name: value for name, value in stored.items() if name not in draws.model.parameters(spec)}
    dense, tables = {}, {}
    for name in draws.model.parameters(spec):
        value = jnp.asarray(stored[name])
        if name.startswith('table/'):
            tables[name[len('table/'):]] = value, first_slots(spec.optimizers['table'], value)
        else:
            dense[name] = value, first_slots(spec.optimizers['dense'], value)
    plan = Plan(spec, draws.Draws(spec, data, constants, 0, int(seed)))
    jitted = jax.jit(functools.partial(training_step, plan), donate_argnums=0)
    state, batches, compiled = (dense, tables), {}, {}

    def prepare(steps):
        batches.clear()
        for number in steps:
            batches[number] = plan.batch(draws.Draws(spec, data, constants, number, int(seed)))
        for number, batch in batches.items():
            plan.fill(batch)
            batches[number] = jax.device_put((batch, jnp.float32(number + 1)))
        shape = tuple(plan.capacities.items())
        if shape not in compiled:
            compiled[shape] = jitted.lower(state, *batches[steps[0]]).compile()
        batches['step'] = compiled[shape]

    def step(number):
        nonlocal state
        state, values = batches['step'](state, *batches[number])
        return jax.device_get(values)

    worker.serve(prepare, step, {'what': f'JAX {jax.__version__}, gradients of the rows that were looked up'})


main()
