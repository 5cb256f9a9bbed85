# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The model of a spec for torch.compile: tables are looked up as without it, with sparse gradients, and all that follows
is compiled. Its shapes are fixed and masks are operands, as they are for XLA: else it would be compiled for each mask.
"""
import functools

import numpy as np
import torch
import torch.nn.functional as F

from torch_model import Model, encoded, softmax


class Batch:
    """A step's operands as tensors, from those of static_batch."""

    def __init__(self, plan, draws):
        operands = plan.batch(draws)
        lookups = operands.pop('tables')
        for table, lookup in lookups.items():
            if lookup['ids'].max(initial=0) >= plan.spec.tables[table].rows:
                raise SystemExit('error: this peer looks up every feature: masks must be complementary')
            if table in plan.pooled:
                counts = np.bincount(lookup.pop('places'), minlength=sum(size for _, size in plan.parts(table)))
                lookup['offsets'] = np.cumsum(counts) - counts
        self.lookups, self.operands = _tensors(lookups), _tensors(operands)


def _tensors(value):
    if isinstance(value, dict):
        return {name: _tensors(each) for name, each in value.items()}
    return torch.from_numpy(value.astype(np.int64) if value.dtype.kind == 'i' else value)


class Compiled(Model):
    def __init__(self, spec, values, plan):
        super().__init__(spec, values)
        self.plan = plan
        self.rest = torch.compile(functools.partial(_losses, plan), dynamic=False)

    def losses(self, batch):
        found = {}
        for table, lookup in batch.lookups.items():
            if table in self.pooled:
                rows = F.embedding_bag(lookup['ids'], self.tables[table], lookup['offsets'], mode='sum', sparse=True,
                                       per_sample_weights=lookup['weights'])
            else:
                rows = F.embedding(lookup['ids'], self.tables[table], sparse=True)
            places, sizes = zip(*self.plan.parts(table))
            found.update(zip(places, rows.split(sizes)))
        return self.rest(self.dense, found, batch.operands)


def _losses(plan, dense, found, operands):
    """The weighted sum of all losses, then each, from what was looked up."""
    found = {**found, **operands['dense']}
    embeddings = {}
    for name, keys in plan.towers.items():
        tower = plan.spec.towers[name]
        inputs = []
        for key in keys:
            columns = []
            for index, f in enumerate(tower.features):
                column = found[f'{plan.source[key]}/{f.name}']
                if key in plan.masked:
                    column = torch.where(operands['shown'][key][index], column, dense[f'{name}/default/{f.name}'])
                columns.append(column)
            inputs.append(torch.cat(columns, 1))
        x = encoded(tower, dense, torch.cat(inputs))
        embeddings.update(zip(keys, x.split([len(each) for each in inputs])))
    values = []
    for loss in plan.spec.losses:
        name, log_p = loss.name, operands['log_p'].get(loss.name)
        values.append(softmax(embeddings[f'{name}/0'], embeddings[f'{name}/1'], operands['rows'][name], log_p,
                              loss.options))
    return [sum(loss.weight * value for loss, value in zip(plan.spec.losses, values)), *values]
