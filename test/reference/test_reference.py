# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The reference as a whole: five specs, their gradients, their losses."""
import os
import tempfile
import unittest
from unittest import mock

import numpy as np

import compare
import losses
import model
import optimizer
import reference
import synthetic
import tape
from data import Dataset
from spec import Spec

HERE = os.path.dirname(os.path.abspath(__file__))
SPECS = {'debian_like': 'packages', 'siamese': 'packages', 'numbers': 'shop',
         'two_ssl': 'packages', 'feature_dropout': 'shop'}


def setUpModule():
    global folder
    folder = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(folder.cleanup)
    for kind in synthetic.KINDS:
        synthetic.write(kind, os.path.join(folder.name, kind))


def case(name):
    """(spec, dataset, values) with nothing at a special point."""
    path = os.path.join(HERE, 'specs', f'{name}.txtpb')
    spec, dataset = reference.read_spec(
        path, os.path.join(folder.name, SPECS[name]))
    values = model.initialize(spec, spec.seed, noise=0.2)
    return spec, dataset, {**values, **model.constants(spec, dataset)}


class Specs(unittest.TestCase):
    def test_gradients_agree_with_central_differences(self):
        for name in SPECS:
            spec, dataset, values = case(name)
            for step in (0, 17):
                with self.subTest(name, step=step):
                    results = reference.run_step(spec, dataset, values, step,
                                                 spec.seed, 1.0)
                    worst = compare.differences(spec, dataset, values, step,
                                                spec.seed, results, 6)
                    self.assertLess(worst, 1e-5)

    def test_a_wrong_gradient_is_seen(self):
        spec, dataset, values = case('debian_like')
        results = reference.run_step(spec, dataset, values, 0, 1, 1.0)
        results['gradient/tower/item/layer1/weight'] *= 1.001
        worst = compare.differences(spec, dataset, values, 0, 1, results, 6)
        self.assertGreater(worst, 1e-5)

    def test_a_hundred_steps_lower_the_loss(self):
        for name in SPECS:
            spec, dataset, values = case(name)
            values.update(model.initialize(spec, spec.seed))
            totals = []
            for step in range(100):
                results = reference.run_step(spec, dataset, values, step,
                                             spec.seed, 1.0)
                totals.append(results['loss'])
                values.update({key[len('updated/'):]: value
                               for key, value in results.items()
                               if key.startswith('updated/')})
            with self.subTest(name):
                self.assertLess(np.mean(totals[-20:]), np.mean(totals[:20]))

    def test_only_looked_up_rows_change(self):
        for name in SPECS:
            spec, dataset, values = case(name)
            results = reference.run_step(spec, dataset, values, 3, 1, 1.0)
            for table in spec.tables:
                key = f'table/{table}'
                moved = (results[f'updated/{key}'] != values[key]).any(1)
                looked_up = results[f'touched/{table}']
                gradient = results[f'gradient/{key}'].any(1)
                with self.subTest(name, table=table):
                    self.assertLessEqual(set(np.flatnonzero(moved)),
                                         set(looked_up))
                    self.assertLessEqual(set(np.flatnonzero(gradient)),
                                         set(looked_up))

    def test_complementary_masks_split_the_features(self):
        for name, loss in [('debian_like', 'ssl'), ('two_ssl', 'contrastive')]:
            spec, dataset, values = case(name)
            record = losses.Step(spec, dataset, values, 5, 1).record
            total = record[f'mask/{loss}/1'] + record[f'mask/{loss}/2']
            self.assertTrue((total == 1).all())

    def test_clipped_dense_decay(self):
        spec, dataset, values = case('numbers')
        gradients = {key: np.zeros(shape) for key, (shape, _)
                     in model.parameters(spec).items()}
        touched = {name: np.ones(table.rows, bool)
                   for name, table in spec.tables.items()}
        updated = optimizer.update(spec, values, gradients, touched, 0, 0.5)
        for key in gradients:
            share = 0 if key.startswith('table/') else 0.5 * .002 * .1
            np.testing.assert_allclose(updated[key], values[key] * (1 - share))


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


class Towers(unittest.TestCase):
    def test_pooling(self):
        spec, dataset, values = case('two_ssl')
        column = dataset.entities['package'].columns['tags']
        rows = np.arange(10)
        for pooling, power in [('MEAN', 1), ('SUM', 0), ('SQRTN', .5)]:
            feature = next(f for f in spec.features['package']
                           if f.name == 'tags')
            feature.pooling = pooling
            towers = model.Towers(spec, dataset, values)
            found = towers._feature('package', feature, rows, model.View())
            for row in rows:
                ids = column.values[column.offsets[row]:
                                    column.offsets[row + 1]]
                expected = values['table/tag'][ids].sum(0)
                expected = expected / max(len(ids), 1) ** power
                np.testing.assert_allclose(found.value[row], expected)

    def test_masked_features_do_not_matter(self):
        spec, dataset, values = case('debian_like')
        tower = spec.towers['item']
        mask = np.array([f.name == 'source' for f in tower.features])
        found = [model.Towers(spec, dataset, v).encode(
            tower, np.arange(9), model.View(mask)).value for v in (
                values, {**values, 'table/source': values['table/source'] * 2},
                {**values, 'tower/item/default/source': np.ones(6)})]
        np.testing.assert_array_equal(found[0], found[1])
        self.assertGreater(abs(found[0] - found[2]).max(), 1e-3)


class Defaults(unittest.TestCase):
    TEXT = '''
        tables { name: "source" dim: 2 }
        entities { name: "package" features { name: "source" single {} }
                   features { name: "tags" multi { table: "source" } }
                   features { name: "size" dense {} } }
        towers { name: "t" entity: "package" layers { units: 2 } }
        losses { in_batch_softmax { query: "t" item: "t" } }
        losses { contrastive { tower: "t"
                 augmentation { mask: CORRELATED } } }
        losses { name: "x" contrastive { tower: "t" } }
        losses { contrastive { tower: "t" } }'''

    def test_as_the_proto_says(self):
        dataset = Dataset(os.path.join(folder.name, 'packages'))
        spec = Spec(self.TEXT, dataset)
        self.assertEqual([loss.name for loss in spec.losses],
                         ['in_batch_softmax', 'contrastive', 'x',
                          'contrastive_3'])
        main, ssl = (loss.options for loss in spec.losses[:2])
        self.assertEqual((main['logq'], main['remove_hits'],
                          main['remove_same_query']), (False, True, False))
        self.assertEqual((ssl['views'], ssl['uniform'], ssl['batch']),
                         ('COMPLEMENTARY', True, 1024))
        self.assertEqual(ssl['augmentation'].masked_features, 2)
        self.assertEqual(spec.tables['source'].rows, 25)
        self.assertEqual(spec.optimizers['dense'].kind, 'adagrad')
        self.assertTrue(spec.towers['t'].normalized and
                        spec.towers['t'].masked)


if __name__ == '__main__':
    unittest.main()
