# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The reference as a whole: five specs, their gradients, their losses."""
import math
import os
import unittest
from unittest import mock

import numpy as np

import compare
import losses
import model
import optimizer
import reference
from cases import FOLDER, SPECS, case
from data import Dataset
from spec import Spec


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

    def test_rows_that_are_not_looked_up_keep_their_moments(self):
        spec, dataset, values = case('numbers')
        random = np.random.default_rng(1)
        key = 'table/item'
        shape = values[key].shape
        values.update({f'{key}/adam/m': random.normal(size=shape),
                       f'{key}/adam/v': random.random(shape)})
        results = reference.run_step(spec, dataset, values, 0, 1, 1.0)
        looked_up = np.zeros(shape[0], bool)
        looked_up[results['touched/item']] = True
        self.assertTrue(0 < looked_up.sum() < shape[0])
        for name in (key, f'{key}/adam/m', f'{key}/adam/v'):
            moved = results[f'updated/{name}'] != values[name]
            self.assertEqual(moved.any(1).tolist(), looked_up.tolist())

    def test_gradients_are_scaled_by_their_common_norm(self):
        spec, dataset, values = case('siamese')
        ones = {key: np.ones(shape) for key, (shape, _)
                in model.parameters(spec).items()}
        touched = {name: np.ones(table.rows, bool)
                   for name, table in spec.tables.items()}
        norm = math.sqrt(sum(value.size for value in ones.values()))
        for clip, scale in [(0, 1), (2 * norm, 1), (2, 2 / norm)]:
            spec.clip_norm = clip
            updated = optimizer.update(spec, values, ones, touched, 0, 1.0)
            for key, value in updated.items():
                rate = 0.2 if key.startswith('table/') else 0.1
                np.testing.assert_allclose(value, values[key] - rate * scale,
                                           atol=1e-7)

    def test_dense_parameters_decay(self):
        spec, dataset, values = case('numbers')
        gradients = {key: np.zeros(shape) for key, (shape, _)
                     in model.parameters(spec).items()}
        touched = {name: np.ones(table.rows, bool)
                   for name, table in spec.tables.items()}
        updated = optimizer.update(spec, values, gradients, touched, 0, 0.5)
        for key in gradients:
            share = 0 if key.startswith('table/') else 0.5 * .002 * .1
            np.testing.assert_allclose(updated[key], values[key] * (1 - share))


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

    def test_means_are_over_the_values_that_dropout_leaves(self):
        spec, dataset, values = case('debian_like')
        feature = spec.features['package'][4]
        column = dataset.entities['package'].columns['synopsis']
        rows = np.array([0, 1, 0, 5, 9])
        towers = model.Towers(spec, dataset, values)
        view = model.View(None, 0.5, 'ssl/1', 3, 1)
        found = towers._feature('package', feature, rows, view).value
        kept = towers.record['kept/ssl/1/synopsis'].tolist()
        seen = set()
        for position, row in enumerate(rows):
            ids = column.values[column.offsets[row]:column.offsets[row + 1]]
            left = [values['table/word'][i] for i in ids if kept.pop(0)]
            expected = sum(left) / max(len(left), 1)
            np.testing.assert_allclose(found[position], expected, atol=1e-12)
            seen.add(len(left) / max(len(ids), 1))
        self.assertEqual(kept, [])
        self.assertGreater(len(seen), 2)

    def test_logarithms_are_standardized(self):
        spec, dataset, values = case('debian_like')
        feature = spec.features['package'][5]
        numbers = dataset.entities['package'].columns['size'].numbers
        logs = np.log(1 + numbers)
        found = model.Towers(spec, dataset, values)._feature(
            'package', feature, np.arange(60), model.View()).value
        np.testing.assert_allclose(found, (logs - logs.mean()) / logs.std())

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
        dataset = Dataset(os.path.join(FOLDER, 'packages'))
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


class Comparison(unittest.TestCase):
    def compare(self, other, **options):
        reference = {'a': np.array([1.0, 100.0]), 'b': np.arange(3)}
        with mock.patch('builtins.print'):
            return compare.compare(reference, other, 1e-4, 1e-5, **options)

    def test_the_tolerance_is_the_tensors(self):
        self.assertEqual(self.compare({'a': np.array([1.009, 100])}), 0)
        self.assertEqual(self.compare({'a': np.array([1.011, 100])}), 1)
        self.assertEqual(self.compare({'a': np.array([np.nan, 100])}), 1)
        self.assertEqual(self.compare({'b': np.array([0, 1, 3])}), 1)
        self.assertEqual(self.compare({'b': np.arange(3)}), 0)
        self.assertEqual(self.compare({'b': np.arange(3)}, need_all=True), 1)
        self.assertEqual(self.compare({'c': np.arange(3)}), 1)
        self.assertEqual(self.compare({}), 1)


if __name__ == '__main__':
    unittest.main()
