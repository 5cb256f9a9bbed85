# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests of the whole path share: where the tools are, data and
models made by make_models.py, and commands with their outcome."""
import os
import shutil
import subprocess
import tempfile
import unittest

TOWERC = os.environ['TOWERC']
TOWER_OPT = os.environ['TOWER_OPT']
WORK = os.environ['INTEGRATION_WORK']  # written by make_models.py alone
SANITIZED = os.environ.get('TOWERC_SANITIZE') == '1'

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
# Each spec of the reference and the data it is for.
SPECS = {'debian_like': 'packages', 'feature_dropout': 'shop',
         'numbers': 'shop', 'siamese': 'packages', 'two_ssl': 'packages'}
TEXT_STAGES = ('model', 'dataflow', 'gradient', 'fused', 'linalg', 'planned',
               'llvm', 'asm', 'gpu', 'nvvm', 'ptx')


def spec(name):
    return os.path.join(ROOT, 'test', 'reference', 'specs', f'{name}.txtpb')


def data(name):
    """The data of a spec."""
    return os.path.join(WORK, SPECS[name])


def built(name, stage='exe'):
    """What --emit=`stage` made of a spec."""
    return os.path.join(WORK, f'{name}.{stage}')


def run(*command, **options):
    """The finished process; its output is text."""
    options.setdefault('timeout', 300)
    return subprocess.run(command, capture_output=True, text=True, **options)


def loading_libraries():
    """The environment of a Python that loads what --emit=lib makes: a
    sanitizer's runtime has to come first."""
    if not SANITIZED:
        return None
    # What Python never frees is no leak of ours.
    options = os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0'
    return {**os.environ, 'LD_PRELOAD': os.environ['SANITIZER_RUNTIME'],
            'ASAN_OPTIONS': options}


class Case(unittest.TestCase):
    """A test with a folder of its own, `folder`."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def succeeds(self, *command, **options):
        outcome = run(*command, **options)
        self.assertEqual(outcome.returncode, 0, outcome.stderr)
        return outcome

    def fails(self, code, message, *command, **options):
        """It ends with that exit code and says `message`; no crash, and one
        error: `message` is all that the test wants to see of it."""
        outcome = run(*command, **options)
        self.assertEqual(outcome.returncode, code,
                         f'{command}\n{outcome.stdout}{outcome.stderr}')
        self.assertIn(message, outcome.stderr)
        for trace in ('Assertion', 'Stack dump', 'terminate called'):
            self.assertNotIn(trace, outcome.stderr)
        return outcome
