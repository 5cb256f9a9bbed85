# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The Debian example's model on a simulated GPU, step by step as on the CPU.

A simulated GPU is slow: by default the model has a quarter of its widths, a
batch of 64, made up data of the archive's sizes, and few steps. Environment:
TOWER_GPU_STEPS=300 takes more steps; TOWER_GPU_FULL=1 adds one step of the
model as it is; TOWER_GPU_DATA=FOLDER takes the archive's data
(build/examples/debian/data, which examples/debian/run makes).
"""
import json
import os
import time

import numpy as np

import debian_data
from harness import ROOT, TOWERC, Case

SPEC = os.path.join(ROOT, 'examples', 'debian', 'rfm.txtpb')
TABLES = {'section': 16, 'source': 64, 'maintainer': 32, 'priority': 4,
          'architecture': 4, 'tags': 32, 'name_words': 64,
          'synopsis_words': 64}
QUARTER = ['training.batch=64'] + [
    f'tables[{name}].dim={dim // 4}' for name, dim in TABLES.items()] + [
    f'towers[{tower}].layers[{layer}].units={units // 4}'
    for tower in ('query', 'item') for layer, units in enumerate((512, 128))]
STEPS = os.environ.get('TOWER_GPU_STEPS', '20')


class GpuTraining(Case):
    def setUp(self):
        super().setUp()
        self.data = self.path('data')
        real = os.environ.get('TOWER_GPU_DATA')
        if real:
            debian_data.without_validation(real, self.data)
        else:
            debian_data.write(self.data)

    def follows(self, changes, steps):
        """Losses of each step as on the CPU; the seconds that they took."""
        flags = [text for change in changes for text in ('--set', change)]
        exe, kernels = self.path('model'), self.path('model.mlir')
        self.succeeds(TOWERC, SPEC, '--data', self.data, *flags,
                      '--target=both', '-o', exe,
                      env={**os.environ, 'TOWER_CUDA_TOOLKIT': ''})
        self.succeeds(TOWERC, SPEC, '--data', self.data, *flags,
                      '--emit=gpu', '-o', kernels)
        self.succeeds(os.environ['HOST_FORMS'], kernels, '-o',
                      self.path('forms.o'))
        self.succeeds(os.environ['CC'], '-shared', '-o',
                      self.path('forms.so'), self.path('forms.o'), '-lm')
        gpu = {**os.environ, 'TOWER_DEVICE': 'cuda',
               'TOWER_SIMULATED_KERNELS': self.path('forms.so'),
               'TOWER_CUDA_DRIVER': os.environ['SIMULATED_CUDA']}
        losses, seconds = {}, {}
        for device, env in (('cpu', {**os.environ, 'TOWER_DEVICE': 'cpu'}),
                            ('gpu', gpu)):
            started = time.monotonic()
            self.succeeds(exe, 'train', '--data', self.data, '--checkpoint',
                          self.path(device), '--quiet', '--steps', steps,
                          '--seed', '1', '--metrics',
                          self.path(f'{device}.metrics'), '--validate-every',
                          '1000000', env=env, timeout=7200)
            seconds[device] = time.monotonic() - started
            with open(self.path(f'{device}.metrics', 'train.jsonl')) as file:
                lines = [json.loads(line) for line in file]
            losses[device] = [[line[name] for name in sorted(line)
                               if name.startswith('loss')]
                              for line in lines if 'loss' in line]
        self.assertEqual(len(losses['cpu']), int(steps))
        np.testing.assert_allclose(losses['gpu'], losses['cpu'], rtol=1e-3)
        away = np.max(np.abs(np.divide(losses['gpu'], losses['cpu']) - 1))
        print(f'\n{steps} steps: losses at most {away:.1e} away; '
              f"{seconds['gpu']:.0f} s, {seconds['cpu']:.1f} on the CPU")

    def test_a_quarter_of_the_model(self):
        self.follows(QUARTER, STEPS)

    def test_the_whole_model(self):
        if not os.environ.get('TOWER_GPU_FULL'):
            self.skipTest('one step of the whole model: TOWER_GPU_FULL=1')
        self.follows([], '1')
