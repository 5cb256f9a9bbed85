# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a training step draws, without computing it: rows, masks, the values that dropout leaves.

The reference's own code draws, so that every implementation sees the batches that towerc draws by itself.
"""
import dataclasses
import functools
import os
import sys
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'reference'))

import losses  # noqa: E402
import model  # noqa: E402
import optimizer  # noqa: E402,F401
import sampling  # noqa: E402
from data import Dataset  # noqa: E402
from spec import Spec  # noqa: E402,F401  (for those that import this module)


taken = [0.0]    # Seconds of this process that went into reading the data and drawing.


def timed(function):
    @functools.wraps(function)
    def run(*arguments):
        began = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            taken[0] += time.perf_counter() - began
    return run


class Data(Dataset):
    """A dataset that keeps what is derived from all of its rows."""

    _log_probability = None
    __init__ = timed(Dataset.__init__)

    def log_probability(self):
        if self._log_probability is None:
            self._log_probability = super().log_probability()
        return self._log_probability


@dataclasses.dataclass
class Application:
    """A tower and the rows that it encodes. Of each feature: (ids, values of each row), numbers, or None if masked."""
    tower: object
    rows: np.ndarray
    features: list


@dataclasses.dataclass
class Drawn:
    """A loss of one step: the towers' applications (query and item, or both views), and what else it depends on."""
    loss: object
    applications: list
    rows: np.ndarray            # Equal rows are copies of one item.
    queries: np.ndarray = None
    log_p: np.ndarray = None
    weights: np.ndarray = None


class Draws(losses.Step):
    """All losses of a step as Drawn, in `losses`."""

    @timed
    def __init__(self, spec, dataset, constants, step, seed):
        self.spec, self.dataset, self.constants = spec, dataset, constants
        self.step, self.seed, self.record = step, seed, {}
        train = dataset.pairs['train']
        places = sampling.batch_pairs(step, spec.batch, len(train.query), seed)
        self.query, self.item, self.weight = train.query[places], train.item[places], train.weight[places]
        self.losses = [self._drawn(loss) for loss in spec.losses]

    def _drawn(self, loss):
        options = loss.options
        if loss.kind == 'in_batch_softmax':
            mask = self._mask(f'{loss.name}/mask', options['item'], options['augmentation'])
            view = self._view(f'{loss.name}/item', mask, options['augmentation'])
            return Drawn(loss, [self._apply(options['query'], self.query, model.View()),
                                self._apply(options['item'], self.item, view)], self.item, self.query,
                         self.dataset.log_probability()[self.item] if options['logq'] else None,
                         self.weight if options['weighted'] else None)
        tower = options['tower']
        rows = self._items(loss.name, tower, options['uniform'], options['batch'])
        if loss.kind == 'spread_out':
            return Drawn(loss, [self._apply(tower, rows, model.View())], rows)
        masks = self._two_masks(loss.name, tower, options['views'], options['augmentation'])
        views = [self._view(f'{loss.name}/{number}', mask, options['augmentation'])
                 for number, mask in zip('12', masks)]
        return Drawn(loss, [self._apply(tower, rows, view) for view in views], rows)

    def _apply(self, tower, rows, view):
        return Application(tower, rows, [None if view.masks(index) else self._feature(tower.entity, f, rows, view)
                                         for index, f in enumerate(tower.features)])

    def _feature(self, entity, f, rows, view):
        column = self.dataset.entities[entity].columns[f.column]
        if f.kind == 'dense':
            return self._scaled(entity, f, column.numbers[rows]).astype(np.float32)
        positions, indices, ids = column.lists(rows)
        kept = view.kept(f, positions, indices)
        return ids[kept].astype(np.int64), np.bincount(positions[kept], minlength=len(rows))

    def _scaled(self, entity, f, numbers):
        if f.scaling == 'NONE':
            return numbers
        stem = f'entity/{entity}/{f.name}'
        numbers = np.log1p(numbers) if f.scaling == 'LOG_STANDARDIZED' else numbers
        return (numbers - self.constants[f'{stem}/mean']) / self.constants[f'{stem}/deviation']
