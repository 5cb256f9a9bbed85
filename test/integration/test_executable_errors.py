# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Wrong input to executables: one message and the exit code of each."""
import json
import os
import shutil

import numpy as np

from harness import TOWERC, Case, built, data, run, spec


class Executables(Case):
    """With the spec debian_like, unless a test says otherwise."""

    def train(self, folder=None, name='debian_like', checkpoint='model',
              flags=('--steps', '5')):
        return (built(name), 'train', '--data', folder or data(name),
                '--checkpoint', self.path(checkpoint), *flags)

    def copied(self):
        """The data, to be spoiled: a folder without the stamp of its
        check."""
        folder = self.path('data')
        shutil.copytree(data('debian_like'), folder)
        return folder

    def spoil(self, column, change):
        """The data with a changed column, and that column's path."""
        folder = self.copied()
        path = os.path.join(folder, column)
        values = np.load(path)
        change(values)
        np.save(path, values)
        return folder, path

    def refused(self, message, folder):
        self.fails(1, message, *self.train(folder))
        self.assertFalse(os.path.exists(self.path('model')))


class CommandLine(Executables):
    def test_commands_and_flags(self):
        exe = built('debian_like')
        self.fails(2, "unknown command 'fly'", exe, 'fly')
        self.fails(2, 'Usage: ', exe)
        for command in ('train', 'evaluate', 'recommend', 'embed', 'info'):
            with self.subTest(command):
                self.fails(2, "unknown flag '--wings'", exe, command,
                           '--wings')
                self.assertIn('--', self.succeeds(exe, command,
                                                  '--help').stdout)
        self.fails(2, "flag '--data' is missing", exe, 'train')
        self.fails(2, "flag '--epochs' is 'many'", exe, 'train', '--epochs',
                   'many')

    def test_folders(self):
        self.fails(1, 'is not a dataset', *self.train(self.path('none')))
        self.fails(1, 'cannot be written', *self.train(
            checkpoint='none/model'))


class Checkpoints(Executables):
    def setUp(self):
        super().setUp()
        self.succeeds(*self.train())

    def test_missing(self):
        for command in ('evaluate', 'recommend', 'embed'):
            more = {'recommend': ('--query', 'package1'), 'evaluate': (),
                    'embed': ('--side', 'items', '--out', self.path('out'))}
            self.fails(1, f"{self.path('none')}: cannot be opened",
                       built('debian_like'), command, '--data',
                       data('debian_like'), '--checkpoint',
                       self.path('none'), *more[command])
        self.assertFalse(os.path.exists(self.path('out')))

    def test_truncated(self):
        with open(self.path('model'), 'rb') as file:
            whole = file.read()
        header = int.from_bytes(whole[:8], 'little')
        for size in (0, 5, 8, 100, 8 + header, len(whole) // 2,
                     len(whole) - 1):
            with self.subTest(size=size):
                with open(self.path('model'), 'wb') as file:
                    file.write(whole[:size])
                self.fails(1, 'is not a complete checkpoint',
                           built('debian_like'), 'evaluate', '--data',
                           data('debian_like'), '--checkpoint',
                           self.path('model'))
                self.fails(1, 'is not a complete checkpoint', *self.train(
                    flags=('--steps', '9', '--resume')))
                # Neither was it repaired or replaced.
                self.assertEqual(os.path.getsize(self.path('model')), size)

    def test_another_shape(self):
        self.fails(1, 'belongs to a model of another shape', *self.train(
            name='two_ssl', flags=('--resume',)))

    def test_other_data(self):
        def change(values):
            values[3] += 1
        folder, _ = self.spoil('package/size.npy', change)
        flags = ('--steps', '9', '--resume')
        self.fails(1, 'was trained on other data', *self.train(
            folder, flags=flags))
        self.succeeds(*self.train(folder, flags=(
            *flags, '--accept-other-data')))

    def test_not_overwritten_unless_asked(self):
        with open(self.path('model'), 'rb') as file:
            before = file.read()
        self.fails(1, f"checkpoint '{self.path('model')}' is there already: "
                   'go on from it with --resume, or replace it with '
                   '--overwrite', *self.train())
        with open(self.path('model'), 'rb') as file:
            self.assertEqual(file.read(), before)
        self.succeeds(*self.train(flags=('--steps', '5', '--overwrite')))

    def test_resume_says_what_it_does_not_know(self):
        self.fails(1, 'was trained with seed 1, not 2', *self.train(
            flags=('--resume', '--seed', '2')))
        done = self.succeeds(*self.train(checkpoint='new', flags=(
            '--steps', '5', '--resume')))
        self.assertIn('there is no checkpoint', done.stderr)

    def test_unknown_query(self):
        self.fails(1, 'package999', built('debian_like'), 'recommend',
                   '--data', data('debian_like'), '--checkpoint',
                   self.path('model'), '--query', 'package999')


