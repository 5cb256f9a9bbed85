# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The model of a spec in JAX, as a function of its dense parameters and of the rows that a step looks up.

Like the PyTorch peer, a table is read once a step for all towers and views, and a tower runs once, over the stacked rows
of all that it encodes.
"""
import jax
import jax.numpy as jnp

ACTIVATIONS = {'IDENTITY': lambda x: x, 'RELU': jax.nn.relu, 'TANH': jnp.tanh,
               'GELU': lambda x: jax.nn.gelu(x, approximate=False)}


def gather(table, lookup):
    """Rows that stand beyond the table are some row, which nobody sees."""
    return table.at[lookup['ids']].get(mode='clip')


def losses(plan, dense, rows, batch):
    """The weighted sum of all losses, then each."""
    embeddings = _encode(plan, dense, {**_pool(plan, rows, batch), **batch['dense']}, batch)
    values = [_softmax(embeddings[f'{loss.name}/0'], embeddings[f'{loss.name}/1'], batch, loss)
              for loss in plan.spec.losses]
    return sum(loss.weight * value for loss, value in zip(plan.spec.losses, values)), values


def _pool(plan, rows, batch):
    """Each feature's part of what was looked up, by key and name."""
    found = {}
    for table, values in rows.items():
        lookup, parts = batch['tables'][table], plan.parts(table)
        if table in plan.pooled:
            values = jax.ops.segment_sum(values * lookup['weights'][:, None], lookup['places'],
                                         sum(size for _, size in parts), indices_are_sorted=True)
        first = 0
        for place, size in parts:
            found[place] = values[first:first + size]
            first += size
    return found


def _encode(plan, dense, found, batch):
    embeddings = {}
    for name, keys in plan.towers.items():
        tower = plan.spec.towers[name]
        inputs = []
        for key in keys:
            columns = []
            for index, f in enumerate(tower.features):
                column = found[f'{plan.source[key]}/{f.name}']
                if key in plan.masked:
                    default = dense[f'tower/{name}/default/{f.name}']
                    column = jnp.where(batch['shown'][key][index], column, default)
                columns.append(column)
            inputs.append(jnp.concatenate(columns, 1))
        x = jnp.concatenate(inputs)
        for i, layer in enumerate(tower.layers):
            x = x @ dense[f'tower/{name}/layer{i}/weight']
            if layer.bias:
                x = x + dense[f'tower/{name}/layer{i}/bias']
            x = ACTIVATIONS[layer.activation](x)
        if tower.normalized:
            x = x * jax.lax.rsqrt(jnp.maximum((x * x).sum(1, keepdims=True), 1e-24))
        first = 0
        for key in keys:
            size = plan.applications[key][1]
            embeddings[key] = x[first:first + size]
            first += size
    return embeddings


def _softmax(first, second, batch, loss):
    """Cross entropy of <first_i, second_u> / temperature - log p_u, other copies of row i's item left out."""
    first = first * (1 / loss.options['temperature'])
    log_p = batch['log_p'].get(loss.name, 0.0)
    scores = first @ second.T - log_p
    if loss.options['remove_hits']:
        rows = batch['rows'][loss.name]
        removed = (rows[:, None] == rows[None, :]) & ~jnp.eye(len(rows), dtype=bool)
        scores = jnp.where(removed, -jnp.inf, scores)
    return jnp.mean(jax.nn.logsumexp(scores, 1) - (first * second).sum(1) + log_p)
