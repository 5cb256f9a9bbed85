# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The runtime draws and derives from data what the reference does.

REFERENCE_DRAWS names the program made of draws.cpp; ctest sets it.
"""
import os
import subprocess
import unittest

import numpy as np

import optimizer
import sampling
from cases import FOLDER
from data import Dataset, standardization
from protos import model_pb2

PROGRAM = os.environ.get('REFERENCE_DRAWS')
PLACES = [(seed, step) for seed in (1, 2 ** 32 + 5)
          for step in (0, 7, 1000, 2 ** 40 + 3)]


def ask(kind, questions):
    """The answers, each an array of numbers."""
    done = subprocess.run([PROGRAM, os.path.join(FOLDER, kind)], check=True,
                          input='\n'.join(questions), text=True,
                          stdout=subprocess.PIPE)
    return [np.array(line.split(), float)
            for line in done.stdout.splitlines()]


@unittest.skipUnless(PROGRAM, 'REFERENCE_DRAWS is not set')
class Runtime(unittest.TestCase):
    def equal(self, expected, kind='packages', **tolerance):
        """expected: question -> numbers."""
        answers = ask(kind, expected)
        self.assertEqual(len(answers), len(expected))
        for (question, numbers), found in zip(expected.items(), answers):
            with self.subTest(question):
                np.testing.assert_allclose(found, numbers,
                                           **(tolerance or {'rtol': 0}))

    def test_pairs(self):
        self.equal({
            f'pairs {seed} {step} {batch} {total}':
                sampling.batch_pairs(step, batch, total, seed)
            for seed, step in PLACES
            for batch, total in [(1, 1), (2, 3), (16, 250), (64, 65)]})

    def test_items(self):
        self.equal({
            f'items {seed} ssl/items {step} 40 {total}':
                sampling.uniform_items('ssl', step, 40, total, seed)
            for seed, step in PLACES for total in (1, 60, 2 ** 31 - 1)})

    def test_random_masks(self):
        self.equal({
            f'mask {seed} a/1/mask {step} {features} {masked}':
                sampling.random_mask('a/1/mask', step, features, masked, seed)
            for seed, step in PLACES
            for features, masked in [(3, 1), (9, 4), (7, 6), (100, 50)]})

    def test_correlated_masks(self):
        order = [[f for f in (3, 1, 4, 2, 0) if f != s] for s in range(5)]
        text = ' '.join(str(f) for row in order for f in row)
        self.equal({
            f'mask {seed} a/mask {step} 5 3 {text}':
                sampling.correlated_mask('a/mask', step, order, 3, seed)
            for seed, step in PLACES})

    def test_first_values(self):
        self.equal({
            f'{kind} {seed} table/x {count} 0.25':
                sampling.first_values('table/x', (count,), kind, 0.25, seed)
            for kind in ('normal', 'uniform') for seed in (1, 9)
            for count in (1, 64, 1001)}, rtol=1e-6, atol=1e-8)

    def test_moments_and_probabilities(self):
        for kind in ('packages', 'shop'):
            dataset = Dataset(os.path.join(FOLDER, kind))
            expected = {}
            for entity in dataset.entities.values():
                for name, column in entity.columns.items():
                    for scaling in ('linear', 'log'):
                        if column.kind == 'DENSE' and (
                                scaling == 'linear'
                                or column.numbers.min() > -1):
                            question = f'moments {entity.name} {name} '
                            expected[question + scaling] = np.concatenate(
                                standardization(column, scaling == 'log'))
            self.assertGreater(len(expected), 2)
            self.equal(expected, kind, rtol=1e-12)
            known = np.unique(dataset.pairs['train'].item)
            found, = ask(kind, ['probabilities'])
            np.testing.assert_allclose(
                found[known], dataset.log_probability()[known], rtol=1e-6)

    def test_rates(self):
        expected = {}
        for decay in ('constant', 'linear', 'cosine'):
            for step in (0, 4, 5, 6, 20, 29, 40):
                training = model_pb2.Training(steps=30)
                training.schedule.warmup_steps = 5
                training.schedule.decay = model_pb2.Decay.Value(decay.upper())
                training.schedule.final_fraction = 0.125
                expected[f'rate 5 {decay} 0.125 {step} 30'] = np.array(
                    [optimizer.rate_factor(training, step, 100, 10)])
        self.equal(expected, rtol=1e-6)


if __name__ == '__main__':
    unittest.main()
