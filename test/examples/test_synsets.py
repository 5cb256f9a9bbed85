# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""examples/wordnet/synsets.py on a small database."""
import unittest

import script

FILES = {
    "data.noun": """\
  1 This line is of the licence.
00000010 05 n 02 Animal 0 living_thing 0 003 ~ 00000020 n 0000 %p 00000030 n 0000 ! 00000030 n 0101 | a being; "an example"
00000020 05 n 01 animal 0 003 @ 00000010 n 0000 + 00000040 v 0101 + 00000020 n 0000 | one of them
00000030 08 n 01 tail 0 002 #p 00000010 n 0000 ! 00000010 n 0101 | a part
""",
    "data.verb": "00000040 38 v 01 animalize 0 001 + 00000020 n 0101 | make so\n",
    "data.adj": """\
00000050 00 a 01 wild(p) 0 001 & 00000060 a 0000 | not tame
00000060 00 s 01 feral 0 001 & 00000050 a 0000 | wild
""",
    "data.adv": "",
    "index.noun": "animal n 2 1 ~ 2 1 00000020 00000010\nliving_thing n 1 0 1 0 00000010\ntail n 1 1 #p 1 0 00000030\n",
    "index.verb": "animalize v 1 1 + 1 0 00000040\n",
    "index.adj": "feral a 1 1 & 1 0 00000060\nwild a 1 1 & 1 0 00000050\n",
    "index.adv": "",
}


def make(files):
    return script.make("wordnet/synsets.py", files, "", ("synsets.tsv", "pairs.tsv"))


class Synsets(unittest.TestCase):
    def test_a_row_is_a_synset_named_by_its_sense(self):
        result, (synsets, _) = make(FILES)
        self.assertIn("6 synsets, 4 pairs", result.stdout)
        self.assertEqual([row[0] for row in synsets], ["synset", "animal.n.02", "animal.n.01", "tail.n.01",
                                                       "animalize.v.01", "wild.a.01", "feral.s.01"])
        self.assertEqual(synsets[1][1:], ["n", "n", "noun.animal", "2", "animal living thing",
                                          "-al -mal -imal -ng -ing -ving -hing", "being"])
        self.assertEqual(synsets[6][1:5], ["a", "s", "adj.all", "1"])

    def test_two_synsets_are_one_pair(self):
        _, (_, pairs) = make(FILES)
        self.assertEqual(pairs, [["query", "item"],
                                 ["animal.n.02", "tail.n.01"],      # antonyms, the lower number first; also a part
                                 ["animal.n.01", "animal.n.02"],    # to the more general
                                 ["animal.n.01", "animalize.v.01"],  # not with itself
                                 ["wild.a.01", "feral.s.01"]])

    def test_a_missing_file_is_named(self):
        result, tables = make({name: text for name, text in FILES.items() if name != "data.verb"})
        self.assertEqual(result.returncode, 1)
        self.assertIn("data.verb", result.stderr)
        self.assertEqual(tables, [])


if __name__ == "__main__":
    unittest.main()
