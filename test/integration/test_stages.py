# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""--emit: every stage of every spec, what tower-opt and other tools think of
it, and that every op knows its line of the spec."""
import os
import re

from harness import (SPECS, TOWER_OPT, TOWERC, Case, built, data, run, spec)

LLVM_AS = os.path.join(os.environ['LLVM_TOOLS'], 'llvm-as')
FORMS = {'exe': b'\x7fELF', 'lib': b'\x7fELF', 'obj': b'\x7fELF'}


def locations(text):
    """Line and column of each #loc of a printed module."""
    found = re.findall(r'^(#loc\d*) = loc\("([^"]*)":(\d+):(\d+)\)', text,
                       re.MULTILINE)
    return {name: (file, int(line), int(column))
            for name, file, line, column in found}


class Stages(Case):
    def test_files(self):
        for name in SPECS:
            for stage, form in FORMS.items():
                with open(built(name, stage), 'rb') as file:
                    self.assertEqual(file.read(4), form, (name, stage))

    def test_mlir_stages_parse_again(self):
        for name in SPECS:
            for stage in ('model', 'dataflow', 'gradient', 'fused', 'linalg',
                          'planned', 'gpu', 'nvvm'):
                with self.subTest(spec=name, stage=stage):
                    again = self.path('again.mlir')
                    self.succeeds(TOWER_OPT, built(name, stage), '-o', again)
                    with open(again) as new, open(built(name, stage)) as old:
                        self.assertEqual(new.read().strip(),
                                         old.read().strip())

    def test_llvm_ir_and_assembly_are_accepted(self):
        for name in SPECS:
            with self.subTest(spec=name):
                self.succeeds(LLVM_AS, built(name, 'llvm'), '-o', os.devnull)
                self.succeeds(os.environ['CC'], '-c', '-x', 'assembler',
                              built(name, 'asm'), '-o', self.path('x.o'))

    def test_standard_output_is_the_file(self):
        text = self.succeeds(TOWERC, spec('numbers'), '--data',
                             data('numbers'), '--emit=dataflow').stdout
        with open(built('numbers', 'dataflow')) as file:
            self.assertEqual(file.read(), text)

    def test_no_stage_depends_on_the_time_or_the_place(self):
        other = self.path('again.o')
        self.succeeds(TOWERC, spec('numbers'), '--data', data('numbers'),
                      '--emit=obj', '-o', other)
        with open(built('numbers', 'obj'), 'rb') as old:
            with open(other, 'rb') as new:
                self.assertEqual(old.read(), new.read())

    def test_ir_changes_from_stage_to_stage(self):
        def text(stage):
            with open(built('two_ssl', stage)) as file:
                return file.read()
        self.assertNotIn('func.func', text('model'))
        self.assertIn('tower.gradient', text('dataflow'))
        self.assertNotIn('tower.gradient ', text('gradient'))
        self.assertIsNone(re.search(r'tower\.(lookup|linear)\b',
                                    text('linalg')))
        self.assertIn('memref.alloc(', text('linalg'))
        self.assertNotIn('memref.alloc(', text('planned'))

    def test_print_plan_and_timing(self):
        done = self.succeeds(TOWERC, spec('numbers'), '--data',
                             data('numbers'), '--emit=planned', '-o',
                             self.path('x'), '--print-plan', '--timing')
        self.assertIn('train_step: peak ', done.stdout)
        self.assertRegex(done.stderr, r'\bdifferentiate\b')
        self.assertRegex(done.stderr, r'\bplan\b')


    def test_explain(self):
        done = self.succeeds(TOWERC, spec('two_ssl'), '--data',
                             data('two_ssl'), '--emit=fused', '-o',
                             self.path('x'), '--explain')
        for table in ('distinct-rows', 'batch-towers',
                      'project-vocabularies', 'skip-masked', 'fuse-losses',
                      'fuse-epilogues', 'fuse-updates',
                      'recompute'):
            self.assertRegex(done.stdout, fr'(?m)^{table}$')
        self.assertRegex(done.stdout, r'(?m)^step: \S+.* operations of '
                         r'products, .* bytes of tensors read and written$')
        self.assertNotIn('bound: ', done.stdout)

    def test_explain_with_rates(self):
        def bound(rates):
            done = self.succeeds(TOWERC, spec('two_ssl'), '--data',
                                 data('two_ssl'), '--emit=fused', '-o',
                                 self.path('x'), '--explain',
                                 f'--rates={rates}')
            self.assertRegex(done.stdout, r'(?m)^  in all \S.* operations of '
                             r'products, .* ms \(')
            return re.search(r'(?m)^bound: \S+ ms '
                             r'\((\w+)\) -> \S+ ms \(\w+\) at (.*)$',
                             done.stdout).groups()
        self.assertEqual(bound('0.001,1000'),
                         ('products', '0.001 GFLOP/s and 1000 GB/s'))
        self.assertEqual(bound('1e6,0.001'),
                         ('memory', '1e+06 GFLOP/s and 0.001 GB/s'))
        for wrong in ('fast', '170', '170,30,1', '0,30'):
            self.fails(2, f'--rates={wrong} is not two positive numbers',
                       TOWERC, spec('two_ssl'), '--explain',
                       f'--rates={wrong}')

    def test_disable(self):
        def has(pattern, *more):
            text = self.succeeds(TOWERC, spec('two_ssl'), '--data',
                                 data('two_ssl'), '--emit=fused',
                                 *more).stdout
            return re.search(pattern, text) is not None
        relu = r'tower\.linear %\S+, %\S+ relu :'
        self.assertTrue(has(relu))
        self.assertFalse(has(relu, '--disable=fuse-epilogues'))
        self.assertTrue(has(r'tower\.unstack'))
        self.assertFalse(has(r'tower\.unstack',
                             '--disable=batch-towers,fuse-epilogues'))


