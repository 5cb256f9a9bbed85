# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The model of a spec in PyTorch, as a careful user writes it.

A table is looked up once a step, for all towers and views; a tower runs once, over the stacked rows of all that it
encodes; dropped values and masked features are left out of the lookups before the step; gradients of tables are sparse.
"""
import collections

import numpy as np
import torch
import torch.nn.functional as F

from supported import pooled_tables, power

ACTIVATIONS = {'IDENTITY': lambda x: x, 'RELU': F.relu, 'TANH': torch.tanh, 'GELU': F.gelu}


class Lookup:
    """All values of a table that a step needs, and which part of them is whose."""

    def __init__(self):
        self.ids, self.counts, self.weights, self.parts, self.owners = [], [], [], [], []

    def add(self, owner, ids, counts, pooling):
        self.ids.append(ids)
        self.counts.append(counts)
        self.weights.append(np.repeat(1 / np.maximum(counts, 1) ** power(pooling), counts))
        self.parts.append(len(counts))
        self.owners.append(owner)

    def freeze(self, pooled):
        counts = np.concatenate(self.counts)
        weights = np.concatenate(self.weights)
        mean = np.repeat(1 / np.maximum(counts, 1), counts)
        self.weights = None if np.allclose(weights, mean) else torch.from_numpy(weights.astype(np.float32))
        self.ids = torch.from_numpy(np.concatenate(self.ids))
        self.offsets = torch.from_numpy(np.cumsum(counts) - counts) if pooled else None


class Batch:
    """A step's draws as tensors: lookups by table, and what the losses depend on."""

    def __init__(self, draws, pooled):
        self.draws, self.lookups, self.dense = draws, collections.defaultdict(Lookup), {}
        self.applications = collections.defaultdict(list)
        for drawn in draws.losses:
            for index, application in enumerate(drawn.applications):
                key = drawn.loss.name, index
                self.applications[application.tower.name].append((key, application))
                for f, values in zip(application.tower.features, application.features):
                    if values is None:
                        continue
                    if f.kind == 'dense':
                        self.dense[key, f.name] = torch.from_numpy(values)
                    else:
                        self.lookups[f.table].add((key, f.name), *values, f.pooling)
        for table, lookup in self.lookups.items():
            lookup.freeze(table in pooled)
        self.rows = {drawn.loss.name: torch.from_numpy(drawn.rows) for drawn in draws.losses}
        self.log_p = {drawn.loss.name: torch.from_numpy(drawn.log_p.astype(np.float32)) for drawn in draws.losses
                      if drawn.log_p is not None}


class Model:
    """Parameters by their names in the manifest; tables are apart from the dense parameters."""

    def __init__(self, spec, values):
        self.spec = spec
        self.tables, self.dense = {}, {}
        for name, value in values.items():
            tensor = torch.from_numpy(np.array(value, np.float32)).requires_grad_()
            kind, _, rest = name.partition('/')
            (self.tables if kind == 'table' else self.dense)[rest] = tensor
        self.pooled = pooled_tables(spec)

    def losses(self, batch):
        """The weighted sum of all losses, then each."""
        embeddings = self._encode(batch, self._look_up(batch))
        values = []
        for drawn in batch.draws.losses:
            name = drawn.loss.name
            values.append(softmax(embeddings[name, 0], embeddings[name, 1], batch.rows[name], batch.log_p.get(name),
                                  drawn.loss.options))
        total = sum(loss.weight * value for loss, value in zip(self.spec.losses, values))
        return [total, *values]

    def _look_up(self, batch):
        found = {}
        for table, lookup in batch.lookups.items():
            weight = self.tables[table]
            if lookup.offsets is None:
                rows = F.embedding(lookup.ids, weight, sparse=True)
            elif lookup.weights is None:
                rows = F.embedding_bag(lookup.ids, weight, lookup.offsets, mode='mean', sparse=True)
            else:
                rows = F.embedding_bag(lookup.ids, weight, lookup.offsets, mode='sum', sparse=True,
                                       per_sample_weights=lookup.weights)
            found.update(zip(lookup.owners, rows.split(lookup.parts)))
        found.update(batch.dense)
        return found

    def _encode(self, batch, found):
        embeddings = {}
        for name, applications in batch.applications.items():
            tower = self.spec.towers[name]
            columns = []
            for f in tower.features:
                parts = [found[key, f.name] if (key, f.name) in found else
                         self.dense[f'{name}/default/{f.name}'].expand(len(application.rows), -1)
                         for key, application in applications]
                columns.append(torch.cat(parts) if len(parts) > 1 else parts[0])
            x = encoded(tower, self.dense, torch.cat(columns, 1))
            sizes = [len(application.rows) for _, application in applications]
            embeddings.update(zip((key for key, _ in applications), x.split(sizes)))
        return embeddings


def encoded(tower, dense, x):
    """Embeddings from the features side by side."""
    for i, layer in enumerate(tower.layers):
        weight = dense[f'{tower.name}/layer{i}/weight']
        if layer.bias:
            x = torch.addmm(dense[f'{tower.name}/layer{i}/bias'], x, weight)
        else:
            x = x @ weight
        x = ACTIVATIONS[layer.activation](x)
    return F.normalize(x) if tower.normalized else x


def softmax(first, second, rows, log_p, options):
    """Cross entropy of <first_i, second_u> / temperature - log p_u, other copies of row i's item left out."""
    first = first * (1 / options['temperature'])
    bias = None if log_p is None else -log_p
    if options['remove_hits']:
        removed = rows[:, None] == rows[None, :]
        removed.fill_diagonal_(False)
        bias = torch.zeros(()) if bias is None else bias
        bias = torch.where(removed, -torch.inf, bias)   # No gradient: cheaper than masking the scores.
    scores = first @ second.T if bias is None else torch.addmm(bias, first, second.T)
    return F.cross_entropy(scores, torch.arange(len(rows)))
