#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Train LibRecommender's TwoTower on a dataset's pairs and export its embeddings.

    librecommender.py DATA --packages FOLDER --out STEM [--ssl PATTERN]

Rows and values are the dataset's own, so that both programs see the same features. Writes STEM.household.npy and
STEM.product.npy, a row for each line of keys.txt, and STEM.json with the time of a step and the number of parameters.
"""
import argparse
import json
import os
import statistics
import sys
import time

HOUSEHOLD = ["age", "income", "home_ownership", "marital_status", "household_size", "household_comp", "kids_count"]
PRODUCT = ["manufacturer", "department", "brand", "category", "type", "size"]
WORDS = ["category_words", "type_words"]


def array(data, *names):
    return numpy.load(os.path.join(data, *names) + ".npy")


def slots(data, column):
    """A multi-valued column as [rows, longest]; row 0 of a vocabulary, which no list holds, fills what is left."""
    offsets, values = array(data, "product", f"{column}.offsets"), array(data, "product", f"{column}.values")
    lengths = numpy.diff(offsets)
    filled = numpy.zeros((len(lengths), lengths.max()), int)
    filled[numpy.arange(filled.shape[1]) < lengths[:, None]] = values
    return filled


def training_set(data):
    """The training pairs with their features. TwoTower does not pool lists: each place in a list is a column."""
    users, items = array(data, "pairs", "train.query"), array(data, "pairs", "train.item")
    columns = {"user": users, "item": items, "label": numpy.ones(len(users), int)}
    columns |= {name: array(data, "household", name)[users] for name in HOUSEHOLD}
    columns |= {name: array(data, "product", name)[items] for name in PRODUCT}
    places = []
    for name in WORDS:
        filled = slots(data, name)
        places.append([f"{name}_{place}" for place in range(filled.shape[1])])
        columns |= dict(zip(places[-1], filled[items].T))
    return DatasetFeat.build_trainset(pandas.DataFrame(columns), user_col=HOUSEHOLD, item_col=PRODUCT + sum(places, []),
                                      sparse_col=HOUSEHOLD + PRODUCT, multi_sparse_col=places, pad_val=0)


class Clock:
    """Stands in for the trainer's progress bar: how long each step took, the making of its batch included."""

    def __init__(self, limit):
        self.limit, self.seconds = limit, []

    def __call__(self, batches, **_):
        start = time.perf_counter()
        for batch in batches:
            yield batch
            now = time.perf_counter()
            self.seconds.append(now - start)
            start = now
            if len(self.seconds) == self.limit:
                return


def export(path, rows, known, embeddings, last, other):
    """The known rows' embeddings with one more number, `last`; any other row is `other`."""
    table = numpy.empty((rows, embeddings.shape[1] + 1), numpy.float32)
    table[:] = other
    table[known] = numpy.column_stack([embeddings, numpy.full(len(embeddings), last)])
    numpy.save(path, table)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="the dataset's folder")
    parser.add_argument("--packages", required=True, help="the folder that pip installed LibRecommender into")
    parser.add_argument("--out", required=True, metavar="STEM", help="what the names of all files begin with")
    parser.add_argument("--ssl", choices=["rfm", "rfm-complementary", "cfm"], help="self-supervision (default: none)")
    parser.add_argument("--alpha", type=float, default=0.3, help="weight of its loss (default: %(default)s)")
    parser.add_argument("--embed-size", type=int, default=18, help="of every feature (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=0.001, help="learning rate (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=4, help="(default: %(default)s)")
    parser.add_argument("--steps", type=int, help="so many of one epoch instead, to time them")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--batch-norm", action="store_true", help="LibRecommender's default; towerc has none")
    options = parser.parse_args()
    load(options.packages)

    start = time.perf_counter()
    pairs, info = training_set(options.data)
    prepared = time.perf_counter() - start
    model = TwoTower("ranking", info, loss_type="softmax", embed_size=options.embed_size, norm_embed=True,
                     n_epochs=1 if options.steps else options.epochs, lr=options.rate, batch_size=1024,
                     use_bn=options.batch_norm, hidden_units=(512, 128), use_correction=True, temperature=0.1, remove_accidental_hits=True,
                     ssl_pattern=options.ssl, alpha=options.alpha, seed=options.seed)
    tf_trainer.tqdm = clock = Clock(options.steps)
    model.fit(pairs, neg_sampling=True, shuffle=True)   # Asked for by the library; the softmax samples nothing.

    households, products = len(array(options.data, "household", "id")), len(array(options.data, "product", "type"))
    # A household without training pairs is the average one, as in the library. A product without any is never answered,
    # as in the library: below the least cosine.
    users, items = model.user_embeds_np[:info.n_users], model.item_embeds_np[:info.n_items]
    never = numpy.zeros(items.shape[1] + 1)
    never[-1] = -2
    export(f"{options.out}.household.npy", households, info.user_unique_vals, users, 1, [*users.mean(0), 1])
    export(f"{options.out}.product.npy", products, info.item_unique_vals, items, 0, never)
    facts = {"parameters": sum(int(numpy.prod(variable.shape.as_list())) for variable in tf.trainable_variables()),
             "steps": len(clock.seconds), "step_seconds": statistics.median(clock.seconds[1:]),
             "train_seconds": sum(clock.seconds), "prepare_seconds": prepared, "options": vars(options)}
    with open(f"{options.out}.json", "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=1)
        file.write("\n")


def load(packages):
    """The modules used here, from the folder of the packages and nowhere else: Debian's NumPy is too old for them."""
    global numpy, pandas, tf, tf_trainer, DatasetFeat, TwoTower
    sys.path.insert(0, packages)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import numpy
        import pandas
        from libreco.algorithms import TwoTower
        from libreco.data import DatasetFeat
        from libreco.tfops import tf
        from libreco.training import tf_trainer
    except ImportError as error:
        sys.exit(f"error: {error}; install LibRecommender into '{packages}' as examples/grocery/peer does")


if __name__ == "__main__":
    main()
