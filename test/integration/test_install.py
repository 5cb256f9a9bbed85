# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""cmake --install: the installed files suffice to compile, to link and to
build host programs."""
import os

from harness import SANITIZED, Case, data, spec


class Install(Case):
    def test_the_installed_towerc_makes_executables(self):
        prefix = self.path('prefix')
        self.succeeds(os.environ['CMAKE'], '--install',
                      os.environ['TOWERC_BUILD'], '--prefix', prefix)
        files = {os.path.relpath(os.path.join(folder, name), prefix)
                 for folder, _, names in os.walk(prefix) for name in names}
        self.assertEqual(files, {
            'bin/towerc', 'lib/libtower_runtime.a', 'lib/libtower_main.a',
            'include/towerc/tower.h', 'include/towerc/tower_abi.h'})
        towerc, exe = os.path.join(prefix, 'bin', 'towerc'), self.path('exe')
        self.succeeds(towerc, spec('numbers'), '--data', data('numbers'),
                      '-o', exe)
        self.succeeds(exe, 'train', '--data', data('numbers'), '--checkpoint',
                      self.path('model'), '--steps', '3')
        self.assertTrue(os.path.exists(self.path('model')))

        flags = ['-fsanitize=address,undefined'] if SANITIZED else []
        source = self.path('host.c')
        with open(source, 'w') as file:
            file.write('#include <towerc/tower.h>\n'
                       '#include <towerc/tower_abi.h>\n'
                       'int main(void) { return TOWER_ABI_VERSION == 0; }\n')
        self.succeeds(os.environ['CC'], '-Wall', '-Wextra', '-Werror', *flags,
                      '-I', os.path.join(prefix, 'include'), source, '-o',
                      self.path('host'))
        self.succeeds(self.path('host'))

        # Half an installation is said, not left to the linker.
        os.remove(os.path.join(prefix, 'lib', 'libtower_main.a'))
        os.remove(exe)
        self.fails(1, 'libtower_main.a is missing', towerc, spec('numbers'),
                   '--data', data('numbers'), '-o', exe)
        self.assertFalse(os.path.exists(exe))
