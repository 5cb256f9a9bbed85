# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mutual information of a catalogue's columns (the paper, section 4.2.1).

MI(V, U) = sum_{v, u} P(v, u) log(P(v, u) / (P(v) P(u))), in nats, where P
counts rows of the catalogue. Missing is a value; numbers count as deciles;
each of a row's n values counts 1/n.
"""
import json
import os

import numpy as np


def symbols(column):
    """(first entry of each row, one more; symbol of each entry).

    A row's entries share its mass equally.
    """
    rows = column.rows
    if column.kind == 'SINGLE':
        return np.arange(rows + 1), column.ids.astype(np.int64)
    if column.kind == 'DENSE':
        width = column.numbers.shape[1]
        bins = [deciles(x) + 10 * i for i, x in enumerate(column.numbers.T)]
        return np.arange(rows + 1) * width, np.stack(bins, 1).reshape(-1)
    counts = np.diff(column.offsets)
    entries = np.maximum(counts, 1)     # An empty list counts as value 0.
    offsets = np.concatenate([[0], np.cumsum(entries)])
    result = np.zeros(offsets[-1], np.int64)
    positions, indices, ids = column.lists(np.arange(rows))
    result[offsets[positions] + indices] = ids
    return offsets, result


def deciles(numbers):
    """0..9: the tenth of the sorted rows in which a number first occurs."""
    below = np.searchsorted(np.sort(numbers), numbers, side='left')
    return below * 10 // len(numbers)


def mutual_information(first, second):
    """Of two columns, each as (offsets, symbols)."""
    (offsets, v), (others, u) = first, second
    rows = len(offsets) - 1
    n, m = np.diff(offsets), np.diff(others)
    row = np.repeat(np.arange(rows), n)         # of each entry of `first`
    left = np.repeat(np.arange(len(v)), m[row])
    starts = np.cumsum(m[row]) - m[row]
    right = others[row[left]] + np.arange(len(left)) - starts[left]
    mass = 1.0 / (rows * n * m)[row[left]]

    pairs, place = np.unique(v[left] * (u.max() + 1) + u[right],
                             return_inverse=True)
    joint = np.bincount(place, mass)
    p_v = np.bincount(v, 1.0 / (rows * np.repeat(n, n)))
    p_u = np.bincount(u, 1.0 / (rows * np.repeat(m, m)))
    expected = p_v[pairs // (u.max() + 1)] * p_u[pairs % (u.max() + 1)]
    return float((joint * np.log(joint / expected)).sum())


def by_chance(first, second, shuffles=10, seed=1):
    """Mean and deviation of what two columns share when one's rows are
    shuffled: plug-in MI of large vocabularies is mostly that."""
    random = np.random.default_rng(seed)
    offsets, symbols_ = second
    lists = np.split(symbols_, offsets[1:-1])
    found = []
    for _ in range(shuffles):
        shuffled = [lists[row] for row in random.permutation(len(lists))]
        ends = np.cumsum([0] + [len(values) for values in shuffled])
        found.append(mutual_information(first,
                                        (ends, np.concatenate(shuffled))))
    return np.mean(found), np.std(found, ddof=1)


def matrix(entity, names):
    """MI of all pairs of columns; the diagonal is left 0."""
    columns = [symbols(entity.columns[name]) for name in names]
    result = np.zeros((len(names), len(names)))
    for i, first in enumerate(columns):
        for j in range(i):
            value = mutual_information(first, columns[j])
            result[i, j] = result[j, i] = value
    return result


def order(information):
    """order[s]: the others by falling MI with s, ties by position."""
    features = range(len(information))
    return [sorted((f for f in features if f != s),
                   key=lambda f, s=s: (-information[s][f], f))
            for s in features]


def feature_order(dataset, entity, names, corrected):
    """What correlated masks of a tower with these columns compare.

    The shuffles of the corrected kind are those of `towerc data mi`, in the
    data's mi.json; the plug-in kind is computed here.
    """
    key = (entity, tuple(names), corrected)
    if key not in _orders:
        _orders[key] = order(stored(dataset, entity, names) if corrected else
                             matrix(dataset.entities[entity], names))
    return _orders[key]


_orders = {}


def check(dataset, entity):
    """What is wrong with an entity's mi.json; the shuffles of `towerc data
    mi` are its own, so they are compared with others up to their noise."""
    names = list(entity.columns)
    plugin, shuffled, corrected = (
        stored(dataset, entity.name, names, kind)
        for kind in ('plugin', 'shuffled', 'corrected'))
    errors = []
    columns = [symbols(entity.columns[name]) for name in names]
    for i, first in enumerate(names):
        for j in range(i):
            place = f'{first}, {names[j]}: '
            own = mutual_information(columns[i], columns[j])
            for a, b in [(i, j), (j, i)]:
                if abs(plugin[a, b] - own) > 1e-6:
                    errors.append(f'{place}{plugin[a, b]}, not {own}')
                if abs(plugin[a, b] - shuffled[a, b] - corrected[a, b]) > 1e-9:
                    errors.append(f'{place}corrected is not the difference')
            chance, noise = by_chance(columns[i], columns[j])
            if abs(shuffled[i, j] - chance) > 5 * noise + 1e-6:
                errors.append(f'{place}{shuffled[i, j]} shuffled, not '
                              f'{chance} with a deviation of {noise}')
    return errors


def stored(dataset, entity, names, kind='corrected'):
    """`plugin`, `shuffled` or `corrected` MI from the data's mi.json."""
    path = os.path.join(dataset.folder, entity, 'mi.json')
    with open(path) as file:
        text = json.load(file)
    places = [text['features'].index(name) for name in names]
    size = len(text['features'])
    return np.array(text[kind]).reshape(size, size)[np.ix_(places, places)]
