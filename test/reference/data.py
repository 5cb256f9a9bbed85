# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A dataset's folder: columns of entities, and pairs (frontend/data.proto)."""
import os

import numpy as np
from google.protobuf import text_format

from protos import data_pb2


class Column:
    """A feature's values for all rows of an entity.

    kind: SINGLE (`ids`), MULTI (`values`, `offsets`) or DENSE (`numbers`).
    """

    def __init__(self, folder, info, rows):
        self.kind = data_pb2.ColumnKind.Name(info.kind)
        self.vocabulary = info.vocabulary
        self.rows = rows
        stem = os.path.join(folder, info.name)
        if self.kind == 'SINGLE':
            self.ids = np.load(stem + '.npy')
        elif self.kind == 'MULTI':
            self.values = np.load(stem + '.values.npy')
            self.offsets = np.load(stem + '.offsets.npy')
        else:
            self.numbers = np.load(stem + '.npy').astype(np.float64)
            self.numbers = self.numbers.reshape(rows, -1)
            if np.isnan(self.numbers).any():
                raise ValueError(f'{stem}.npy: not a number')

    def lists(self, rows):
        """(position in `rows`, index in its list, id) of every value."""
        if self.kind == 'SINGLE':
            positions = np.arange(len(rows))
            return positions, np.zeros_like(positions), self.ids[rows]
        counts = self.offsets[rows + 1] - self.offsets[rows]
        positions = np.repeat(np.arange(len(rows)), counts)
        starts = np.cumsum(counts) - counts
        indices = np.arange(counts.sum()) - starts[positions]
        return positions, indices, self.values[
            self.offsets[rows][positions] + indices]


class Entity:
    def __init__(self, folder, info):
        self.name, self.rows = info.name, info.rows
        path = os.path.join(folder, info.name)
        self.columns = {column.name: Column(path, column, info.rows)
                        for column in info.columns}


class Pairs:
    """The positive pairs of a split: rows of queries and of items."""

    def __init__(self, folder, info):
        stem = os.path.join(folder, 'pairs', info.split)
        self.query = np.load(stem + '.query.npy').astype(np.int64)
        self.item = np.load(stem + '.item.npy').astype(np.int64)
        if info.weighted:
            self.weight = np.load(stem + '.weight.npy').astype(np.float64)
        else:
            self.weight = np.ones(len(self.query))


class Dataset:
    def __init__(self, folder):
        with open(os.path.join(folder, 'schema.txtpb')) as file:
            schema = text_format.Parse(file.read(), data_pb2.Dataset())
        self.folder = folder
        self.vocabularies = {v.name: v.rows for v in schema.vocabularies}
        self.entities = {e.name: Entity(folder, e) for e in schema.entities}
        self.pairs = {p.split: Pairs(folder, p) for p in schema.pairs}
        self.item_entity = schema.item_entity

    def log_probability(self):
        """log p of every item: its share of the training pairs (logQ)."""
        item = self.pairs['train'].item
        count = np.bincount(item, minlength=self.entities[
            self.item_entity].rows)
        with np.errstate(divide='ignore'):
            return np.log(count / len(item))


def standardization(column, log):
    """Mean and deviation over the catalogue of x, or of log(1 + x).

    The deviation is the population's; a constant's is taken as 1.
    """
    numbers = np.log1p(column.numbers) if log else column.numbers
    constant = numbers.max(0) == numbers.min(0)
    mean = np.where(constant, numbers[0], numbers.mean(0))
    return mean, np.where(constant, 1.0, numbers.std(0))
