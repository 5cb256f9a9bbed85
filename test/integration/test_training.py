# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The same bits: with any number of threads, and however a run was cut."""
import filecmp
import os
import random
import re
import signal
import subprocess
import time

from harness import SPECS, Case, built, data

EPOCHS = '60'


class Training(Case):
    def command(self, name, checkpoint, *flags):
        return [built(name), 'train', '--data', data(name), '--checkpoint',
                checkpoint, *flags]

    def train(self, name, checkpoint, *flags):
        path = self.path(checkpoint)
        return self.succeeds(*self.command(name, path, *flags)), path

    def same(self, one, other):
        self.assertTrue(filecmp.cmp(one, other, shallow=False),
                        f'{one} and {other} differ')

    def cut(self, name, path, kill, seconds, *flags):
        """Starts training, sends the signal once the first checkpoint is
        there and so long has passed. What it wrote and its exit code."""
        process = subprocess.Popen(self.command(name, path, *flags),
                                   stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while not os.path.exists(path) and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(seconds)
        process.send_signal(kill)
        _, said = process.communicate(timeout=60)
        return said, process.returncode

    def step(self, name, path):
        """The step of a checkpoint, which can be read."""
        done = self.succeeds(built(name), 'info', '--checkpoint', path)
        return int(re.search(r'step (\d[\d,]*)', done.stdout)
                   .group(1).replace(',', ''))

    def test_threads_do_not_change_a_bit(self):
        for name in SPECS:
            with self.subTest(name):
                flags = ['--epochs', '4', '--quiet']
                paths = [self.train(name, f'{name}.{threads}', *flags,
                                    '--threads', threads)[1]
                         for threads in ('1', '2', '3')]
                self.same(paths[0], paths[1])
                self.same(paths[0], paths[2])
                _, other = self.train(name, f'{name}.seed', *flags, '--seed',
                                      '99')
                self.assertFalse(filecmp.cmp(paths[0], other, shallow=False))

    @staticmethod
    def best(path):
        return path + '.best.safetensors'

    def test_killed_and_resumed_is_the_uncut_run(self):
        chance = random.Random(7)
        for name, kill in (('two_ssl', signal.SIGKILL),
                           ('debian_like', signal.SIGTERM),
                           ('siamese', signal.SIGINT),
                           ('numbers', signal.SIGKILL)):
            with self.subTest(name):
                flags = ['--epochs', EPOCHS, '--validate-every', '7']
                _, uncut = self.train(name, f'{name}.uncut', *flags,
                                      '--quiet')
                cut = self.path(f'{name}.cut')
                last, stops, before = self.step(name, uncut), 0, 0
                for _ in range(12):
                    said, code = self.cut(
                        name, cut, kill, chance.uniform(0, 0.1), *flags,
                        '--threads', '2', '--resume')
                    step = self.step(name, cut)
                    if step == last and stops:
                        break
                    if step == last:  # too fast for us: once more
                        os.remove(cut)
                        os.remove(self.best(cut))
                        before = 0
                        continue
                    if kill == signal.SIGKILL:
                        self.assertEqual(code, -signal.SIGKILL)
                        self.assertEqual(step % 7, 0)
                    elif code == -kill:  # before it began to train
                        self.assertEqual(step, before)
                        continue
                    else:
                        self.assertEqual(code, 0, said)
                        self.assertIn(f'stopped after step {step} of {last}; '
                                      f"saved '{cut}': --resume", said)
                    stops, before = stops + 1, step
                self.assertGreater(stops, 0)
                self.train(name, f'{name}.cut', *flags, '--threads', '1',
                           '--resume')
                self.same(uncut, cut)
                self.same(self.best(uncut), self.best(cut))

    def test_a_killed_run_leaves_no_broken_checkpoint(self):
        name, chance = 'two_ssl', random.Random(11)
        path = self.path('model')
        for _ in range(15):
            self.cut(name, path, signal.SIGKILL, chance.uniform(0, 0.03),
                     '--epochs', '100', '--validate-every', '1', '--quiet',
                     '--overwrite')
            self.step(name, path)
            if os.path.exists(self.best(path)):
                self.step(name, self.best(path))
