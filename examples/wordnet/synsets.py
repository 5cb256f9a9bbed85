#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Turn WordNet's database into synsets.tsv and pairs.tsv.

    synsets.py [FOLDER] --out FOLDER      FOLDER: with data.noun ...; default: that of Debian's wordnet-base

A row of synsets.tsv is a synset, named as NLTK does (dog.n.01: the first sense of the noun "dog"); a row of pairs.tsv
says that synset `query` is related to synset `item`.
"""
import argparse
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from tables import write  # noqa: E402

PARTS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
WORD = re.compile(r"[a-z][a-z0-9]+")
# Of a relation and its inverse the one that is kept: to the more general, the whole, the domain, the source.
DIRECTED = {"@", "@i", "#m", "#p", "#s", ";c", ";r", ";u", "\\", "<", "*", ">"}
# Between two synsets of equal right; kept from the lower number to the higher.
SYMMETRIC = {"!", "&", "+", "=", "^", "$"}
SUFFIXES = (2, 3, 4)


class Synset:
    def __init__(self, line, part):
        body, _, self.gloss = line.partition("|")
        fields = body.split()
        self.file, self.type, self.part = fields[1], fields[2], part
        count = int(fields[3], 16)
        # Adjectives may carry a marker of where they stand, as in "galore(ip)".
        self.lemmas = [lemma.partition("(")[0] for lemma in fields[4:4 + 2 * count:2]]
        pointers = fields[4 + 2 * count:]
        self.pointers = [(pointers[at], pointers[at + 2], pointers[at + 1])
                         for at in range(1, 1 + 4 * int(pointers[0]), 4)]


def lines(folder, name):
    """The file's lines but those of the licence, which begin with a space."""
    with open(os.path.join(folder, name), encoding="latin-1") as file:
        return [line for line in file if not line.startswith(" ")]


def synsets(folder):
    """{(part, offset): Synset} in the order of the files."""
    return {(part, line[:8]): Synset(line, part) for name, part in PARTS.items() for line in lines(folder, f"data.{name}")}


def senses(folder):
    """{(part, lemma in lower case): offsets by sense}."""
    found = {}
    for name, part in PARTS.items():
        for line in lines(folder, f"index.{name}"):
            fields = line.split()
            found[part, fields[0]] = fields[-int(fields[2]):]
    return found


def name(key, synset, by_lemma):
    lemma = synset.lemmas[0].lower()
    return f"{lemma}.{synset.type}.{by_lemma[key[0], lemma].index(key[1]) + 1:02d}"


def row(key, synset, by_lemma, files):
    words = [word for lemma in synset.lemmas for word in WORD.findall(lemma.lower())]
    suffixes = [f"-{word[-length:]}" for word in words for length in SUFFIXES if len(word) > length]
    definition = synset.gloss.partition('; "')[0]  # examples follow
    each_once = (" ".join(dict.fromkeys(values)) for values in (words, suffixes, WORD.findall(definition.lower())))
    return [name(key, synset, by_lemma), synset.part, synset.type, files[synset.file], str(len(synset.lemmas)), *each_once]


def pairs(all_synsets):
    """Each two synsets once, however many relations they have: in the direction of the first."""
    number = {key: index for index, key in enumerate(all_synsets)}
    found = {}
    for key, synset in all_synsets.items():
        for symbol, part, offset in synset.pointers:
            target = ("a" if part == "s" else part, offset)
            pair = (key, target)
            if symbol in SYMMETRIC:
                pair = tuple(sorted(pair, key=number.get))
            if symbol in DIRECTED | SYMMETRIC and key != target and pair[::-1] not in found:
                found[pair] = None
    return list(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", default="/usr/share/wordnet", help="with data.noun, index.noun, ...")
    parser.add_argument("--out", required=True, help="the folder for synsets.tsv and pairs.tsv")
    arguments = parser.parse_args()
    try:
        every, by_lemma = synsets(arguments.folder), senses(arguments.folder)
        os.makedirs(arguments.out, exist_ok=True)
    except OSError as error:
        sys.exit(f"error: {error}; install wordnet-base")
    names = {key: name(key, synset, by_lemma) for key, synset in every.items()}
    found = pairs(every)
    write(os.path.join(arguments.out, "synsets.tsv"),
          ["synset", "part", "type", "file", "size", "words", "suffixes", "gloss"],
          (row(key, synset, by_lemma, LEXICOGRAPHER_FILES) for key, synset in every.items()))
    write(os.path.join(arguments.out, "pairs.tsv"), ["query", "item"], ((names[a], names[b]) for a, b in found))
    print(f"{len(every)} synsets, {len(found)} pairs")


# By the number that data.* has: lexnames(5WN).
LEXICOGRAPHER_FILES = {f"{number:02d}": text for number, text in enumerate(
    "adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body noun.cognition "
    "noun.communication noun.event noun.feeling noun.food noun.group noun.location noun.motive noun.object noun.person "
    "noun.phenomenon noun.plant noun.possession noun.process noun.quantity noun.relation noun.shape noun.state "
    "noun.substance noun.time verb.body verb.change verb.cognition verb.communication verb.competition verb.consumption "
    "verb.contact verb.creation verb.emotion verb.motion verb.perception verb.possession verb.social verb.stative "
    "verb.weather adj.ppl".split())}

if __name__ == "__main__":
    main()
