# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What generated code asks for and gives, and what executables link."""
import re
import unittest

from harness import SANITIZED, SPECS, Case, built

# Generated means generated: no expf, no product, no memory.
ALLOWED = {'tower_rt_parallel', 'tower_rt_sample_pairs',
           'tower_rt_sample_uniform', 'tower_rt_feature_mask', 'memcpy',
           'memset'}
LIBRARIES = {'libc.so.6', 'libm.so.6', 'libstdc++.so.6', 'libgcc_s.so.1',
             'linux-vdso.so.1'}


class Symbols(Case):
    def names(self, name, stage, *flags):
        lines = self.succeeds('nm', *flags, built(name, stage)).stdout
        return {line.split()[-1] for line in lines.splitlines()}

    def test_imports(self):
        for name in SPECS:
            with self.subTest(name):
                found = self.names(name, 'obj', '-u')
                self.assertEqual(found - ALLOWED, set())
                self.assertLessEqual({'tower_rt_parallel',
                                      'tower_rt_sample_pairs'}, found)

    def test_one_export(self):
        for name in SPECS:
            with self.subTest(name):
                self.assertEqual(
                    self.names(name, 'obj', '-g', '--defined-only'),
                    {'tower_program'})

    @unittest.skipIf(SANITIZED, 'sanitizers export their own')
    def test_a_library_exports_its_interface_alone(self):
        found = self.names('numbers', 'lib', '-D', '--defined-only')
        self.assertIn('tower_open', found)
        self.assertIn('tower_program', found)
        self.assertEqual({name for name in found
                          if not name.startswith('tower_')}, set())

    @unittest.skipIf(SANITIZED, 'sanitizers are libraries too')
    def test_libraries(self):
        for name in SPECS:
            for stage in ('exe', 'lib'):
                with self.subTest(spec=name, stage=stage):
                    text = self.succeeds('ldd', built(name, stage)).stdout
                    found = {line.split()[0] for line in text.splitlines()}
                    loader = {item for item in found
                              if re.match(r'/lib.*/ld-linux', item)}
                    self.assertEqual(found - loader - LIBRARIES, set())
                    self.assertIn('libc.so.6', found)