class Data(Executables):
    def test_not_numpy(self):
        folder = self.copied()
        path = os.path.join(folder, 'package', 'section.npy')
        with open(path, 'rb') as file:
            whole = file.read()
        spoiled = {'magic': b'X' + whole[1:], 'empty': b'',
                   'short': whole[:-4], 'long': whole + b'1234',
                   'header': whole[:30],
                   'type': whole.replace(b'<i4', b'<f4')}
        for name, content in spoiled.items():
            with self.subTest(name):
                with open(path, 'wb') as file:
                    file.write(content)
                self.refused(f'{path}: ', folder)
        os.remove(path)
        self.refused(path, folder)

    def test_ids(self):
        for wrong in (-1, 7, 2 ** 31 - 1):
            def change(values):
                values[42] = wrong
            folder, path = self.spoil('package/section.npy', change)
            self.refused(f'{path}: row 42: {wrong} is not in [0, 7)', folder)
            shutil.rmtree(folder)

    def test_pairs(self):
        def change(values):
            values[11] = 60
        folder, path = self.spoil('pairs/train.item.npy', change)
        self.refused(f'{path}: row 11: 60 is not in [0, 60)', folder)

    def test_offsets(self):
        def change(values):
            values[5] = values[4] - 1
        folder, path = self.spoil('package/tags.offsets.npy', change)
        self.refused(f'{path}: row 5: offsets decrease', folder)

    def test_numbers(self):
        for wrong in (np.nan, np.inf):
            def change(values):
                values[7] = wrong
            folder, path = self.spoil('package/size.npy', change)
            self.refused(f'{path}: row 7: {wrong} is not a finite number',
                         folder)
            shutil.rmtree(folder)

    def test_a_change_after_the_check_is_noticed(self):
        folder = self.copied()
        self.succeeds(*self.train(folder))
        os.remove(self.path('model'))
        path = os.path.join(folder, 'package', 'section.npy')
        values = np.load(path)
        values[0] = 99
        np.save(path, values)
        self.refused(f'{path}: row 0: 99', folder)

    def schema(self, folder, change):
        path = os.path.join(folder, 'schema.json')
        with open(path) as file:
            schema = json.load(file)
        change(schema)
        with open(path, 'w') as file:
            json.dump(schema, file)

    def test_a_vocabulary_outgrew_its_table(self):
        folder = self.copied()

        def grow(schema):
            for vocabulary in schema['vocabularies']:
                if vocabulary['name'] == 'section':
                    vocabulary['rows'] = 8
        self.schema(folder, grow)
        with open(os.path.join(folder, 'vocab', 'section.txt'), 'a') as file:
            file.write('new\n')
        outcome = self.fails(1, 'section', *self.train(folder))
        self.assertIn('towerc', outcome.stderr)  # what to type
        self.assertIn('rows: 8, ', outcome.stderr)

    def test_fewer_pairs_than_a_batch(self):
        folder = self.copied()

        def shrink(schema):
            for pairs in schema['pairs']:
                if pairs['split'] == 'train':
                    pairs['rows'] = 15
        self.schema(folder, shrink)
        for side in ('query', 'item'):
            path = os.path.join(folder, 'pairs', f'train.{side}.npy')
            np.save(path, np.load(path)[:15])
        self.refused('15 training pairs, fewer than a batch of 16', folder)

    def test_no_mutual_information(self):
        folder = self.copied()
        os.remove(os.path.join(folder, 'package', 'mi.json'))
        self.succeeds(*self.train(folder))
        self.fails(1, f'run `towerc data mi {folder}`', *self.train(
            folder, name='two_ssl', checkpoint='other'))
        self.assertFalse(os.path.exists(self.path('other')))

    def test_a_broken_schema(self):
        folder = self.copied()
        path = os.path.join(folder, 'schema.json')
        for text in ('', '{', '[]', '{"entities": 3}'):
            with open(path, 'w') as file:
                file.write(text)
            self.refused(path, folder)


class NotFinite(Executables):
    def test_training_stops_and_the_checkpoint_stays(self):
        exe, model = self.path('absurd'), self.path('model')
        self.succeeds(TOWERC, spec('numbers'), '--data', data('numbers'),
                      '--set', 'training.tables.sgd.rate=1e30', '--set',
                      'training.dense.sgd.rate=1e30', '--set',
                      'training.clip_norm=0', '-o', exe)
        outcome = self.fails(1, 'Training stopped', exe, 'train', '--data',
                             data('numbers'), '--checkpoint', model)
        self.assertRegex(outcome.stderr, r'step \d+: ')
        self.assertRegex(outcome.stderr, r"tensor.*'\w+/[\w/]+'")
        self.assertIn(f"'{model}' is as it was at step ", outcome.stderr)
        self.assertEqual(run(exe, 'info', '--checkpoint', model).returncode,
                         0)
        self.succeeds(exe, 'evaluate', '--data', data('numbers'),
                      '--checkpoint', model)
