# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The dataset of paper.txtpb and vocabularies.txtpb: ids are uniform, so that no batch, no list and no catalogue repeats itself but by chance."""
import os

import numpy as np

import draws  # noqa: F401  (so that the reference's modules are found)
from synthetic import Writer

PAIRS = 400_000


class Uniform(Writer):
    def skewed(self, vocabulary, count):
        rows = next(v.rows for v in self.schema.vocabularies if v.name == vocabulary)
        return self.random.integers(1, rows, count, np.int32)


def write(folder, ids, categories=10_000):
    """Apps with an id of their own each, six features of so many categories, eight words and four numbers; pairs of any two apps."""
    w = Uniform(folder + '.new', 7)
    w.vocabulary('id', ids)
    for name in 'abcdef':
        w.vocabulary(name, categories)
    w.vocabulary('words', 50_000)
    rows = ids - 1
    w.begin('app', rows)
    w.single('id', ids=np.arange(1, ids))
    for name in 'abcdef':
        w.single(name)
    w.multi('words', 8, counts=np.full(rows, 8))
    w.dense('numbers', w.random.normal(0, 1, (rows, 4)))
    w.pairs('app', 'app', {'train': PAIRS, 'validation': 1, 'test': 1}, weighted=False, skew=1)
    w.finish()
    os.rename(folder + '.new', folder)
