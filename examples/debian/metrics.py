#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gather what the models' evaluations say into FOLDER/metrics.json, and print it as a table.

    metrics.py FOLDER [MODEL...]      default: plain rfm cfm
"""
import json
import os
import sys

MODELS = {"plain": "plain", "rfm": "SSL, random masks", "cfm": "SSL, correlated masks"}
TITLES = {**MODELS, "best": "best"}
FIGURES = ["recall@10", "recall@50", "map@10", "head_recall@50", "tail_recall@50"]
STRONGEST = "TF-IDF + 0.02 log(1 + popularity)"


def read(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()


def split_figures(folder, split, models):
    """{row's name: its figures} and the size of the split."""
    rows, size = {}, {}
    for model, title in models.items():
        result = json.loads(read(folder, f"{model}.{split}.json"))
        size = {key: result[key] for key in ("queries", "pairs", "head_pairs", "tail_pairs", "items")}
        for number, row in enumerate(result["results"]):
            name = row.pop("name")
            rows[title if number == 0 else name] = row
    return rows, size


def main(folder, *names):
    models = {name: TITLES[name] for name in names or MODELS}
    metrics = {"dump_sha256": read(folder, "dump.sha256").strip(),
               "training_seconds": {model: int(read(folder, f"{model}.seconds")) for model in models}, "splits": {}}
    for split in ("validation", "test"):
        rows, size = split_figures(folder, split, models)
        metrics["splits"][split] = {**size, "results": rows}
        print(f"{split}: {size['queries']} queries, {size['pairs']} pairs")
        print(f"{'':34}" + "".join(f"{name:>16}" for name in FIGURES))
        baselines = [name for name in rows if name not in models.values()]
        for name in [*models.values(), *baselines]:
            print(f"{name:34}" + "".join(f"{rows[name][figure]:16.3f}" for figure in FIGURES))
        if STRONGEST in rows and MODELS["plain"] in rows:
            plain, strongest = rows[MODELS["plain"]], rows[STRONGEST]
            ratios = {figure: plain[figure] / strongest[figure] if strongest[figure] else None
                      for figure in ("recall@10", "recall@50")}
            metrics["splits"][split]["plain_over_strongest_baseline"] = ratios
        print()
    path = os.path.join(folder, "metrics.json")
    with open(path + ".tmp", "w", encoding="utf-8") as file:
        json.dump(metrics, file, indent=1)
        file.write("\n")
    os.replace(path + ".tmp", path)
    print(f"dump SHA-256 {metrics['dump_sha256']}; figures are in {path}")


if __name__ == "__main__":
    main(*sys.argv[1:])
