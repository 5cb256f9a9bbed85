# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels of a GPU: what PTX says, and what the assembler says of it, where
the CUDA toolkit is."""
import os
import re
import shutil
import unittest

from harness import SPECS, TOWERC, Case, built, data, run, spec

PTXAS = os.environ['PTXAS']  # as CMake found it, unless it was told not to
WANTED = os.environ['TOOLKIT_WANTED'] == '1'
HERE = os.path.dirname(os.path.abspath(__file__))


def kind(kernel):
    """The op that a kernel is of, or the first one: train_step_take_0 is of
    take, and so is train_step_take_0_and_2_more_1."""
    return re.sub(r'^(train_step|embed_queries|embed_items|score)_'
                  r'|_\d+(_and_\d+_more_\d+)?$', '', kernel)


def limits():
    """By kind: registers of a thread and bytes of shared memory."""
    with open(os.path.join(HERE, 'kernels.txt')) as file:
        rows = [line.split() for line in file if not line.startswith('#')]
    return {name: (int(registers), int(shared))
            for name, registers, shared in rows}


def kernels(text):
    """The kernels of PTX: (name, text)."""
    for part in text.split('.visible .entry ')[1:]:
        yield part.split('(')[0], part


def report(text):
    """What ptxas -v says: (kernel, spilled bytes, registers, shared)."""
    for part in text.split("Compiling entry function '")[1:]:
        spills = [int(n) for n in re.findall(
            r'(\d+) bytes (?:stack frame|spill stores|spill loads)', part)]
        shared = re.search(r'(\d+) bytes smem', part)
        yield (part.split("'")[0], sum(spills),
               int(re.search(r'Used (\d+) registers', part).group(1)),
               int(shared.group(1)) if shared else 0)


class Kernels(Case):
    def test_ptx(self):
        for spec_name in SPECS:
            with self.subTest(spec_name), open(built(spec_name, 'ptx')) as file:
                text = file.read()
                self.assertIn('.visible .entry train_step_', text)
                # All in registers; nothing called that nobody defines.
                self.assertNotIn('.local', text)
                self.assertNotIn('.extern', text)
                self.assertNotRegex(text, r'\bcall\b')
                # Products share tiles, sums of rows shuffle.
                for used in ('ld.shared', 'bar.sync', 'shfl.sync.bfly',
                             'bar.warp.sync'):
                    self.assertIn(used, text)
                # What threads claim is claimed on the device alone.
                self.assertRegex(text, r'atom\.(relaxed\.gpu\.)?global')
                self.assertNotIn('.sys.', text)
                # Tensor cores, copies and stores of 16 bytes.
                for name, body in kernels(text):
                    if 'mma.sync' in body:
                        self.assertIn('cp.async.c', body, name)
                        self.assertIn('cp.async.wait_group', body, name)
                wide = {'mma.sync.aligned.m16n8k8.row.col.f32.tf32',
                        'cp.async.cg.shared.global', 'ld.shared.v2.b32',
                        'ld.global.v4.b32', 'st.global.v4.b32'}
                missing = {used for used in wide if used not in text}
                # Rows of 3, 5 and 10 numbers have no part of 16 bytes.
                narrow = {'cp.async.cg.shared.global', 'st.global.v4.b32'}
                self.assertLessEqual(
                    missing, narrow if spec_name == 'numbers' else set())

    def test_memory_grows_with_the_batch_alone(self):
        """A square of it would be 16 times as much."""
        def planned(batch):
            done = self.succeeds(TOWERC, spec('two_ssl'), '--data',
                                 data('two_ssl'), '--set',
                                 f'training.batch={batch}', '--emit=gpu',
                                 '--print-plan', '-o', self.path('kernels'))
            return int(re.search(r'train_step: peak (\d+) bytes',
                                 done.stdout + done.stderr).group(1))
        self.assertLess(planned(240), 4 * planned(60))

    @unittest.skipUnless(PTXAS, 'no CUDA toolkit here: kernels not assembled')
    def test_assembled(self):
        allowed = limits()
        for name in ('debian_like', 'two_ssl', 'numbers'):
            for sm in ('80', '90'):
                done = self.succeeds(PTXAS, '-v', f'-arch=sm_{sm}',
                                     built(name, 'ptx'), '-o',
                                     self.path('cubin'))
                found = list(report(done.stdout + done.stderr))
                self.assertGreater(len(found), 10)
                for kernel, spilled, registers, shared in found:
                    with self.subTest(spec=name, sm=sm, kernel=kernel):
                        self.assertEqual(spilled, 0)
                        most = allowed.get(kind(kernel), (64, 0))
                        self.assertLessEqual(registers, most[0])
                        self.assertLessEqual(shared, most[1])

    @unittest.skipUnless(PTXAS, 'no CUDA toolkit here: kernels not assembled')
    def test_cubin(self):
        cubin = self.path('x.cubin')
        self.succeeds(TOWERC, spec('numbers'), '--data', data('numbers'),
                      '--emit=cubin', '-o', cubin)
        with open(cubin, 'rb') as file:
            self.assertEqual(file.read(4), b'\x7fELF')

    @unittest.skipUnless(WANTED, 'built without the CUDA toolkit')
    def test_a_toolkit_is_not_overlooked(self):
        found = shutil.which('ptxas') or shutil.which(
            'ptxas', path='/usr/local/cuda/bin')
        if found:
            self.assertTrue(PTXAS, f'there is {found} now: configure again')

    def test_without_a_toolkit(self):
        model = (spec('numbers'), '--data', data('numbers'))
        hidden = {**os.environ, 'TOWER_CUDA_TOOLKIT': ''}
        found = run(TOWERC, *model, '--emit=cubin', '-o', self.path('x.cubin'),
                    env=hidden)
        self.assertNotEqual(found.returncode, 0)
        self.assertIn('there is no ptxas', found.stderr)
        self.assertFalse(os.path.exists(self.path('x.cubin')))
        # A program has PTX then, which drivers assemble.
        said = self.succeeds(TOWERC, *model, '--target=both', '-o',
                             self.path('x'), '--explain', env=hidden).stdout
        self.assertRegex(said, r'(?m)^  train_step_\S+ +\d+ +\d+ +\S+ +-  ')
        self.assertEqual(self.images(self.path('x')), 'any as PTX')

    @unittest.skipUnless(PTXAS, 'no CUDA toolkit here: kernels not assembled')
    def test_with_a_toolkit(self):
        said = self.succeeds(TOWERC, spec('numbers'), '--data',
                             data('numbers'), '--target=both', '-o',
                             self.path('x'), '--explain').stdout
        self.assertRegex(said,
                         r'(?m)^  train_step_\S+ +\d+ +\d+ +\S+ +\d+  ')
        self.assertIn('sm_90', self.images(self.path('x')))

    def images(self, exe):
        said = self.succeeds(exe, 'info').stdout
        return re.search(r'GPU: code for (.*)', said).group(1)


if __name__ == '__main__':
    unittest.main()
