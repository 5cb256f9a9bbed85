# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""--device: a program for both trains on the CPU and on a simulated GPU
(test/gpu/driver) alike, and says what goes wrong there."""
import json
import os
import sys
import tarfile

import numpy as np

from harness import (ROOT, TOWERC, Case, built, data, loading_libraries,
                     spec)
from test_processors import tensors

BOTH = ('numbers', 'two_ssl')
STEPS = '50'


class Gpu(Case):
    def setUp(self):
        super().setUp()
        self.cpu = {**os.environ, 'TOWER_DEVICE': 'cpu'}

    def compiled(self, name, target='both'):
        """A program, and the environment in which it finds a GPU."""
        exe, forms = self.path(f'{name}.{target}'), self.path(f'{name}.so')
        self.succeeds(TOWERC, spec(name), '--data', data(name),
                      f'--target={target}', '-o', exe)
        return exe, self.simulated(built(name, 'gpu'), forms)

    def simulated(self, kernels, forms):
        """An environment with a GPU that runs these kernels."""
        self.succeeds(os.environ['HOST_FORMS'], kernels, '-o',
                      self.path('forms.o'))
        self.succeeds(os.environ['CC'], '-shared', '-o', forms,
                      self.path('forms.o'), '-lm')
        return {**os.environ, 'TOWER_SIMULATED_KERNELS': forms,
                'TOWER_CUDA_DRIVER': os.environ['SIMULATED_CUDA']}

    def train(self, exe, name, checkpoint, env, *flags):
        return self.succeeds(
            exe, 'train', '--data', data(name), '--checkpoint',
            self.path(checkpoint), '--quiet', *flags, env=env)

    def losses(self, folder):
        """Of each step that was written, by name."""
        with open(self.path(folder, 'train.jsonl')) as file:
            lines = [json.loads(line) for line in file]
        return [line['loss'] for line in lines if 'loss' in line]

    def alike(self, one, other):
        one, other = tensors(self.path(one)), tensors(self.path(other))
        self.assertEqual(one.keys(), other.keys())
        for tensor, values in one.items():
            # A square is off by twice what its number is off by.
            squares = tensor.endswith(('adagrad', 'adam/v'))
            with self.subTest(tensor):
                np.testing.assert_allclose(
                    other[tensor], values, rtol=2e-3 if squares else 1e-3,
                    atol=1e-4)

    def test_both_train_alike_and_checkpoints_cross_over(self):
        for name in BOTH:
            exe, gpu = self.compiled(name)
            for device, env in (('cpu', self.cpu), ('gpu', gpu)):
                said = self.train(exe, name, f'{name}.{device}', env,
                                  '--steps', STEPS, '--metrics',
                                  self.path(device)).stderr
                self.assertNotIn('note', said)
            cpu, found = self.losses('cpu'), self.losses('gpu')
            self.assertEqual(len(found), int(STEPS))
            np.testing.assert_allclose(found, cpu, rtol=1e-3)
            self.alike(f'{name}.cpu', f'{name}.gpu')
            # Rates depend on the length, so a run that never crosses over
            # is what those that do are compared with.
            for run, first, then in (('plain', self.cpu, self.cpu),
                                     ('up', self.cpu, gpu),
                                     ('down', gpu, self.cpu)):
                self.train(exe, name, f'{name}.{run}', first, '--steps', '20')
                self.train(exe, name, f'{name}.{run}', then, '--resume',
                           '--steps', STEPS)
            self.alike(f'{name}.plain', f'{name}.up')
            self.alike(f'{name}.plain', f'{name}.down')
            self.answers(exe, name, gpu)

    def answers(self, exe, name, gpu):
        """Embeddings and figures of the same checkpoint."""
        model = ('--data', data(name), '--checkpoint',
                 self.path(f'{name}.cpu'))
        found = {}
        for device, env in (('cpu', self.cpu), ('gpu', gpu)):
            for side in ('items', 'queries'):
                path = self.path(f'{device}.{side}.npy')
                self.succeeds(exe, 'embed', *model, '--side', side, '--out',
                              path, env=env)
                found[device, side] = np.load(path)
            told = self.succeeds(exe, 'evaluate', *model, '--json', env=env)
            found[device, 'figures'] = json.loads(told.stdout)['results'][0]
        for side in ('items', 'queries'):
            np.testing.assert_allclose(found['gpu', side], found['cpu', side],
                                       rtol=1e-3, atol=1e-5)
        self.assertEqual(found['gpu', 'figures'], found['cpu', 'figures'])

    def test_faults_leave_the_last_checkpoint(self):
        name = BOTH[0]
        exe, gpu = self.compiled(name)
        for fault, message in (
                ('alloc:2', 'CUDA_ERROR_OUT_OF_MEMORY'),
                ('launch:20', 'cannot launch the kernel '),
                ('sticky:600', 'The last checkpoint is whole: go on from it '
                 'with --resume'),
                ('lost:600', 'CUDA_ERROR_ECC_UNCORRECTABLE'),
                ('old-driver', 'is of CUDA 11.4, but 12.0 is needed'),
                ('no-device', 'CUDA_ERROR_NO_DEVICE')):
            with self.subTest(fault):
                path = self.path(fault)
                flags = ('train', '--data', data(name), '--checkpoint', path,
                         '--quiet', '--steps', '30', '--validate-every', '5')
                self.fails(1, message, exe, *flags, '--device=cuda',
                           env={**gpu, 'TOWER_SIMULATED_FAULT': fault})
                if os.path.exists(path):
                    self.succeeds(exe, 'info', '--checkpoint', path)
                    self.succeeds(exe, *flags, '--resume', env=self.cpu)
                self.assertEqual(fault.split(':')[0] in ('old-driver',
                                                         'no-device'),
                                 not os.path.exists(path))

    def test_no_driver(self):
        name = BOTH[0]
        exe, gpu = self.compiled(name)
        none = {**gpu, 'TOWER_CUDA_DRIVER': '/nowhere/libcuda.so.1'}
        said = self.train(exe, name, 'x', none, '--steps', '2').stderr
        self.assertIn('note: running on the CPU: there is no NVIDIA driver: '
                      "cannot open '/nowhere/libcuda.so.1'", said)
        self.fails(1, 'there is no NVIDIA driver', exe, 'train', '--data',
                   data(name), '--checkpoint', self.path('y'),
                   '--device=cuda', env=none)

    def test_a_program_for_one_device(self):
        name = BOTH[0]
        self.fails(1, "'numbers' has no code for a GPU: compile it with "
                   'towerc --target=cuda', built(name), 'train', '--data',
                   data(name), '--checkpoint', self.path('x'),
                   '--device=cuda')
        exe, gpu = self.compiled(name, 'cuda')
        self.assertIn('GPU: code for any as PTX',
                      self.succeeds(exe, 'info').stdout)
        self.fails(1, "'numbers' was compiled for a GPU only", exe, 'train',
                   '--data', data(name), '--checkpoint', self.path('x'),
                   env=self.cpu)
        self.train(exe, name, 'x', gpu, '--steps', '2')
        self.fails(2, "flag '--device' is 'tpu', but must be auto|cpu|cuda",
                   exe, 'train', '--device', 'tpu')

    def test_a_bundle_runs_and_reports(self):
        archive, kernels = self.path('bundle.tar.xz'), self.path('k.mlir')
        model = (spec('numbers'), '--data', data('numbers'))
        self.succeeds(sys.executable, os.path.join(ROOT, 'test/gpu/bundle'),
                      '--towerc', TOWERC, '--spec', model[0], *model[1:],
                      '--batches', '16', '--models', '1', '--out', archive,
                      env=loading_libraries())
        with tarfile.open(archive) as file:
            file.extractall(self.folder)
        oracle = self.path('towerc-gpu', 'oracle')
        for name in os.listdir(oracle):
            self.add_forms(os.path.join(oracle, name))
        self.succeeds(TOWERC, *model, '--set', 'training.batch=16',
                      '--emit=gpu', '-o', kernels)
        gpu = self.simulated(kernels, self.path('forms.so'))
        done = self.succeeds(
            self.path('towerc-gpu', 'run'), '--steps', '6', '--timed-steps',
            '4', '--no-sanitizer', env=gpu)
        self.assertIn('losses of 6 steps as on the CPU', done.stdout)
        self.assertRegex(done.stdout, r'ok +model-\d+: 3 steps as the oracle')
        with open(self.path('towerc-gpu', 'report.json')) as file:
            report = json.load(file)
        self.assertEqual(len(report['checks']), 4)
        self.assertEqual(report['times'][0]['batch'], 16)
        # Each kernel takes a simulated millisecond.
        self.assertGreater(len(report['kernels']), 10)
        for kernel in report['kernels']:
            self.assertEqual(kernel['microseconds'], 1000)
            self.assertGreater(kernel['bytes_a_second'], 0)

    def add_forms(self, folder):
        """What a simulated GPU runs of the model in that folder."""
        text, kernels = self.path('spec.txtpb'), self.path('oracle.mlir')
        with open(text, 'w') as file:
            file.write(self.succeeds(os.path.join(folder, 'model'), 'info',
                                     '--spec').stdout)
        self.succeeds(TOWERC, text, '--data', os.path.join(folder, 'data'),
                      '--emit=gpu', '-o', kernels)
        self.simulated(kernels, os.path.join(folder, 'forms.so'))
