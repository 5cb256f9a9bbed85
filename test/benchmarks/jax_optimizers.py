# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Optimizers of a spec in JAX, of whole parameters and of the rows of a table that were looked up."""
import jax
import jax.numpy as jnp

SLOTS = {'sgd': 0, 'adagrad': 1, 'adam': 2}


def first_slots(optimizer, value):
    return [jnp.full_like(value, optimizer.options.get('initial', 0.0)) for _ in range(SLOTS[optimizer.kind])]


def update(optimizer, value, slots, g, t):
    """The parameter and its slots after step t, the first being 1."""
    o = optimizer.options
    if optimizer.kind == 'adam':
        m = slots[0] + (1 - o['beta1']) * (g - slots[0])
        v = o['beta2'] * slots[1] + (1 - o['beta2']) * g * g
        mean, square = m / (1 - o['beta1'] ** t), v / (1 - o['beta2'] ** t)
        return value - optimizer.rate * mean / (jnp.sqrt(square) + o['epsilon']), [m, v]
    if optimizer.kind == 'adagrad':
        a = slots[0] + g * g
        return value - optimizer.rate * g / (jnp.sqrt(a) + o['epsilon']), [a]
    return value - optimizer.rate * g, []


def update_rows(optimizer, table, slots, ids, rows, g, t):
    """The same of a table, from the rows that were looked up and their gradients. Equal rows' gradients are summed."""
    places = jnp.arange(len(ids), dtype=jnp.int32)
    # One of the places of each id stands for it. Sorting (jnp.unique) finds that as well, in ten times the time.
    chosen = jnp.zeros(len(table) + 1, jnp.int32).at[ids].set(places)[ids]
    g = jax.ops.segment_sum(g, chosen, len(ids))
    rows, new = update(optimizer, rows, [slot.at[ids].get(mode='clip') for slot in slots], g, t)
    ids = jnp.where(chosen == places, ids, len(table))

    def written(old, values):
        return old.at[ids].set(values, mode='drop')

    return written(table, rows), [written(slot, values) for slot, values in zip(slots, new)]
