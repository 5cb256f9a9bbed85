# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the report says, computed from the outcomes: figures by arm and slice, comparisons, deciles."""
import figures
import numpy

BASELINES = ("fd", "so", "so-views")


class Study:
    def __init__(self, plan, dataset, runner, outcomes):
        self.plan, self.dataset, self.outcomes = plan, dataset, outcomes
        self.per_query = {}   # (percent, arm): [{(group, metric): PerQuery}] by seed
        self.gains = {}       # (percent, arm): recall@50 of each decile, mean over seeds
        decile = None
        for key, outcome in outcomes.items():
            ranks = [runner.ranks(run) for run in outcome.runs]
            if decile is None:
                first = ranks[0]
                decile = figures.deciles(first[:, 1], dataset.counts)
                self.test_pairs, self.test_queries = len(first), len(numpy.unique(first[:, 0]))
                self.tail_pairs = int((~dataset.head[first[:, 1]]).sum())
                self.decile_counts = [(int(dataset.counts[first[decile == each, 1]].min()),
                                       int(dataset.counts[first[decile == each, 1]].max()))
                                      for each in range(figures.DECILES) if (decile == each).any()]
            self.per_query[key] = [figures.per_query(each, dataset.head) for each in ranks]
            self.gains[key] = numpy.mean([figures.recall_by_decile(each, decile) for each in ranks], axis=0)

    def values(self, percent, arm, group, metric):
        return [each[group, metric].figure() for each in self.per_query[percent, arm]]

    def mean(self, percent, arm, group="tail", metric="recall@50"):
        return float(numpy.mean(self.values(percent, arm, group, metric)))

    def best_baseline(self, percent, group="tail", metric="recall@50"):
        """The best of FD and SO on that figure, or None where neither was run."""
        known = [arm for arm in BASELINES if arm in self.plan.arms]
        return max(known, key=lambda arm: self.mean(percent, arm, group, metric), default=None)

    def compare(self, percent, arm, other, group="tail", metric="recall@50"):
        return figures.compare([each[group, metric] for each in self.per_query[percent, arm]],
                               [each[group, metric] for each in self.per_query[percent, other]])
