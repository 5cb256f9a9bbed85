# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""search_worker.py WAY VECTORS ANSWERS K THREADS [LIBRARY DATA]: the k best items of every query, by one WAY.

VECTORS is a folder with queries.npy, items.npy and own.npy, the item of each query that is no answer. Before anything is
timed, the answers are found once and written to ANSWERS (.npz).
"""
import ctypes
import os
import sys
import time

import numpy as np

import worker


def aligned(array):
    """A copy that starts at a cache line."""
    buffer = np.empty(array.nbytes + 64, dtype=np.uint8)
    start = -buffer.ctypes.data % 64
    copy = buffer[start:start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[:] = array
    return copy


def without_own(scores, rows, own, k):
    """The first k of each query's answers that are not its own item."""
    keep = np.argsort(rows == own[:, None], axis=1, kind='stable')[:, :k]
    return np.take_along_axis(scores, keep, 1), np.take_along_axis(rows, keep, 1)


def towerc(queries, items, own, k, threads, path, folder):
    from library import Library
    library = Library(path)
    data = ctypes.c_void_p(library.call('tower_dataset_open', folder.encode()))
    model = ctypes.c_void_p(library.call('tower_open', library.program, data, threads))
    queries, items = aligned(queries), aligned(items)
    offsets, excluded = np.arange(len(queries) + 1, dtype=np.int64), own.astype(np.int32)
    scores, rows = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int32)
    place = {name: array.ctypes.data_as(ctypes.c_void_p) for name, array in
             (('queries', queries), ('items', items), ('offsets', offsets), ('excluded', excluded),
              ('scores', scores), ('rows', rows))}

    def search():
        library.call('tower_score', model, place['queries'], ctypes.c_int64(len(queries)), place['items'],
                     ctypes.c_int64(len(items)), place['offsets'], place['excluded'], ctypes.c_int64(k),
                     place['scores'], place['rows'])
        return scores, rows
    return search, lambda found: found


def faiss(queries, items, own, k, threads):
    import faiss as library
    library.omp_set_num_threads(threads)
    index = library.IndexFlatIP(items.shape[1])
    index.add(items)
    # It leaves nothing out: it looks for one more.
    return lambda: index.search(queries, k + 1), lambda found: without_own(*found, own, k)


def numpy(queries, items, own, k, threads):
    block, transposed = 256, items.T

    def search():
        found = []
        for first in range(0, len(queries), block):
            scores = queries[first:first + block] @ transposed
            numbers = np.arange(len(scores))[:, None]
            scores[numbers[:, 0], own[first:first + block]] = -np.inf
            rows = np.argpartition(scores, -k, axis=1)[:, -k:]
            best = scores[numbers, rows]
            order = np.lexsort((rows, -best), axis=1)
            found.append((best[numbers, order], rows[numbers, order]))
        return tuple(np.concatenate(part) for part in zip(*found))
    return search, lambda found: found


def floor(queries, items, own, k, threads):
    """The product alone, by torch.mm, into the block of scores that turns out fastest."""
    import torch
    torch.set_num_threads(threads)
    queries, items = torch.from_numpy(queries), torch.from_numpy(items)

    def product(rows, columns):
        scores = torch.empty(rows * columns)
        for item in range(0, len(items), columns):
            some = items[item:item + columns].T
            for query in range(0, len(queries), rows):
                part = queries[query:query + rows]
                torch.mm(part, some, out=scores[:len(part) * some.shape[1]].view(len(part), -1))

    def seconds(shape):
        began = time.perf_counter()
        product(*shape)
        return time.perf_counter() - began

    shapes = [(rows, columns) for rows in (256, 1024, len(queries)) for columns in (512, 2048, 8192, len(items))
              if rows * columns <= 1 << 24]
    best = min(shapes, key=lambda shape: min(seconds(shape) for _ in range(2)))
    return lambda: product(*best), None


def main():
    way, folder, answers, k, threads, *more = sys.argv[1:]
    queries, items, own = (np.load(os.path.join(folder, name + '.npy')) for name in ('queries', 'items', 'own'))
    search, finish = globals()[way](queries, items, own, int(k), int(threads), *more)
    found = search()
    if finish:
        scores, rows = finish(found)
        np.savez(answers, scores=scores, rows=rows)

    def step(number):
        search()
        return []

    worker.serve(lambda steps: None, step, {})


main()
