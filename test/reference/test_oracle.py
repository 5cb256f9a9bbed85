# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The oracle against the reference: tower dataflow evaluated op by op, and the
paper's equations. TOWERC is the compiler, TOWER_EVAL the oracle's program."""
import os
import subprocess
import unittest

import numpy as np

import optimizer
import reference
import safetensors
from cases import FOLDER, HERE, SPECS, case

TOWERC, TOWER_EVAL = os.environ['TOWERC'], os.environ['TOWER_EVAL']


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


class Oracle(unittest.TestCase):
    def test_losses_gradients_and_draws_agree(self):
        for name in SPECS:
            with self.subTest(name):
                self.agrees(name)

    def agrees(self, name):
        data = os.path.join(FOLDER, SPECS[name])
        spec, dataset, values = case(name)
        for entity in dataset.entities:
            run(TOWERC, 'data', 'mi', data, '--entity', entity)
        ir, tensors, out = (os.path.join(FOLDER, f'{name}.oracle{suffix}')
                            for suffix in ('.mlir', '.safetensors',
                                           '.out.safetensors'))
        run(TOWERC, os.path.join(HERE, 'specs', f'{name}.txtpb'), '--data',
            data, '--emit=gradient', '-o', ir)
        for key in list(values):
            if not key.startswith('entity/'):
                values.update(optimizer.first_slots(spec, key, values[key]))
        safetensors.save(tensors, values)
        for step in (0, 7):
            run(TOWER_EVAL, ir, '--data', data, '--tensors', tensors,
                '--step', str(step), '--seed', str(spec.seed), '--rate', '0.5',
                '--out', out)
            expected = reference.run_step(spec, dataset, values, step,
                                          spec.seed, 0.5)
            found = safetensors.load(out)
            for key in ('loss', 'rows/pairs', 'rows/item'):
                self.assertIn(key, found)
            self.assertTrue(any(key.startswith('gradient/') for key in found))
            for key, value in found.items():
                self.close_to(f'{key} at {step}', value, expected[key])

    def close_to(self, name, found, expected):
        limit = 0
        if np.asarray(expected).dtype.kind == 'f':
            limit = 1e-6 + 1e-6 * np.abs(expected).max(initial=0)
        away = np.abs(np.asarray(found, float) - expected).max(initial=0)
        self.assertLessEqual(away, limit, name)


if __name__ == '__main__':
    unittest.main()
