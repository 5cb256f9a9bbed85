# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled code against the reference: two programs that share nothing but
the spec, the data and the names of tensors. TOWERC is the compiler."""
import os
import subprocess
import unittest

import numpy as np

import compiled
import optimizer
import reference
from cases import FOLDER, HERE, SPECS, case

TOWERC = os.environ['TOWERC']


class Compiled(unittest.TestCase):
    def model(self, name, threads=2):
        """The spec, its dataset and values, and the compiled model."""
        data = os.path.join(FOLDER, SPECS[name])
        spec, dataset, values = case(name)
        library = os.path.join(FOLDER, f'{name}.so')
        if not os.path.exists(library):
            for entity in dataset.entities:
                subprocess.run([TOWERC, 'data', 'mi', data, '--entity',
                                entity], check=True, capture_output=True)
            compiled.build(TOWERC, os.path.join(HERE, 'specs',
                                                f'{name}.txtpb'), data,
                           library)
        model = compiled.Model(library, data, threads)
        self.addCleanup(model.close)
        for key in list(values):
            if not key.startswith('entity/'):
                values.update(optimizer.first_slots(spec, key, values[key]))
        self.assertEqual(set(model.tensors), set(values))
        return spec, dataset, values, model

    def close_to(self, name, found, expected):
        limit = 1e-5 + 1e-4 * np.abs(expected).max(initial=0)
        away = np.abs(found - expected).max(initial=0)
        self.assertLessEqual(away, limit, name)

    def test_steps_agree(self):
        for name in SPECS:
            with self.subTest(name):
                spec, dataset, values, model = self.model(name)
                for step in (0, 1, 29):
                    # Each step starts from the reference's parameters.
                    for key, tensor in model.tensors.items():
                        tensor[...] = values[key]
                    losses = model.step(step, spec.seed, 0.5)
                    expected = reference.run_step(
                        spec, dataset,
                        {key: value.astype(np.float32).astype(float)
                         for key, value in values.items()},
                        step, spec.seed, 0.5)
                    for key, value in losses.items():
                        self.close_to(f'{key} at {step}', value,
                                      expected[key])
                    for key, tensor in model.tensors.items():
                        if f'updated/{key}' in expected:
                            value = expected[f'updated/{key}']
                            self.close_to(f'{key} at {step}', tensor, value)
                            values[key] = value

    def test_threads_do_not_change_a_bit(self):
        for name in SPECS:
            with self.subTest(name):
                results = []
                for threads in (1, 2):
                    spec, _, values, model = self.model(name, threads)
                    for key, tensor in model.tensors.items():
                        tensor[...] = values[key]
                    for step in range(5):
                        model.step(step, spec.seed)
                    results.append({key: tensor.tobytes() for key, tensor
                                    in model.tensors.items()})
                self.assertEqual(*results)


if __name__ == '__main__':
    unittest.main()
