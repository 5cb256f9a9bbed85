# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Wrong calls of towerc: one message, the exit code, and no file left."""
import os

from harness import SPECS, TOWERC, Case, data, spec


class Towerc(Case):
    def refused(self, code, message, *arguments, **options):
        """The folder is as empty as before."""
        outcome = self.fails(code, message, TOWERC, *arguments,
                             cwd=self.folder, **options)
        self.assertEqual(os.listdir(self.folder), [])
        return outcome

    def compile(self, *more, name='numbers'):
        return (spec(name), '--data', data(name), *more)

    def test_output_that_cannot_be_written(self):
        for stage in ('model', 'asm', 'obj', 'lib', 'exe'):
            with self.subTest(stage):
                self.refused(1, 'error: cannot write none/x: No such file or '
                             'directory', *self.compile(f'--emit={stage}',
                                                        '-o', 'none/x'))
                self.refused(1, 'Is a directory', *self.compile(
                    f'--emit={stage}', '-o', self.folder))
        self.refused(1, 'No space left', *self.compile(
            '--emit=dataflow', '-o', '/dev/full'))

    def test_an_old_output_survives_a_failure(self):
        old = self.path('exe')
        with open(old, 'w') as file:
            file.write('old')
        environment = dict(os.environ, PATH='/nonexistent')
        self.fails(1, 'error: no c++ on PATH', TOWERC,
                   *self.compile('-o', old), env=environment)
        self.assertEqual(os.listdir(self.folder), ['exe'])
        with open(old) as file:
            self.assertEqual(file.read(), 'old')

    def test_a_broken_linker(self):
        tools = self.path('tools')
        os.mkdir(tools)
        with open(os.path.join(tools, 'c++'), 'w') as file:
            file.write('#!/bin/sh\necho out of order >&2\nexit 3\n')
        os.chmod(file.name, 0o755)
        outcome = self.fails(
            1, 'error: linking failed: c++', TOWERC,
            *self.compile('-o', self.path('exe')),
            env=dict(os.environ, PATH=f'{tools}:/usr/bin:/bin'))
        self.assertIn('out of order', outcome.stderr)
        self.assertEqual(os.listdir(self.folder), ['tools'])

    def test_flags(self):
        self.refused(1, "--cpu: 'abacus' is unknown; allowed are native",
                     *self.compile('--cpu', 'abacus'))
        self.refused(2, "Cannot find option named 'gold'", *self.compile(
            '--emit=gold'))
        self.refused(2, 'Unknown command line argument', *self.compile(
            '--fly'))
        self.refused(2, "--memory-budget: 'much' is no size; write 512MiB",
                     *self.compile('--memory-budget=much'))

    def test_a_budget_of_memory(self):
        done = self.refused(
            1, r'a training step needs at least ',
            *self.compile('--memory-budget=1kB'))
        self.assertRegex(done.stderr, r':\d+:\d+: error: .* needs at least '
                         r'\d+ bytes of memory for its intermediates, and '
                         r'--memory-budget allows 1000: ')
        self.succeeds(TOWERC, *self.compile(
            '--memory-budget=0.5GiB', '--emit=planned', '-o', '/dev/null'))
        self.refused(1, 'error: --disable: there is no optimization '
                     'everything; there are distinct-rows, ',
                     *self.compile('--disable=everything'))
        self.refused(2, 'Must specify at least 1 positional argument')
        self.refused(2, 'Too many positional arguments', *self.compile(
            'another'))

    def test_files_that_are_not_there(self):
        self.refused(1, 'none.txtpb: error: cannot be opened: No such file',
                     'none.txtpb')
        self.refused(1, 'error: is a folder; a text file', self.folder)
        self.refused(1, 'none/schema.txtpb: error: is not there', *(
            spec('numbers'), '--data', 'none'))
        for name in SPECS:
            other = 'packages' if SPECS[name] == 'shop' else 'shop'
            self.refused(1, 'schema.txtpb', spec(name), '--data',
                         os.path.join(os.path.dirname(data(name)), other))


class Data(Towerc):
    def test_usage(self):
        for arguments, message in [
                ((), 'towerc data needs a command: import or mi'),
                (('fly',), 'unknown command data fly'),
                (('import',), 'data import needs a schema'),
                (('import', 'x'), 'data import needs --out FOLDER'),
                (('import', 'x', '--fly'), 'does not know --fly'),
                (('import', 'x', 'y', '--out', 'z'), 'takes one schema'),
                (('mi',), "data mi needs a dataset's folder")]:
            with self.subTest(arguments):
                self.refused(2, message, 'data', *arguments)
        self.assertIn('usage: towerc data import', self.succeeds(
            TOWERC, 'data', '--help').stdout)

    def test_files_that_are_not_there(self):
        self.refused(1, 'none: error: cannot be opened', 'data', 'import',
                     'none', '--out', 'made')
        self.refused(1, 'none: is not a dataset', 'data', 'mi', 'none')
        self.refused(1, 'nobody', 'data', 'mi', data('numbers'), '--entity',
                     'nobody')
