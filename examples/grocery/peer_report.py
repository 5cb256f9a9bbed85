#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Put what `peer` measured side by side, as a Markdown table on the terminal and in FILE.

    peer_report.py DATA FOLDER --out FILE.md
"""
import argparse
import json
import math
import os
import statistics

import numpy

MODELS = {"plain": "towerc, plain", "ids": "towerc, ids", "libreco-plain": "LibRecommender",
          "rfm": "towerc, rfm", "ids-rfm": "towerc, ids-rfm", "libreco-rfm": "LibRecommender, rfm-complementary"}
FIGURES = ["recall@10", "recall@50", "map@10", "tail_recall@50"]
HEADER = ["test weeks", "R@10", "R@50", "MAP@10", "tail R@50", "tail R@50, of products bought before", "parameters",
          "ms a step", "peak memory, MiB"]


def read(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return json.load(file)


def our_seconds(folder, batch):
    """A step's, the median of a run. Pairs a second are of the whole run up to a step, validations left out."""
    with open(os.path.join(folder, "train.jsonl"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    ends = [(line["step"], line["step"] * batch / line["examples_per_second"]) for line in lines
            if "examples_per_second" in line]
    return statistics.median((end - begin) / (last - first) for (first, begin), (last, end) in zip(ends, ends[1:]))


def ours(folder, model, rounds):
    """Parameters, and seconds a step of each round."""
    manifest = read(folder, f"{model}.info.json")
    parameters = sum(math.prod(tensor["shape"]) for tensor in manifest["tensors"] if tensor["role"] == "parameter")
    return parameters, [our_seconds(os.path.join(folder, each, model), manifest["training"]["batch"]) for each in rounds]


def theirs(folder, model, rounds):
    seconds = [read(folder, f"{each}/{model}.json")["step_seconds"] for each in rounds]
    return read(folder, f"{model}.json")["parameters"], seconds


def known_tail(folder, model, counts):
    """Recall@50 over the pairs whose product is no head and has training pairs."""
    ranks = numpy.load(os.path.join(folder, f"{model}.ranks.npy"))
    head = numpy.zeros(len(counts), bool)
    head[numpy.argsort(-counts, kind="stable")[:len(counts) // 100]] = True
    member = ~head[ranks[:, 1]] & (counts[ranks[:, 1]] > 0)
    return float(((ranks[:, 2] > 0) & (ranks[:, 2] <= 50))[member].mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="the dataset's folder")
    parser.add_argument("folder", help="where the results are")
    parser.add_argument("--rounds", type=int, required=True, help="in which steps were timed")
    parser.add_argument("--out", required=True, help="the table's file")
    options = parser.parse_args()
    items = numpy.load(os.path.join(options.data, "pairs", "train.item.npy"))
    counts = numpy.bincount(items, minlength=len(numpy.load(os.path.join(options.data, "product", "type.npy"))))
    rounds = [f"time-{number}" for number in range(1, options.rounds + 1)]
    lines = ["| " + " | ".join(HEADER) + " |", "|---" * len(HEADER) + "|"]
    for model, title in MODELS.items():
        figures = read(options.folder, f"{model}.test.json")["results"][0]
        parameters, seconds = (theirs if model.startswith("libreco-") else ours)(options.folder, model, rounds)
        peak = read(options.folder, f"{model}.peak.json")["peak_mib"]
        cells = [title, *(f"{figures[name]:.4f}" for name in FIGURES), f"{known_tail(options.folder, model, counts):.4f}",
                 f"{parameters:,}", f"{1000 * statistics.median(seconds):.1f}", f"{peak:,.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    text = "\n".join(lines) + "\n"
    print(text, end="")
    with open(options.out, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
