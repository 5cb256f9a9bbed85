# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""examples/paper/paper.py on a tiny dataset: the same report twice, resumption, its figures, its errors."""
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy

from harness import ROOT, TOWERC, Case, data, spec

FOLDER = os.path.join(ROOT, 'examples', 'paper')
PROGRAM = os.path.join(FOLDER, 'paper.py')
ARMS = ['--arms', 'none,rfm', '--seeds', '2', '--slices', '50,100']
RUNS = 12  # on each of two slices: a grid of two for one arm, two seeds for both
sys.path.insert(0, FOLDER)
import figures  # noqa: E402
from dataset import Dataset  # noqa: E402


class Paper(Case):
    def setUp(self):
        super().setUp()
        self.definition = self.path('tiny.json')
        with open(self.definition, 'w', encoding='utf-8') as file:
            json.dump({'title': 'tiny data', 'note': 'Generated.', 'spec': spec('debian_like'),
                       'data': data('debian_like'),
                       'main': {'query': 'query', 'item': 'item', 'temperature': 0.1, 'logq': 'COUNTED'},
                       'evaluate': [], 'batch': 16, 'epochs': {'50': 4, '100': 4}}, file)

    def command(self, out, *flags):
        return (sys.executable, '-B', PROGRAM, '--dataset', self.definition, '--towerc', TOWERC, '--out',
                self.path(out), *ARMS, *flags)

    def reports(self, out):
        found = {}
        for name in sorted(os.listdir(self.path(out))):
            if name.endswith(('.md', '.html', '.svg')):
                with open(self.path(out, name), 'rb') as file:
                    found[name] = file.read()
        return found

    def results(self, out):
        folder = self.path(out, 'results')
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith('.json')]

    def test_two_runs_give_the_same_report_however_they_were_stopped(self):
        self.succeeds(*self.command('uncut', '--threads', '1'))
        uncut = self.reports('uncut')
        self.assertEqual(list(uncut), ['curves-100.svg', 'curves-50.svg', 'gains-100.svg', 'gains-50.svg',
                                       'mutual-information.svg', 'report.html', 'report.md'])
        self.assertEqual(len(self.results('uncut')), RUNS)

        # Compiled models are the same for the same data and losses.
        os.makedirs(self.path('cut', 'work'))
        for name in os.listdir(self.path('uncut', 'work')):
            if name.startswith('model-'):
                shutil.copy(self.path('uncut', 'work', name), self.path('cut', 'work'))
        process = subprocess.Popen(self.command('cut', '--threads', '2'), stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if line.startswith(f'[3/{RUNS}]'):
                break
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
        self.assertEqual(process.returncode, 130, said)
        self.assertIn('the same command goes on', said)
        made = len(self.results('cut'))
        self.assertLess(made, RUNS)
        rest = self.succeeds(*self.command('cut', '--threads', '2'))
        self.assertEqual(rest.stderr.count(' left)'), RUNS - made, rest.stderr)
        self.assertEqual(self.reports('cut'), uncut)

        self.figures_are_those_of_evaluate('cut')
        self.files_that_are_broken_are_named('cut')

    def figures_are_those_of_evaluate(self, out):
        dataset = Dataset(ROOT, self.definition)
        tested = 0
        for path in self.results(out):
            with open(path, encoding='utf-8') as file:
                result = json.load(file)
            if not result['run']['test']:
                continue
            tested += 1
            ranks = numpy.load(path.replace('.json', '.ranks.npy'))
            ours = figures.per_query(ranks, dataset.head)
            for metric in figures.METRICS:
                self.assertAlmostEqual(ours['overall', metric].figure(), result['figures'][metric], places=12)
            for group in ('head', 'tail'):
                self.assertAlmostEqual(ours[group, 'recall@50'].figure(), result['figures'][f'{group}_recall@50'],
                                       places=12)
        self.assertEqual(tested, 8)

    def files_that_are_broken_are_named(self, out):
        path = self.results(out)[0]
        for text in ('{"curve": [', '{"curve": []}', '[]'):
            with open(path, 'w', encoding='utf-8') as file:
                file.write(text)
            self.fails(1, f"'{path}' is not", *self.command(out))
        # A result that is removed is made again, and no other; nor does it count what programs leave in the data's folder.
        os.remove(path)
        stamp = os.path.join(data('debian_like'), '.paper-test')
        with open(stamp, 'w', encoding='utf-8'):
            self.addCleanup(os.remove, stamp)
        again = self.succeeds(*self.command(out))
        self.assertEqual(again.stderr.count(' left)'), 1, again.stderr)
        ranks = next(each for each in (path.replace('.json', '.ranks.npy') for path in self.results(out))
                     if os.path.exists(each))
        with open(ranks, 'wb') as file:
            file.write(b'nothing')
        self.fails(1, f"'{ranks}' cannot be read", *self.command(out))

    def test_wrong_use_is_said(self):
        self.fails(1, "there is no arm 'rmf'; allowed: none, fd,", *self.command('out', '--arms', 'none,rmf'))
        self.fails(1, 'has no epochs for 20 % of the pairs; allowed: 50, 100', *self.command('out', '--slices', '20'))
        self.fails(1, '--seeds must be 1 or more', *self.command('out', '--seeds', '0'))
        self.fails(1, "there is no dataset 'debain'", sys.executable, '-B', PROGRAM, '--dataset', 'debain')
        with open(self.definition, 'w', encoding='utf-8') as file:
            file.write('{"title": "x"}')
        self.fails(1, f"'{self.definition}' must have the fields batch, data,", *self.command('out'))

    def test_a_model_that_does_not_compile_is_shown(self):
        with open(self.definition, encoding='utf-8') as file:
            definition = json.load(file)
        definition['main']['query'] = 'nobody'
        with open(self.definition, 'w', encoding='utf-8') as file:
            json.dump(definition, file)
        self.fails(1, 'nobody', *self.command('out'))

    def test_average_precision_is_that_of_a_slow_computation(self):
        random = numpy.random.default_rng(3)
        head = random.random(40) < 0.3
        rows = []
        for query in range(0, 60, 3):
            items = random.choice(40, 5, replace=False)
            ranks = random.choice(30, 5, replace=False) + 1
            rows += [(query, item, rank if rank <= 20 else 0) for item, rank in zip(sorted(items), ranks)]
        table = numpy.array(rows)
        found = figures.per_query(table, head)
        for group, wanted in (('overall', lambda item: True), ('head', lambda item: head[item]),
                              ('tail', lambda item: not head[item])):
            slow = []
            for query in range(0, 60, 3):
                ranks = [rank for asked, item, rank in rows if asked == query and wanted(item)]
                hits = sorted(rank for rank in ranks if 0 < rank <= 10)
                if ranks:
                    slow.append(sum((number + 1) / rank for number, rank in enumerate(hits)) / min(10, len(ranks)))
            self.assertAlmostEqual(found[group, 'map@10'].figure(), sum(slow) / len(slow), places=12)

    def test_paired_tests(self):
        self.assertIsNone(figures.paired([0.1]))
        self.assertEqual(figures.paired([0, 0, 0]), 1)
        self.assertAlmostEqual(figures.paired([1, 2, 3]), 0.0742, places=4)  # t = 3.464, 2 degrees of freedom
        self.assertEqual(list(figures.deciles(numpy.arange(20), numpy.arange(20)[::-1])),
                         [9 - number // 2 for number in range(20)])
