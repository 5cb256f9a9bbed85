# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The reference's parts, against published vectors and sums by hand."""
import math
import os
import tempfile
import types
import unittest

import numpy as np

import mutual_information as mi
import optimizer
import sampling
import tape
from data import standardization
from philox import fnv1a, philox
from protos import model_pb2
from safetensors import load, save
from spec import Optimizer


class Philox(unittest.TestCase):
    def test_published_vectors(self):
        """kat_vectors of Random123, philox4x32 10."""
        ones = 0xFFFFFFFF
        pi = (0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344)
        for counter, key, expected in [
                ((0,) * 4, (0, 0), '6627e8d5 e169c58d bc57ac4c 9b00dbd8'),
                ((ones,) * 4, (ones,) * 2,
                 '408f276d 41c83b0e a20bc7c6 6d5451fd'),
                (pi, (0xa4093822, 0x299f31d0),
                 'd16cfe09 94fdcceb 5001e420 24126ea1')]:
            words = philox(counter, key)
            self.assertEqual(' '.join(f'{int(w):08x}' for w in words),
                             expected)

    def test_names_are_hashed_by_fnv1a(self):
        self.assertEqual([fnv1a(name) for name in ('', 'a', 'foobar')],
                         [0x811c9dc5, 0xe40c292c, 0xbf9cf968])


