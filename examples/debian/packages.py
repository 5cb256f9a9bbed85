#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Turn `apt-cache dumpavail` into packages.tsv and pairs.tsv.

    packages.py [DUMP] --out FOLDER [--more]      DUMP: a saved dump; without it apt-cache is asked

A row of packages.tsv is a package (the first stanza of each name), a row of pairs.tsv says that package `query` wants
package `item`: the first alternative of each of its Pre-Depends, Depends, Recommends, Suggests and Enhances. With --more,
packages.tsv has more columns: homepage, version, and the parts of names.
"""
import argparse
import hashlib
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from tables import write  # noqa: E402

RELATIONS = ["Pre-Depends", "Depends", "Recommends", "Suggests", "Enhances"]
WORD = re.compile(r"[a-z][a-z0-9+]+")
PART = re.compile(r"[a-z+]+|[0-9]+(?:\.[0-9]+)*")
ADDRESS = re.compile(r"\w+://(?:[^/\s?#@]*@)?(?:www\d*\.)?([^/\s?#:]+)[^/\s?#]*((?:/+[^/\s?#]+)*)")
NGRAM = 4
COLUMNS = ["package", "section", "source", "maintainer", "priority", "architecture", "tags", "name_words",
           "synopsis_words", "size"]
MORE_COLUMNS = ["homepage", "version", "name_parts", "source_parts", "name_ngrams"]
FIELDS = {"Package", "Source", "Section", "Maintainer", "Priority", "Architecture", "Tag", "Description-en",
          "Description", "Installed-Size", "Homepage", "Version", *RELATIONS}


def stanzas(text):
    """The wanted fields of each stanza; of a field that runs over lines, Tag is joined, of others the first line kept."""
    for block in text.split("\n\n"):
        fields, name = {}, None
        for line in block.split("\n"):
            if line[:1] in (" ", "\t"):
                if name == "Tag" or name in RELATIONS:
                    fields[name] += line
                continue
            name, colon, value = line.partition(":")
            if not colon or name not in FIELDS:
                name = None
                continue
            fields[name] = value.strip()
        if "Package" in fields:
            yield fields


def words(text):
    """Each word once, in order of appearance."""
    return list(dict.fromkeys(WORD.findall(text.lower())))


def clean(text):
    """Tabs and line breaks cannot be in a field."""
    return " ".join(text.split())


def source(package):
    return package.get("Source", "").split(" ")[0] or package["Package"]


def row(package):
    synopsis = package.get("Description-en", package.get("Description", ""))
    size = package.get("Installed-Size", "0")
    return [package["Package"], clean(package.get("Section", "").rpartition("/")[2]), source(package),
            clean(package.get("Maintainer", "")), clean(package.get("Priority", "")),
            clean(package.get("Architecture", "")),
            ",".join(tag for tag in (clean(tag) for tag in package.get("Tag", "").split(",")) if tag),
            " ".join(words(package["Package"])), " ".join(words(synopsis)), size if size.isdigit() else "0"]


def homepage(address):
    """The host without www, and with one and with two parts of the path."""
    match = ADDRESS.match(address.lower())
    if not match:
        return []
    names = [match[1], *(part for part in match[2].split("/") if part)]
    return ["/".join(names[:count]) for count in range(1, min(len(names), 3) + 1)]


def parts(name):
    """Letters and numbers of a name, each once; lib before two letters or more is a part of its own."""
    found = []
    for part in PART.findall(name):
        found += ["lib", part[3:]] if part.startswith("lib") and len(part) > 4 else [part]
    return list(dict.fromkeys(found))


def ngrams(name):
    """Each run of NGRAM characters, once; ^ and $ stand for the name's ends."""
    ends = f"^{name}$"
    return list(dict.fromkeys(ends[at:at + NGRAM] for at in range(max(1, len(ends) - NGRAM + 1))))


def more(package):
    """Values of MORE_COLUMNS. The version is upstream's: without epoch and Debian's revision."""
    upstream = re.sub(r"^\d+:|-[^-]*$", "", clean(package.get("Version", "")))
    return [" ".join(homepage(package.get("Homepage", ""))), upstream, " ".join(parts(package["Package"])),
            " ".join(parts(source(package))), " ".join(ngrams(package["Package"]))]


def targets(package, known):
    """What a package wants: each other known package once."""
    found = {}
    for relation in RELATIONS:
        for clause in package.get(relation, "").split(","):
            first = clause.split("|")[0].strip()
            name = re.split(r"[\s(\[:]", first, maxsplit=1)[0]
            if name in known and name != package["Package"]:
                found[name] = None
    return list(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dump", nargs="?", help="a saved dump; default: ask apt-cache")
    parser.add_argument("--out", required=True, help="the folder for packages.tsv and pairs.tsv")
    parser.add_argument("--more", action="store_true", help="more columns in packages.tsv")
    arguments = parser.parse_args()
    try:
        if arguments.dump:
            with open(arguments.dump, "rb") as file:
                dump = file.read()
        else:
            dump = subprocess.run(["apt-cache", "dumpavail"], stdout=subprocess.PIPE, check=True).stdout
        os.makedirs(arguments.out, exist_ok=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")
    digest = hashlib.sha256(dump).hexdigest()
    packages = {}
    for package in stanzas(dump.decode("utf-8", errors="replace")):
        packages.setdefault(package["Package"], package)
    if not packages:
        sys.exit("error: the dump has no packages; run `apt-get update` first, or save `apt-cache dumpavail` elsewhere")
    pairs = [(name, item) for name, package in packages.items() for item in targets(package, packages)]
    columns = COLUMNS + (MORE_COLUMNS if arguments.more else [])
    rows = (row(package) + (more(package) if arguments.more else []) for package in packages.values())
    write(os.path.join(arguments.out, "packages.tsv"), columns, rows)
    write(os.path.join(arguments.out, "pairs.tsv"), ["query", "item"], pairs)
    with open(os.path.join(arguments.out, "dump.sha256"), "w", encoding="ascii") as file:
        file.write(digest + "\n")
    print(f"dump: {len(dump)} bytes, SHA-256 {digest}")
    print(f"{len(packages)} packages, {len(pairs)} pairs")


if __name__ == "__main__":
    main()
