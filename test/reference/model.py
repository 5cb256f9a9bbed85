# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Parameters and towers: rows of an entity become embeddings."""
import math

import numpy as np

import sampling
import tape
from data import standardization
from spec import Init


def parameters(spec):
    """Name -> (shape, initializer) of everything that is trained."""
    result = {}
    for name, table in spec.tables.items():
        result[f'table/{name}'] = (table.rows, table.dim), table.init
    for tower in spec.towers.values():
        stem = f'tower/{tower.name}'
        if tower.masked:
            for f in tower.features:
                result[f'{stem}/default/{f.name}'] = (
                    (f.width,), Init('zero', 0, 0))
        width = sum(f.width for f in tower.features)
        for i, layer in enumerate(tower.layers):
            result[f'{stem}/layer{i}/weight'] = (
                (width, layer.units), layer.init)
            if layer.bias:
                result[f'{stem}/layer{i}/bias'] = (
                    (layer.units,), Init('zero', 0, 0))
            width = layer.units
    return result


def constants(spec, dataset):
    """Mean and deviation of every standardized dense feature."""
    result = {}
    for entity, features in spec.features.items():
        for f in features:
            if f.kind == 'dense' and f.scaling != 'NONE':
                mean, deviation = standardization(
                    dataset.entities[entity].columns[f.column],
                    log=f.scaling == 'LOG_STANDARDIZED')
                stem = f'entity/{entity}/{f.name}'
                result[f'{stem}/mean'] = mean
                result[f'{stem}/deviation'] = deviation
    return result


def initialize(spec, seed, noise=0.0):
    """First values of all parameters. `noise`: the deviation of what is added
    to each, so that biases and default rows are not at a special point."""
    result = {}
    for name, (shape, init) in parameters(spec).items():
        kind, scale = init.kind, init.scale
        if kind == 'glorot':
            kind, scale = 'uniform', math.sqrt(6 / sum(shape))
        value = sampling.first_values(name, shape, kind, scale,
                                      init.seed or seed)
        if noise:
            value = value + sampling.first_values(
                f'{name}/noise', shape, 'normal', noise, seed)
        result[name] = value
    return result


class View:
    """One way to look at the features: which are masked, what is dropped.

    stream: `LOSS/VIEW`, the beginning of the names of its random streams.
    """

    def __init__(self, mask=None, value_dropout=0.0, stream='', step=0,
                 seed=0):
        self.mask, self.value_dropout = mask, value_dropout
        self.stream, self.step, self.seed = stream, step, seed

    def masks(self, index):
        return self.mask is not None and self.mask[index]

    def kept(self, feature, positions, indices):
        """Which values of a multi-valued feature survive value dropout."""
        if feature.kind == 'single' or not self.value_dropout:
            return np.ones(len(positions), bool)
        return ~sampling.dropped(f'{self.stream}/{feature.name}', self.step,
                                 positions, indices, self.value_dropout,
                                 self.seed)


class Towers:
    """Applies towers and takes down what they looked up and dropped."""

    def __init__(self, spec, dataset, values):
        self.spec, self.dataset, self.values = spec, dataset, values
        self.nodes = {name: tape.Node(values[name])
                      for name in parameters(spec)}
        self.touched = {name: np.zeros(table.rows, bool)
                        for name, table in spec.tables.items()}
        self.record = {}

    def encode(self, tower, rows, view=View()):
        """Embeddings of an entity's rows, one a row."""
        stem = f'tower/{tower.name}'
        inputs = []
        for index, f in enumerate(tower.features):
            masked = view.masks(index)
            pooled = self._feature(tower.entity, f, rows, view, masked)
            if masked:
                default = self.nodes[f'{stem}/default/{f.name}']
                pooled = tape.repeat(default, len(rows))
            inputs.append(pooled)
        x = tape.side_by_side(inputs)
        for i, layer in enumerate(tower.layers):
            x = tape.matmul(x, self.nodes[f'{stem}/layer{i}/weight'])
            if layer.bias:
                x = tape.add_row(x, self.nodes[f'{stem}/layer{i}/bias'])
            x = tape.activation(x, layer.activation)
        return tape.normalize(x) if tower.normalized else x

    def _feature(self, entity, f, rows, view, masked=False):
        column = self.dataset.entities[entity].columns[f.column]
        if f.kind == 'dense':
            return tape.Node(self._scaled(entity, f, column.numbers[rows]))
        positions, indices, ids = column.lists(rows)
        capacity = self.spec.tables[f.table].rows
        if len(ids) and (ids.min() < 0 or ids.max() >= capacity):
            raise ValueError(f'entity {entity}, column {f.column}: an id is '
                             f'not in table {f.table} of {capacity} rows')
        kept = view.kept(f, positions, indices)
        # Nothing is looked up for a masked feature or a dropped value.
        if not masked:
            self.touched[f.table][ids[kept]] = True
        if f.kind == 'multi' and view.value_dropout:
            name = f'kept/{view.stream}/{f.name}'
            self.record[name] = kept.astype(np.int32)
        # Survivors are not rescaled; mean and sqrtn count survivors.
        survivors = np.bincount(positions[kept], minlength=len(rows))
        power = {'MEAN': 1.0, 'SUM': 0.0, 'SQRTN': 0.5}[f.pooling]
        factors = kept / np.maximum(survivors, 1)[positions] ** power
        return tape.pool(self.nodes[f'table/{f.table}'], positions, ids,
                         factors, len(rows))

    def _scaled(self, entity, f, numbers):
        if f.scaling == 'NONE':
            return numbers
        if f.scaling == 'LOG_STANDARDIZED':
            numbers = np.log1p(numbers)
        stem = f'entity/{entity}/{f.name}'
        return ((numbers - self.values[f'{stem}/mean'])
                / self.values[f'{stem}/deviation'])