class Sampling(unittest.TestCase):
    def test_an_epochs_order_is_a_bijection(self):
        for total in (1, 2, 3, 4, 5, 16, 17, 100, 1000):
            for epoch in (0, 1, 2 ** 33):
                image = sampling.permute(np.arange(total), total, epoch, 9)
                self.assertEqual(sorted(image), list(range(total)))

    def test_an_order_step_by_step(self):
        def walk(place, total, epoch, key):
            bits = 4        # 4^4 >= 100
            while True:
                left, right = place >> bits, place & 15
                for turn in range(6):
                    word = int(philox((right, turn, epoch, 0), key)[0])
                    left, right = right, left ^ (word & 15)
                place = left << bits | right
                if place < total:
                    return place

        key = (7, fnv1a('pairs'))
        self.assertEqual(sampling.permute(np.arange(100), 100, 3, 7).tolist(),
                         [walk(i, 100, 3, key) for i in range(100)])

    def test_orders_differ_by_epoch_and_seed(self):
        orders = [sampling.permute(np.arange(50), 50, epoch, seed).tolist()
                  for epoch, seed in [(0, 1), (1, 1), (2 ** 32, 1), (0, 2)]]
        self.assertEqual(len(set(map(tuple, orders))), 4)

    def test_batches_of_an_epoch_share_no_pair(self):
        drawn = [sampling.batch_pairs(step, 7, 50, 3) for step in range(14)]
        self.assertEqual(len(np.unique(drawn[:7])), 49)
        self.assertEqual(len(np.unique(drawn[7:])), 49)
        self.assertRaises(ValueError, sampling.batch_pairs, 0, 51, 50, 3)

    def test_items_are_uniform(self):
        rows = np.concatenate([sampling.uniform_items('ssl', step, 100, 5, 1)
                               for step in range(50)])
        count = np.bincount(rows, minlength=5)
        low, high = (int(w) for w in philox(
            (7, 0, 3, 0), (1, fnv1a('ssl/items')))[:2])
        found = sampling.uniform_items('ssl', 7, 9, 10 ** 9, 1)[3]
        self.assertEqual(found, (low + 2 ** 32 * high) * 10 ** 9 // 2 ** 64)
        self.assertEqual(len(count), 5)
        self.assertLess(abs(count - 1000).max(), 120)

    def test_random_masks_have_their_size_and_no_favourites(self):
        masks = np.array([sampling.random_mask('ssl/mask', step, 5, 2, 1)
                          for step in range(2000)])
        self.assertTrue((masks.sum(1) == 2).all())
        self.assertLess(abs(masks.sum(0) - 800).max(), 100)

    def test_correlated_masks_are_a_seed_and_its_nearest(self):
        order = [[1, 2, 3], [0, 2, 3], [3, 1, 0], [2, 0, 1]]
        allowed = {(1, 1, 1, 0), (1, 0, 1, 1), (0, 1, 1, 1)}
        seen = {tuple(sampling.correlated_mask('m', step, order, 3, 1) * 1)
                for step in range(100)}
        # Seeds 0 and 1: {0, 1, 2}; seed 2: {2, 3, 1}; seed 3: {3, 2, 0}.
        self.assertEqual(seen, allowed)

    def test_dropout_has_its_rate_and_differs_by_place(self):
        place = np.arange(10000)
        gone = sampling.dropped('l/1/f', 3, place // 10, place % 10, 0.3, 1)
        self.assertLess(abs(gone.mean() - 0.3), 0.02)
        self.assertGreater(len({tuple(row) for row in gone.reshape(-1, 10)}),
                           300)
        self.assertFalse(sampling.dropped('f', 0, place, 0, 0.0, 1).any())

    def test_first_values(self):
        x = sampling.first_values('t', (301, 7), 'normal', 0.5, 1)
        self.assertLess(abs(x.mean()), 0.04)
        self.assertLess(abs(x.std() - 0.5), 0.03)
        u = sampling.first_values('t', (301, 7), 'uniform', 0.5, 1)
        self.assertLess(abs(u.std() - 0.5 / math.sqrt(3)), 0.01)
        self.assertLess(abs(u).max(), 0.5)


class MutualInformation(unittest.TestCase):
    def test_by_hand(self):
        a = np.arange(5), np.array([0, 0, 1, 1])
        b = np.arange(5), np.array([0, 0, 0, 1])
        expected = (.5 * math.log(.5 / (.5 * .75))
                    + .25 * math.log(.25 / (.5 * .75))
                    + .25 * math.log(.25 / (.5 * .25)))
        self.assertAlmostEqual(mi.mutual_information(a, b), expected)
        self.assertAlmostEqual(mi.mutual_information(b, a), expected)
        self.assertAlmostEqual(mi.mutual_information(a, a), math.log(2))

    def test_values_of_a_list_share_their_rows_mass(self):
        # Rows: {0, 1}, {0}; against 0, 1. P(0) = 3/4, P(1) = 1/4.
        lists = np.array([0, 2, 3]), np.array([0, 1, 0])
        single = np.arange(3), np.array([0, 1])
        expected = (.25 * math.log(.25 / (.75 * .5))
                    + .25 * math.log(.25 / (.25 * .5))
                    + .5 * math.log(.5 / (.75 * .5)))
        self.assertAlmostEqual(mi.mutual_information(lists, single), expected)

    def test_an_empty_list_is_a_value(self):
        column = types.SimpleNamespace(
            kind='MULTI', rows=3, offsets=np.array([0, 0, 2, 2]),
            values=np.array([4, 2]),
            lists=lambda rows: (np.array([1, 1]), np.array([0, 1]),
                                np.array([4, 2])))
        offsets, found = mi.symbols(column)
        self.assertEqual(offsets.tolist(), [0, 1, 3, 4])
        self.assertEqual(found.tolist(), [0, 4, 2, 0])

    def test_ties_fall_into_the_lower_decile(self):
        self.assertEqual(mi.deciles(np.arange(20.0)).tolist(),
                         [i // 2 for i in range(20)])
        self.assertEqual(mi.deciles(np.array([5.0] * 9 + [6])).tolist(),
                         [0] * 9 + [9])

    def test_chance_is_what_independent_columns_share(self):
        random = np.random.default_rng(3)
        a, b = random.integers(0, 20, (2, 400))
        columns = [(np.arange(401), ids) for ids in (a, b)]
        mean, deviation = mi.by_chance(*columns)
        self.assertLess(abs(mi.mutual_information(*columns) - mean),
                        5 * deviation)
        same, _ = mi.by_chance(columns[0], columns[0])
        self.assertGreater(mi.mutual_information(columns[0], columns[0]),
                           3 * same)

    def test_equal_neighbours_keep_their_order(self):
        self.assertEqual(mi.order([[0, 1, 1], [2, 0, 3], [1, 1, 0]]),
                         [[1, 2], [2, 0], [0, 1]])


class Optimizers(unittest.TestCase):
    def apply(self, kind, slots, g, t=1, **options):
        made = Optimizer(kind, 1.0, 0.0, options)
        return optimizer.apply(made, np.array(g), slots, t)

    def test_by_hand(self):
        self.assertEqual(self.apply('sgd', [], [3.0])[0], 3)
        change, (a,) = self.apply('adagrad', [np.array([7.0])], [3.0],
                                  epsilon=1.0)
        self.assertEqual((change[0], a[0]), (3 / 5, 16))
        change, (a,) = self.apply('rowwise_adagrad', [np.array([4.0])],
                                  [[1.0, 3.0]], epsilon=0.0)
        self.assertEqual((change[0].tolist(), a[0]), ([1 / 3, 1], 9))

    def test_adams_first_step_has_the_size_of_its_rate(self):
        change, (m, v) = self.apply('adam', [np.zeros(1), np.zeros(1)],
                                    [-0.2], beta1=.9, beta2=.99, epsilon=0.0)
        self.assertAlmostEqual(change[0], -1)
        self.assertAlmostEqual(m[0], -0.02)
        self.assertAlmostEqual(v[0], 0.0004)

    def test_schedule(self):
        training = model_pb2.Training(steps=11)
        training.schedule.warmup_steps = 2

        def factor(step):
            return optimizer.rate_factor(training, step, 100, 10)

        self.assertEqual([factor(s) for s in (0, 1, 2, 10)], [.5, 1, 1, 1])
        training.schedule.decay = model_pb2.LINEAR
        training.schedule.final_fraction = 0.5
        self.assertEqual([factor(s) for s in (2, 6, 10)], [1, .75, .5])
        training.schedule.decay = model_pb2.COSINE
        self.assertAlmostEqual(factor(6), .75)


class Parts(unittest.TestCase):
    def test_zero_vectors_are_normalized_to_zero(self):
        a = tape.Node(np.array([[0.0, 0.0], [3.0, 4.0]]))
        z = tape.normalize(a)
        self.assertEqual(z.value.tolist(), [[0, 0], [.6, .8]])

    def test_constants_are_standardized_to_zero(self):
        column = types.SimpleNamespace(
            numbers=np.array([[0.1, 1.0], [0.1, 3.0], [0.1, 5.0]]))
        mean, deviation = standardization(column, log=False)
        self.assertEqual(mean.tolist(), [0.1, 3])
        self.assertAlmostEqual(deviation[1], math.sqrt(8 / 3))
        self.assertEqual(deviation[0], 1)

    def test_files_of_tensors_round_trip(self):
        tensors = {'a/b': np.arange(6.0).reshape(2, 3), 'c': np.array(2.5),
                   'd': np.arange(3, dtype=np.int32)}
        with tempfile.TemporaryDirectory() as folder:
            for name in ('x.safetensors', 'x.npz', 'x'):
                path = os.path.join(folder, name)
                save(path, tensors)
                found = load(path)
                self.assertEqual(sorted(found), sorted(tensors))
                for key, value in tensors.items():
                    self.assertEqual(found[key].dtype, value.dtype)
                    np.testing.assert_array_equal(found[key], value)


if __name__ == '__main__':
    unittest.main()