class Lines(Case):
    def print(self, name, stage):
        return self.succeeds(TOWERC, spec(name), '--data', data(name),
                             f'--emit={stage}', '--mlir-print-debuginfo'
                             ).stdout

    def test_every_op_has_a_place_in_the_spec(self):
        for name in SPECS:
            with open(spec(name)) as file:
                lines = file.read().splitlines()
            for stage in ('model', 'dataflow'):
                with self.subTest(spec=name, stage=stage):
                    text = self.print(name, stage)
                    self.assertNotIn('loc(unknown)', text)
                    self.assertNotIn('loc(fused', text)
                    places = locations(text)
                    self.assertGreater(len(places), 5)
                    for file, line, column in places.values():
                        self.assertEqual(file, spec(name))
                        # A place is where a field's name begins.
                        self.assertRegex(lines[line - 1][column - 1:],
                                         r'^[a-z]')
                    for op in text.splitlines():
                        if re.match(r'\s+(%\S+ = )?tower\.', op):
                            self.assertRegex(op, r'loc\((#loc|")|\{$')

    def test_the_place_is_the_right_one(self):
        with open(spec('two_ssl')) as file:
            lines = file.read().splitlines()
        wanted = {
            'tower.table @word': 'tables { name: "word"',
            'tower.multi_feature @tags': 'features { name: "tags"',
            'tower.layer 10 relu': 'layers { units: 10',
            'tower.spread_out_loss @spread': 'losses { name: "spread"',
            'tower.training': 'training {'}
        text = self.print('two_ssl', 'model')
        places = locations(text)
        for op, source in wanted.items():
            with self.subTest(op=op):
                line = next(line for line in text.splitlines() if op in line)
                label = re.findall(r'loc\((#loc\d*)\)', line)[-1]
                _, number, column = places[label]
                self.assertTrue(lines[number - 1][column - 1:]
                                .startswith(source), lines[number - 1])

    def test_the_backward_pass_has_them_too(self):
        text = self.print('debian_like', 'gradient')
        self.assertNotIn('loc(unknown)', text)
        files = {file for file, _, _ in locations(text).values()}
        self.assertEqual(files, {spec('debian_like')})


class Options(Case):
    def test_help_and_version(self):
        self.assertRegex(run(TOWERC, '--version').stdout,
                         r'^towerc \d+\.\d+\.\d+\n$')
        text = run(TOWERC, '--help').stdout
        for flag in ('--cpu', '--data', '--emit', '-o', '--print-plan',
                     '--set', '--timing', 'towerc data import'):
            self.assertIn(flag, text)

    def test_the_usual_flags_of_mlir_work(self):
        done = self.succeeds(TOWERC, spec('numbers'), '--data',
                             data('numbers'), '--emit=gradient', '-o',
                             self.path('x'), '--mlir-print-ir-after-all')
        self.assertIn('IR Dump After Differentiate', done.stderr)
