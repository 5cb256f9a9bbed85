# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Figures of a test fold from the ranks of its pairs, as `evaluate --ranks` writes them, and their paired tests."""
import dataclasses

import numpy
from scipy import stats

GROUPS = ("overall", "head", "tail")
METRICS = ("recall@10", "recall@50", "map@10")
DECILES = 10


@dataclasses.dataclass
class PerQuery:
    """Sums of each query; a figure is sum(value) / sum(count)."""
    value: numpy.ndarray
    count: numpy.ndarray

    def figure(self):
        return float(self.value.sum() / self.count.sum()) if self.count.sum() else 0.0


def per_query(ranks, head):
    """{(group, metric): PerQuery}. Recall overall and MAP are means over queries, recall of head and tail is hits over
    pairs, as `evaluate` has them; MAP of head and tail takes the group's items alone as relevant."""
    queries, index = numpy.unique(ranks[:, 0], return_inverse=True)
    group_of = {"overall": numpy.ones(len(ranks), bool), "head": head[ranks[:, 1]], "tail": ~head[ranks[:, 1]]}
    figures = {}
    for group, member in group_of.items():
        relevant = numpy.bincount(index[member], minlength=len(queries)).astype(float)
        for k in (10, 50):
            hit = member & (ranks[:, 2] > 0) & (ranks[:, 2] <= k)
            hits = numpy.bincount(index[hit], minlength=len(queries)).astype(float)
            if group == "overall":
                figures[group, f"recall@{k}"] = PerQuery(hits / relevant, numpy.ones(len(queries)))
            else:
                figures[group, f"recall@{k}"] = PerQuery(hits, relevant)
        precision = average_precision(index, ranks[:, 2], member, relevant, 10)
        figures[group, "map@10"] = PerQuery(precision, (relevant > 0).astype(float))
    return figures


def average_precision(index, rank, member, relevant, k):
    """Of each query: the sum of precision at each hit / min(k, relevant)."""
    hit = numpy.flatnonzero(member & (rank > 0) & (rank <= k))
    hit = hit[numpy.lexsort((rank[hit], index[hit]))]
    query = index[hit]
    first = numpy.searchsorted(query, query)  # where the query's hits begin
    precision = (numpy.arange(len(hit)) - first + 1) / rank[hit]
    sums = numpy.bincount(query, weights=precision, minlength=len(relevant))
    return sums / numpy.maximum(1, numpy.minimum(k, relevant))


def deciles(items, counts):
    """The decile of each test pair by training pairs of its item: equal parts of the pairs, the rarest first."""
    order = numpy.lexsort((items, counts[items]))
    decile = numpy.empty(len(items), int)
    decile[order] = numpy.arange(len(items)) * DECILES // max(1, len(items))
    return decile


def recall_by_decile(ranks, decile):
    """Recall@50 of each decile's pairs, and the pairs."""
    hit = (ranks[:, 2] > 0) & (ranks[:, 2] <= 50)
    pairs = numpy.bincount(decile, minlength=DECILES)
    return numpy.bincount(decile[hit], minlength=DECILES) / numpy.maximum(1, pairs)


def mean_and_deviation(values):
    """Over seeds; the deviation of one seed is unknown."""
    return float(numpy.mean(values)), float(numpy.std(values, ddof=1)) if len(values) > 1 else None


def paired(differences):
    """Two-sided p of Student's paired t; None where there is nothing to compare, 1 where nothing differs."""
    differences = numpy.asarray(differences, float)
    if len(differences) < 2:
        return None
    if numpy.all(differences == differences[0]):
        return 1.0 if differences[0] == 0 else 0.0
    return float(stats.ttest_1samp(differences, 0).pvalue)


@dataclasses.dataclass
class Comparison:
    difference: float
    p_seeds: float
    p_queries: float


def compare(ours, theirs):
    """`ours` and `theirs`: the PerQuery of one figure by seed. Over seeds: the runs of a seed are a pair. Over queries:
    a query's sum, averaged over seeds, is."""
    seeds = [one.figure() - other.figure() for one, other in zip(ours, theirs)]
    queries = numpy.mean([one.value - other.value for one, other in zip(ours, theirs)], axis=0)
    return Comparison(float(numpy.mean(seeds)), paired(seeds), paired(queries[ours[0].count > 0]))
