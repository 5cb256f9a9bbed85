#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fill a checkpoint of embeddings.txtpb with embeddings that come from elsewhere.

    embeddings.py DATA CHECKPOINT STEM --out FILE.safetensors

STEM.household.npy and STEM.product.npy have a row for each line of keys.txt. CHECKPOINT gives the header; its numbers are
replaced.
"""
import argparse
import json
import os

import numpy

KEYS = {"household": "id", "product": "product"}     # columns with a value of its own for each row


def values(data, stem, entity):
    """The entity's tensors by name: its rows in its vocabulary's order, and a layer that changes nothing."""
    embeddings = numpy.load(f"{stem}.{entity}.npy")
    ids = numpy.load(os.path.join(data, entity, f"{KEYS[entity]}.npy"))
    table = numpy.zeros((ids.max() + 1, embeddings.shape[1]), "<f4")     # Row 0, a missing key, is never looked up.
    table[ids] = embeddings
    return {f"table/{KEYS[entity]}": table, f"tower/{entity}/layer0/weight": numpy.eye(embeddings.shape[1], dtype="<f4")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="the dataset, with both columns")
    parser.add_argument("checkpoint", help="any checkpoint of embeddings.txtpb")
    parser.add_argument("stem", help="what the .npy files' names begin with")
    parser.add_argument("--out", required=True, help="the checkpoint to write")
    options = parser.parse_args()
    tensors = {}
    for entity in KEYS:
        tensors |= values(options.data, options.stem, entity)
    with open(options.checkpoint, "rb") as file:
        prefix = file.read(8)
        text = file.read(int.from_bytes(prefix, "little"))
        content = bytearray(file.read())
    header = json.loads(text)
    if set(header) - {"__metadata__"} != set(tensors):
        raise SystemExit(f"error: '{options.checkpoint}' has {sorted(header)}; it is to be of embeddings.txtpb")
    for name, tensor in tensors.items():
        if header[name]["shape"] != list(tensor.shape):
            raise SystemExit(f"error: '{options.checkpoint}' has {header[name]['shape']} for {name}, not {list(tensor.shape)}")
        begin, end = header[name]["data_offsets"]
        content[begin:end] = tensor.tobytes()
    with open(options.out + ".new", "wb") as file:
        file.write(prefix + text + content)
    os.replace(options.out + ".new", options.out)


if __name__ == "__main__":
    main()
