# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""towerc_worker.py LIBRARY DATA PARAMETERS SEED THREADS: training steps of a compiled model (towerc --emit=lib)."""
import ctypes
import json
import os
import sys

import numpy as np

import worker
from library import Library

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'reference'))

from safetensors import load  # noqa: E402


def main():
    path, folder, parameters, seed, threads = sys.argv[1:]
    library = Library(path)
    data = ctypes.c_void_p(library.call('tower_dataset_open', folder.encode()))
    model = ctypes.c_void_p(library.call('tower_open', library.program, data, int(threads)))
    seed = ctypes.c_uint64(int(seed))
    library.call('tower_initialize', model, seed)
    place, count = ctypes.POINTER(ctypes.c_float)(), ctypes.c_int64()
    for name, value in load(parameters).items():
        library.call('tower_tensor', model, name.encode(), ctypes.byref(place), ctypes.byref(count))
        if count.value != value.size:
            raise SystemExit(f'error: {name}: {value.size} numbers in {parameters}, {count.value} in the model')
        np.ctypeslib.as_array(place, (count.value,))[:] = value.reshape(-1)

    manifest = json.loads(library.call('tower_manifest', model))
    results = 1 + len(manifest['losses'])
    losses = (ctypes.c_float * results)()

    def step(number):
        rate = library.call('tower_rate', model, ctypes.c_int64(number))
        if library.train_step(model, ctypes.c_int64(number), seed, ctypes.c_float(rate), losses,
                              ctypes.c_int64(results)):
            library.fail()
        return losses

    arena = next(entry['arena_bytes'] for entry in manifest['entries'] if entry['name'] == 'train_step')
    worker.serve(lambda steps: None, step,
                 {'what': f'towerc {manifest["towerc"]}, {manifest["targets"][0]["cpu"]}',
                  'arena_bytes': arena, 'tensor_bytes': manifest['tensor_bytes']})


main()
