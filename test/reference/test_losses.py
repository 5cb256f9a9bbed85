# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Losses, against the sums of the equations written as loops."""
import math
import unittest
from unittest import mock

import numpy as np

import losses
import model
import tape
from cases import case


def main_loss(state, q, x, o, dataset):
    """Eq. 6 with its options, pair by pair."""
    item, query = state.item, state.query
    train = dataset.pairs['train'].item
    total = weights = 0.0
    for i in range(len(q)):
        z = 0.0
        for u in range(len(x)):
            s = q[i] @ x[u] / o['temperature']
            if o['logq']:
                s -= math.log((train == item[u]).sum() / len(train))
            hit = o['remove_hits'] and item[u] == item[i]
            same = o['remove_same_query'] and query[u] == query[i]
            if u == i:
                positive = s
            if u == i or not (hit or same):
                z += math.exp(s)
        w = state.weight[i] if o['weighted'] else 1.0
        total += w * (math.log(z) - positive)
        weights += w
    return total / weights


def ssl_loss(rows, first, second, o):
    """Eq. 3 with its options, item by item."""
    total = 0.0
    for i in range(len(rows)):
        positive = first[i] @ second[i] / o['temperature']
        z = math.exp(positive)
        for u in range(len(rows)):
            hit = o['remove_hits'] and rows[u] == rows[i]
            if u != i and not hit:
                z += math.exp(first[i] @ second[u] / o['temperature'])
                if o['same_view_negatives']:
                    z += math.exp(first[i] @ first[u] / o['temperature'])
        total += math.log(z) - positive
    return total / len(rows)


class ByLoops(unittest.TestCase):
    def test_main_losses(self):
        for name in ('debian_like', 'siamese', 'numbers', 'feature_dropout'):
            spec, dataset, values = case(name)
            loss = spec.losses[0]
            state = losses.Step(spec, dataset, values, 2, 1)
            towers = model.Towers(spec, dataset, values)
            q = towers.encode(loss.options['query'], state.query).value
            mask = state.record.get('mask/main/item')
            view = model.View(
                mask, loss.options['augmentation'].value_dropout,
                'main/item', 2, 1)
            x = towers.encode(loss.options['item'], state.item, view).value
            with self.subTest(name):
                self.assertAlmostEqual(
                    state.losses[loss.name],
                    main_loss(state, q, x, loss.options, dataset), places=10)

    def test_ssl_losses(self):
        for name, index in [('debian_like', 1), ('two_ssl', 1),
                            ('two_ssl', 2)]:
            spec, dataset, values = case(name)
            loss = spec.losses[index]
            state = losses.Step(spec, dataset, values, 2, 1)
            rows = state.record.get(f'rows/{loss.name}', state.item)
            z = [model.Towers(spec, dataset, values).encode(
                loss.options['tower'], rows, model.View(
                    state.record[f'mask/{loss.name}/{view}'],
                    loss.options['augmentation'].value_dropout,
                    f'{loss.name}/{view}', 2, 1)).value for view in '12']
            with self.subTest(name, loss=loss.name):
                self.assertAlmostEqual(state.losses[loss.name],
                                       ssl_loss(rows, *z, loss.options),
                                       places=10)


def rectangular(q, x, positive, count, log_p, weights, tau, removed):
    """semantics.md's loss over distinct items, and its gradient by q."""
    scores = q @ x.T / tau - log_p
    m = np.tile(count.astype(float), (len(q), 1))
    rows = np.arange(len(q))
    if removed:
        m[rows, positive] = 1
    terms = m * np.exp(scores)
    z = terms.sum(1)
    share = weights / weights.sum()
    loss = share @ (np.log(z) - scores[rows, positive])
    p = terms / z[:, None]
    return loss, share[:, None] / tau * (p @ x - x[positive])


class Losses(unittest.TestCase):
    def test_copies_of_items_are_columns_with_counts(self):
        random = np.random.default_rng(1)
        q, catalogue = random.normal(size=(12, 4)), random.normal(size=(5, 4))
        items = random.integers(0, 5, 12)
        weights, log_p = random.random(12), -random.random(5)
        distinct, positive, count = np.unique(
            items, return_inverse=True, return_counts=True)
        for removed in (True, False):
            expected = rectangular(q, catalogue[distinct], positive, count,
                                   log_p[distinct], weights, 0.3, removed)
            node = tape.Node(q)
            scores = tape.affine(
                tape.products(node, tape.Node(catalogue[items])), 1 / 0.3,
                -log_p[items])
            kept = np.ones((12, 12), bool)
            if removed:
                kept = ~losses.equal(items) | np.eye(12, dtype=bool)
            loss = tape.cross_entropy(scores, kept, weights)
            tape.backward(loss)
            self.assertAlmostEqual(float(loss.value), expected[0], places=12)
            np.testing.assert_allclose(node.gradient, expected[1], atol=1e-12)

    def test_other_columns_by_their_options(self):
        """Every option of the main and the SSL loss changes the loss."""
        for name, index, option, value in [
                ('siamese', 0, 'remove_hits', True),
                ('siamese', 0, 'logq', True),
                ('numbers', 0, 'weighted', False),
                ('feature_dropout', 0, 'remove_same_query', False),
                ('two_ssl', 1, 'same_view_negatives', False),
                ('two_ssl', 1, 'views', 'SAME'),
                ('two_ssl', 1, 'uniform', False),
                ('two_ssl', 2, 'views', 'COMPLEMENTARY'),
                ('two_ssl', 2, 'remove_hits', True)]:
            spec, dataset, values = case(name)
            loss = spec.losses[index]
            before = losses.Step(spec, dataset, values, 1, 1).losses
            with mock.patch.dict(loss.options, {option: value}):
                after = losses.Step(spec, dataset, values, 1, 1).losses
            with self.subTest(name, option=option):
                self.assertNotAlmostEqual(before[loss.name], after[loss.name])

    def test_spread_out_by_hand(self):
        z = tape.Node(np.array([[1.0, 0], [.5, 2], [0, 3]]))
        loss = tape.mean_square_off_diagonal(tape.products(z, z))
        self.assertAlmostEqual(float(loss.value), 2 * (.25 + 36 + 0) / 3)



if __name__ == '__main__':
    unittest.main()
