# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""--cpu: programs for AVX2, for AVX-512 and for both train alike; what does
not run here says so."""
import json
import os

import numpy as np

from harness import TOWER_OPT, TOWERC, Case, data, run, spec
from test_symbols import ALLOWED

V3, V4 = 'x86-64-v3', 'x86-64-v4'


def has(*features):
    with open('/proc/cpuinfo') as file:
        flags = next(line for line in file if line.startswith('flags'))
    return set(features) <= set(flags.split())


# What of both this machine can run.
RUNNABLE = [V3] + [V4] * has('avx512f', 'avx512bw', 'avx512cd', 'avx512dq',
                             'avx512vl')


def tensors(path):
    """Those of a checkpoint, by name."""
    with open(path, 'rb') as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), 'little')))
        block = file.read()
    return {name: np.frombuffer(block, np.float32, offset=at['data_offsets'][0],
                                count=(at['data_offsets'][1] -
                                       at['data_offsets'][0]) // 4)
            for name, at in header.items() if name != '__metadata__'}


class Processors(Case):
    def compiled(self, cpu, name='numbers', stage='exe'):
        path = self.path(f'{name}.{cpu}.{stage}')
        self.succeeds(TOWERC, spec(name), '--data', data(name), f'--cpu={cpu}',
                      f'--emit={stage}', '-o', path)
        return path

    def trained(self, exe, name, forced=None):
        checkpoint = self.path('checkpoint')
        environment = {**os.environ, 'TOWER_CPU': forced} if forced else None
        self.succeeds(exe, 'train', '--data', data(name), '--checkpoint',
                      checkpoint, '--epochs', '2', '--overwrite', '--quiet',
                      env=environment)
        return tensors(checkpoint)

    def test_all_train_alike(self):
        for name in ('numbers', 'two_ssl'):
            multi = self.compiled('multi', name)
            models = [self.trained(self.compiled(cpu, name), name)
                      for cpu in RUNNABLE]
            models += [self.trained(multi, name, cpu) for cpu in RUNNABLE]
            models.append(self.trained(multi, name))
            for other in models[1:]:
                self.assertEqual(models[0].keys(), other.keys())
                for tensor, values in models[0].items():
                    with self.subTest(spec=name, tensor=tensor):
                        np.testing.assert_allclose(other[tensor], values,
                                                   rtol=1e-3, atol=1e-5)

    def test_the_choice(self):
        multi = self.compiled('multi')
        best = RUNNABLE[-1]
        told = self.succeeds(multi, 'info').stdout
        self.assertIn(f'({V4}, {V3})', told)
        self.assertIn(f'this machine runs the code for {best}\n', told)
        for cpu in RUNNABLE:
            told = self.succeeds(multi, 'info', env={'TOWER_CPU': cpu}).stdout
            self.assertIn(f'this machine runs the code for {cpu}\n', told)
        self.fails(1, f"TOWER_CPU is 'abacus', but 'numbers' was compiled for "
                   f'{V4}, {V3}\n', multi, 'train', '--data', data('numbers'),
                   '--checkpoint', self.path('x'), env={'TOWER_CPU': 'abacus'})

    def test_a_processor_of_another_maker_is_refused(self):
        # Each has something that no machine of the other's maker has.
        other = 'sapphirerapids' if has('sse4a') else 'znver4'
        exe = self.compiled(other)
        for command in (('train', '--checkpoint', self.path('x')),
                        ('evaluate', '--checkpoint', self.path('x'))):
            outcome = self.fails(
                1, f"'numbers' was compiled for {other}, but this machine's "
                'processor lacks ', exe, *command, '--data', data('numbers'))
            self.assertEqual(outcome.stderr.count('\n'), 1)
        self.assertIn('processor: ', self.succeeds(exe, 'info').stdout)
        self.assertFalse(os.path.exists(self.path('x')))

    def test_products_follow_the_target(self):
        tiles = {V3: '@tower_product_6x16', V4: '@tower_product_12x32'}
        for cpu in tiles:
            with open(self.compiled(cpu, 'debian_like', 'planned')) as file:
                text = file.read()
            self.assertEqual([tile in text for tile in tiles.values()],
                             [tile == cpu for tile in tiles])

    def test_stages_of_both(self):
        planned = self.compiled('multi', stage='planned')
        self.succeeds(TOWER_OPT, '--split-input-file', planned, '-o',
                      os.devnull)
        self.succeeds(os.environ['CC'], '-c', '-x', 'assembler',
                      self.compiled('multi', stage='asm'), '-o',
                      self.path('x.o'))
        code = self.compiled('multi', stage='obj')

        def symbols(*flags):
            lines = self.succeeds('nm', *flags, code).stdout.splitlines()
            return {line.split()[-1] for line in lines}
        self.assertEqual(symbols('-g', '--defined-only'), {'tower_program'})
        self.assertEqual(symbols('-u') - ALLOWED, set())

    def test_the_least_processor(self):
        outcome = run(TOWERC, spec('numbers'), '--data', data('numbers'),
                      '--cpu=x86-64-v2', '-o', self.path('x'))
        self.assertEqual(outcome.returncode, 1)
        self.assertIn('--cpu: x86-64-v2 has no AVX2 with FMA', outcome.stderr)
        self.assertEqual(os.listdir(self.folder), [])
