# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A dataset with the columns and the sizes of the Debian archive's
(examples/debian), whose ids follow a power law."""
import os
import sys

import numpy as np
from google.protobuf import json_format, text_format

from harness import ROOT

sys.path.insert(0, os.path.join(ROOT, 'test', 'reference'))
from protos import data_pb2  # noqa: E402
from synthetic import Writer  # noqa: E402

VOCABULARIES = {'section': 59, 'source': 34173, 'maintainer': 2246,
                'priority': 6, 'architecture': 3, 'tags': 598,
                'name_words': 12696, 'synopsis_words': 9050}
LONGEST = {'tags': 20, 'name_words': 8, 'synopsis_words': 12}
PACKAGES = 63666
PAIRS = 200_000


class PowerLaw(Writer):
    def skewed(self, vocabulary, count):
        """Ids from 1 on: id n about 1 / n as often as id 1."""
        rows = VOCABULARIES[vocabulary]
        ids = np.floor(rows ** self.random.random(count))
        return np.minimum(ids, rows - 1).astype(np.int32)


def write(folder):
    w = PowerLaw(folder, 11)
    for name, rows in VOCABULARIES.items():
        w.vocabulary(name, rows)
    w.begin('package', PACKAGES)
    for name in VOCABULARIES:
        if name in LONGEST:
            w.multi(name, LONGEST[name])
        else:
            w.single(name)
    w.dense('size', np.exp(w.random.normal(5, 2, PACKAGES)))
    w.pairs('package', 'package', {'train': PAIRS}, weighted=False)
    w.finish()


def without_validation(folder, to):
    """The same data without held-out pairs: a simulated GPU would take an
    hour to embed all items."""
    os.mkdir(to)
    for name in os.listdir(folder):
        if not name.startswith('schema.'):
            os.symlink(os.path.join(os.path.abspath(folder), name),
                       os.path.join(to, name))
    with open(os.path.join(folder, 'schema.txtpb')) as file:
        schema = text_format.Parse(file.read(), data_pb2.Dataset())
    train = [part for part in schema.pairs if part.split == 'train']
    del schema.pairs[:]
    schema.pairs.extend(train)
    with open(os.path.join(to, 'schema.txtpb'), 'w') as file:
        file.write(text_format.MessageToString(schema))
    with open(os.path.join(to, 'schema.json'), 'w') as file:
        file.write(json_format.MessageToJson(
            schema, preserving_proto_field_name=True))
