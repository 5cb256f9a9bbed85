# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A dataset and what the experiments need to know of it: examples/NAME/paper.json and the dataset's folder."""
import hashlib
import json
import os

import numpy

FIELDS = {"title", "spec", "data", "main", "evaluate", "batch", "epochs", "note"}


class Fault(Exception):
    """Something that the user can put right; its text says what and where."""


def read_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise Fault(f"cannot read '{path}': {error.strerror}") from error
    except ValueError as error:
        raise Fault(f"'{path}' is not JSON ({error}); remove it if a run left it, and run again") from error


class Dataset:
    """`name` is a folder of examples/, or the path of a file like examples/NAME/paper.json."""

    def __init__(self, root, name):
        path = name if name.endswith(".json") else os.path.join(root, "examples", name, "paper.json")
        if not os.path.exists(path):
            known = sorted(each for each in os.listdir(os.path.join(root, "examples"))
                           if os.path.exists(os.path.join(root, "examples", each, "paper.json")))
            raise Fault(f"there is no dataset '{name}' ('{path}'); allowed: {', '.join(known)}")
        definition = read_json(path)
        if set(definition) != FIELDS:
            raise Fault(f"'{path}' must have the fields {', '.join(sorted(FIELDS))} and no others")
        self.name = os.path.basename(os.path.dirname(path)) if not name.endswith(".json") else \
            os.path.splitext(os.path.basename(name))[0]
        self.title, self.main, self.note = definition["title"], definition["main"], definition["note"]
        self.evaluate, self.batch = definition["evaluate"], definition["batch"]
        self.epochs = {int(percent): epochs for percent, epochs in definition["epochs"].items()}
        self.spec = os.path.join(os.path.dirname(path), definition["spec"])
        self.folder = os.path.join(root, definition["data"])
        schema = read_json(os.path.join(self.folder, "schema.json"))
        self.item_entity = schema["item_entity"]
        self.items = next(each["rows"] for each in schema["entities"] if each["name"] == self.item_entity)
        train = self.pairs("train")
        self.train_pairs = len(train)
        self.counts = numpy.bincount(train, minlength=self.items)
        # As evaluate's head: most training pairs first, ties by row.
        self.head = numpy.zeros(self.items, bool)
        self.head[numpy.argsort(-self.counts, kind="stable")[:self.items // 100]] = True

    def pairs(self, split):
        """The item of each pair."""
        return numpy.load(os.path.join(self.folder, "pairs", f"{split}.item.npy"))

    def mutual_information(self):
        """{"features": names, "plugin": matrix, "corrected": matrix}, or None where it was not measured."""
        path = os.path.join(self.folder, self.item_entity, "mi.json")
        return read_json(path) if os.path.exists(path) else None

    def fingerprint(self):
        """SHA-256 over names and bytes of the folder's files, but for hidden ones."""
        digest = hashlib.sha256()
        for folder, folders, files in os.walk(self.folder):
            folders.sort()
            # Programs that have checked the data leave a stamp there.
            for name in sorted(name for name in files if not name.startswith(".")):
                path = os.path.join(folder, name)
                digest.update(f"{os.path.relpath(path, self.folder)}\0{os.path.getsize(path)}\0".encode())
                with open(path, "rb") as file:
                    while block := file.read(1 << 20):
                        digest.update(block)
        return digest.hexdigest()
