# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small datasets with a long tail, in the layout of frontend/data.proto.

`packages`: one entity refers to itself, like an archive of software.
`shop`: users and items apart, weighted pairs, many numbers.
"""
import os

import numpy as np
from google.protobuf import json_format, text_format

from protos import data_pb2


class Writer:
    def __init__(self, folder, seed):
        self.folder = folder
        self.random = np.random.default_rng(seed)
        self.schema = data_pb2.Dataset()
        self.entity = None

    def path(self, *parts):
        path = os.path.join(self.folder, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def lines(self, lines, *parts):
        with open(self.path(*parts), 'w') as file:
            file.writelines(line + '\n' for line in lines)

    def vocabulary(self, name, rows):
        self.schema.vocabularies.add(name=name, rows=rows)
        self.lines([''] + [f'{name}{i}' for i in range(1, rows)], 'vocab',
                   f'{name}.txt')

    def begin(self, entity, rows):
        self.entity = self.schema.entities.add(name=entity, rows=rows)
        self.lines([f'{entity}{i}' for i in range(rows)], entity, 'keys.txt')

    def skewed(self, vocabulary, count):
        """Ids, small ones far more often, among them 0: missing."""
        rows = next(v.rows for v in self.schema.vocabularies
                    if v.name == vocabulary)
        return (rows * self.random.random(count) ** 2).astype(np.int32)

    def single(self, name, vocabulary=None, ids=None):
        vocabulary = vocabulary or name
        if ids is None:
            ids = self.skewed(vocabulary, self.entity.rows)
        self.entity.columns.add(name=name, kind='SINGLE',
                                vocabulary=vocabulary)
        np.save(self.path(self.entity.name, f'{name}.npy'),
                ids.astype(np.int32))
        return ids

    def multi(self, name, longest, vocabulary=None, counts=None):
        vocabulary = vocabulary or name
        if counts is None:
            counts = self.random.integers(0, longest + 1, self.entity.rows)
            counts[:2] = longest, 0
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        # Values of a list are known ones: unseen values were left out.
        values = np.maximum(self.skewed(vocabulary, offsets[-1]), 1)
        self.entity.columns.add(name=name, kind='MULTI', longest=longest,
                                vocabulary=vocabulary, total=int(offsets[-1]))
        stem = self.path(self.entity.name, name)
        np.save(stem + '.values.npy', values.astype(np.int32))
        np.save(stem + '.offsets.npy', offsets)

    def dense(self, name, numbers):
        numbers = np.asarray(numbers, np.float32)
        numbers = numbers.reshape(self.entity.rows, -1)
        self.entity.columns.add(name=name, kind='DENSE',
                                width=numbers.shape[1])
        np.save(self.path(self.entity.name, f'{name}.npy'), numbers)

    def pairs(self, query, item, counts, weighted, skew=3):
        self.schema.query_entity, self.schema.item_entity = query, item
        rows = {e.name: e.rows for e in self.schema.entities}
        for split, count in counts.items():
            self.schema.pairs.add(split=split, rows=count, weighted=weighted)
            draw = self.random.random((2, count))
            columns = {
                'query': (rows[query] * draw[0]).astype(np.int32),
                'item': (rows[item] * draw[1] ** skew).astype(np.int32)}
            if weighted:
                columns['weight'] = (
                    0.25 + 2 * self.random.random(count)).astype(np.float32)
            for name, values in columns.items():
                np.save(self.path('pairs', f'{split}.{name}.npy'), values)

    def finish(self):
        with open(self.path('schema.txtpb'), 'w') as file:
            file.write(text_format.MessageToString(self.schema))
        with open(self.path('schema.json'), 'w') as file:
            file.write(json_format.MessageToJson(
                self.schema, preserving_proto_field_name=True))


def packages(w):
    rows = 60
    for name, size in [('section', 7), ('source', 25), ('tag', 12),
                       ('word', 40)]:
        w.vocabulary(name, size)
    w.begin('package', rows)
    source = w.single('source')
    # A section goes with the source, mostly: mutual information to find.
    section = np.where(w.random.random(rows) < .8, source % 7,
                       w.skewed('section', rows))
    w.single('section', ids=section)
    w.multi('tags', 5, 'tag')
    w.multi('name', 3, 'word')
    w.multi('synopsis', 8, 'word')
    w.dense('size', np.exp(w.random.normal(3 + .3 * section, 1)))
    w.dense('place', w.random.normal(2, 3, (rows, 3)))
    w.pairs('package', 'package',
            {'train': 250, 'validation': 30, 'test': 30}, weighted=False)


def shop(w):
    for name, size in [('country', 6), ('brand', 9), ('item', 46)]:
        w.vocabulary(name, size)
    w.begin('user', 40)
    w.single('country')
    w.single('last', 'item')
    w.multi('history', 6, 'item')
    w.dense('age', w.random.integers(18, 80, 40))
    w.begin('item', 45)
    w.single('id', 'item', ids=np.arange(1, 46))
    w.single('brand')
    w.multi('similar', 4, 'item')
    w.dense('price', np.exp(w.random.normal(2, 1, 45)))
    w.dense('rating', w.random.normal(3, 1, (45, 2)))
    w.dense('shelf', np.full(45, 0.1))      # Constant: its deviation is 0.
    w.dense('share', w.random.random(45))
    w.pairs('user', 'item', {'train': 200, 'validation': 20, 'test': 20},
            weighted=True)


KINDS = {'packages': packages, 'shop': shop}


def write(kind, folder, seed=7):
    writer = Writer(folder, seed)
    KINDS[kind](writer)
    writer.finish()
