# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reverse-mode differentiation of the few operations that the model needs.

A node holds a value and, for each operand, the function that turns the
gradient of the node into its share of the operand's gradient.
"""
import math

import numpy as np

erf = np.vectorize(math.erf, otypes=[float])


class Node:
    def __init__(self, value, *operands):
        self.value = np.asarray(value, float)
        self.operands = operands    # (node, its share of the gradient)
        self.gradient = None


def backward(result):
    """Sets `gradient` of every node that `result`, a scalar, depends on."""
    order, seen = [], set()

    def visit(node):
        if id(node) not in seen:
            seen.add(id(node))
            for operand, _ in node.operands:
                visit(operand)
            order.append(node)

    visit(result)
    for node in order:
        node.gradient = np.zeros_like(node.value)
    result.gradient += 1.0
    for node in reversed(order):
        for operand, share in node.operands:
            operand.gradient += share(node.gradient)


def matmul(a, b):
    return Node(a.value @ b.value,
                (a, lambda g: g @ b.value.T), (b, lambda g: a.value.T @ g))


def products(a, b):
    """<a_i, b_j> for all rows i of a and j of b."""
    return Node(a.value @ b.value.T,
                (a, lambda g: g @ b.value), (b, lambda g: g.T @ a.value))


def add_row(a, row):
    return Node(a.value + row.value,
                (a, lambda g: g), (row, lambda g: g.sum(0)))


def repeat(row, count):
    """`count` copies of a vector, as a matrix."""
    return Node(np.tile(row.value, (count, 1)), (row, lambda g: g.sum(0)))


def side_by_side(nodes):
    ends = np.cumsum([node.value.shape[1] for node in nodes])
    starts = ends - [node.value.shape[1] for node in nodes]

    def slicer(start, end):
        return lambda g: g[:, start:end]

    return Node(np.concatenate([node.value for node in nodes], 1),
                *[(node, slicer(*span))
                  for node, *span in zip(nodes, starts, ends)])


def pool(table, positions, ids, factors, count):
    """Row p: the sum of factor x table[id] over the values at position p."""
    def share(g):
        gradient = np.zeros_like(table.value)
        np.add.at(gradient, ids, factors[:, None] * g[positions])
        return gradient

    value = np.zeros((count, table.value.shape[1]))
    np.add.at(value, positions, factors[:, None] * table.value[ids])
    return Node(value, (table, share))


def activation(a, kind):
    x = a.value
    if kind == 'RELU':
        y, slope = np.maximum(x, 0), (x > 0) * 1.0
    elif kind == 'TANH':
        y = np.tanh(x)
        slope = 1 - y * y
    elif kind == 'GELU':
        normal = (1 + erf(x / math.sqrt(2))) / 2
        density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        y, slope = x * normal, normal + x * density
    else:
        return a
    return Node(y, (a, lambda g: g * slope))


def normalize(a):
    """z / max(|z|, 1e-12) for every row z."""
    true = np.linalg.norm(a.value, axis=1, keepdims=True)
    norm = np.maximum(true, 1e-12)
    y = a.value / norm

    def share(g):
        radial = np.where(true > 1e-12, (g * y).sum(1, keepdims=True), 0)
        return (g - y * radial) / norm

    return Node(y, (a, share))


def affine(a, factor, shift=0.0):
    """factor x a + shift, with a constant array as the shift."""
    return Node(factor * a.value + shift, (a, lambda g: factor * g))


def cross_entropy(scores, kept, weights):
    """Softmax cross entropy; row i's positive is column i.

    Only the columns with kept[i, u] are in row i's sum. The mean over rows is
    weighted: 1/W sum_i w_i (log sum_u exp(s_iu) - s_ii), W = sum_i w_i.
    """
    s = np.where(kept, scores.value, -np.inf)
    rows = np.arange(len(s))
    top = s.max(1, keepdims=True)
    terms = np.exp(s - top)
    total = terms.sum(1, keepdims=True)
    entropies = (top + np.log(total))[:, 0] - s[rows, rows]
    share_of_row = weights / weights.sum()

    def share(g):
        p = terms / total
        p[rows, rows] -= 1
        return g * share_of_row[:, None] * p

    return Node(share_of_row @ entropies, (scores, share))


def mean_square_off_diagonal(a):
    """1/N sum_i sum_{j != i} a_ij^2."""
    off = a.value * (1 - np.eye(len(a.value)))
    return Node((off * off).sum() / len(off),
                (a, lambda g: g * 2 * off / len(off)))


def weighted_sum(nodes, weights):
    return Node(sum(w * n.value for n, w in zip(nodes, weights)),
                *[(n, lambda g, w=w: w * g) for n, w in zip(nodes, weights)])
