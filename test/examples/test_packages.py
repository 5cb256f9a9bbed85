# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""examples/debian/packages.py on a small dump."""
import hashlib
import unittest

import script

DUMP = """\
Package: vim
Source: vim-src (2:9.0)
Priority: optional
Section: contrib/editors
Version: 2:9.0.1378-2+deb12u2
Homepage: https://www.Vim.org/
Installed-Size: 3000
Maintainer: Debian Vim Maintainers <team@example.org>
Architecture: amd64
Pre-Depends: libc6
Depends: vim-common (= 2:9.0), libfoo | libc6, libc6:any (>= 2.36), vim
Recommends: nothing-here, python3[amd64]
Enhances: python3
Description: Vi IMproved, the c++ editor
Description-en: Vi IMproved - an enhanced vi editor
 The long description names no words.
Tag: devel::editor, interface::text-mode,
 role::program

Package: vim
Section: second
Description: a later stanza of the same name

Package: vim-common
Architecture: all
Version: 9-0~rc1-1
Homepage: http://me@git.example.org:80/vim/common//files/more?x#y
Suggests: vim | libc6
Description: Common\tfiles
 Tag: no field

Package: libc6
Version: 2.36
Homepage: none
Installed-Size: none

Package: python3
Source: libpython3.11-defaults
Section: python
"""


def make(dump, *options):
    return script.make("debian/packages.py", {"dump": dump}, "dump", ("packages.tsv", "pairs.tsv"), *options)


class Packages(unittest.TestCase):
    def setUp(self):
        self.result, (self.packages, self.pairs) = make(DUMP)

    def test_a_row_is_the_first_stanza_of_a_name(self):
        self.assertEqual(self.packages[0], ["package", "section", "source", "maintainer", "priority", "architecture",
                                            "tags", "name_words", "synopsis_words", "size"])
        self.assertEqual([row[0] for row in self.packages[1:]], ["vim", "vim-common", "libc6", "python3"])
        self.assertEqual(self.packages[1][1:], [
            "editors", "vim-src", "Debian Vim Maintainers <team@example.org>", "optional", "amd64",
            "devel::editor,interface::text-mode,role::program", "vim", "vi improved an enhanced editor", "3000"])

    def test_what_is_missing_is_empty(self):
        self.assertEqual(self.packages[2][1:], ["", "vim-common", "", "", "all", "", "vim common", "common files", "0"])
        self.assertEqual(self.packages[3][1:], ["", "libc6", "", "", "", "", "libc6", "", "0"])

    def test_pairs_are_first_alternatives_that_are_packages(self):
        self.assertEqual(self.pairs, [["query", "item"], ["vim", "libc6"], ["vim", "vim-common"], ["vim", "python3"],
                                      ["vim-common", "vim"]])

    def test_the_dump_is_identified(self):
        self.assertIn(hashlib.sha256(DUMP.encode()).hexdigest(), self.result.stdout)
        self.assertIn("4 packages, 4 pairs", self.result.stdout)

    def test_more_columns_come_after_the_others(self):
        result, (packages, pairs) = make(DUMP, "--more")
        self.assertEqual(result.stdout, self.result.stdout)
        self.assertEqual(pairs, self.pairs)
        self.assertEqual([row[:10] for row in packages], self.packages)
        self.assertEqual(packages[0][10:], ["homepage", "version", "name_parts", "source_parts", "name_ngrams"])
        self.assertEqual([row[10:] for row in packages[1:]], [
            ["vim.org", "9.0.1378", "vim", "vim src", "^vim vim$"],
            ["git.example.org git.example.org/vim git.example.org/vim/common", "9-0~rc1", "vim common", "vim common",
             "^vim vim- im-c m-co -com comm ommo mmon mon$"],
            ["", "2.36", "libc 6", "libc 6", "^lib libc ibc6 bc6$"],
            ["", "", "python 3", "lib python 3.11 defaults", "^pyt pyth ytho thon hon3 on3$"]])

    def test_a_dump_without_packages_is_an_error(self):
        result, tables = make("nothing\n")
        self.assertEqual(result.returncode, 1)
        self.assertIn("the dump has no packages", result.stderr)
        self.assertEqual(tables, [])


if __name__ == "__main__":
    unittest.main()
