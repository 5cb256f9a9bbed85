# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A training step in JAX, twice: as most people write it, and as an expert does."""
import functools

import jax
import jax.numpy as jnp

from jax_model import gather, losses
from jax_optimizers import update, update_rows


def plain(plan, state, batch, t):
    """The state after step t, and its losses. Gradients of tables are as large as the tables."""
    dense, tables = state

    def objective(values, tables):
        rows = {name: gather(tables[name], lookup) for name, lookup in batch['tables'].items()}
        return losses(plan, values, rows, batch)

    optimizers = plan.spec.optimizers
    total, each, (dense_gradients, table_gradients) = _differentiated(objective, _values(dense), _values(tables))
    new = {}
    for name, lookup in batch['tables'].items():
        value, slots = tables[name]
        after = update(optimizers['table'], value, slots, table_gradients[name], t)
        # Moments of other rows do not decay.
        touched = jnp.zeros((len(value), 1), bool).at[lookup['ids']].set(True, mode='drop')
        new[name] = jax.tree.map(lambda after, before: jnp.where(touched, after, before), after, (value, slots))
    return (_updated(optimizers['dense'], dense, dense_gradients, t), {**tables, **new}), [total, *each]


def expert(plan, state, batch, t):
    """The same with gradients of the rows that were looked up. The old state is given up."""
    dense, tables = state
    rows = {name: gather(tables[name][0], lookup) for name, lookup in batch['tables'].items()}
    optimizers = plan.spec.optimizers
    total, each, (dense_gradients, row_gradients) = _differentiated(
        functools.partial(losses, plan, batch=batch), _values(dense), rows)
    new = {name: update_rows(optimizers['table'], *tables[name], lookup['ids'], rows[name], row_gradients[name], t)
           for name, lookup in batch['tables'].items()}
    return (_updated(optimizers['dense'], dense, dense_gradients, t), {**tables, **new}), [total, *each]


def _differentiated(function, *operands):
    (total, each), gradients = jax.value_and_grad(function, argnums=(0, 1), has_aux=True)(*operands)
    return total, each, gradients


def _values(parameters):
    return {name: value for name, (value, _) in parameters.items()}


def _updated(optimizer, parameters, gradients, t):
    return {name: update(optimizer, value, slots, gradients[name], t) for name, (value, slots) in parameters.items()}
