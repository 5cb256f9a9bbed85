# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A host program in C that loads a compiled library: the same steps and the
same checkpoint as the executable."""
import os
import re

from harness import ROOT, SANITIZED, Case, built, data


class Host(Case):
    def test_trains_as_the_executable_does(self):
        here = os.path.dirname(os.path.abspath(__file__))
        flags = ['-fsanitize=address,undefined'] if SANITIZED else []
        self.succeeds(os.environ['CC'], '-std=gnu11', '-Wall', '-Wextra',
                      '-Werror', '-I', ROOT, *flags,
                      os.path.join(here, 'host.c'), '-o', self.path('host'),
                      '-ldl', '-lm')
        ours, theirs = self.path('host.st'), self.path('exe.st')
        said = self.succeeds(self.path('host'), built('debian_like', 'lib'),
                             data('debian_like'), ours).stdout
        losses = [float(text) for text in
                  re.findall(r'^step \d: loss (\S+)$', said, re.MULTILINE)]
        self.assertEqual(len(losses), 5)
        self.assertEqual(len(set(losses)), 5)
        self.assertIn('next step: 5\n', said)
        self.assertIn('length: 1.0000\n', said)
        self.assertIn('said: /there/is/no/such/folder: ', said)
        self.succeeds(built('debian_like'), 'train', '--data',
                      data('debian_like'), '--checkpoint', theirs, '--steps',
                      '5', '--seed', '1', '--threads', '1')
        self.assertEqual(self.tensors(ours), self.tensors(theirs))

    def tensors(self, path):
        """What follows the header of a checkpoint."""
        with open(path, 'rb') as file:
            size = int.from_bytes(file.read(8), 'little')
            file.seek(8 + size)
            return file.read()
