# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is run: a grid per arm and slice with seed 0 on the validation fold, then the chosen setting with seeds 1, 2, ...
on the test fold."""
import dataclasses

from arms import ARMS, shown
from dataset import Fault
from runs import Run

GRID_SEED = 0
VALIDATIONS = 3
CARRIED = 2  # settings that a larger slice tries, where the smallest has tried all


@dataclasses.dataclass
class Plan:
    quick: bool
    arms: tuple
    slices: tuple    # per cent of the training pairs, rising
    seeds: int

    def grid(self, arm):
        return ARMS[arm].quick if self.quick else ARMS[arm].full

    def tried(self, percent, arm):
        """How many settings are tried."""
        every = len(self.grid(arm))
        return every if percent == self.slices[0] else min(CARRIED, every)

    def total(self):
        """Runs in all. A grid of one setting is not run."""
        grids = [self.tried(percent, arm) for percent in self.slices for arm in self.arms]
        return sum(grid for grid in grids if grid > 1) + len(self.slices) * len(self.arms) * self.seeds


def run_of(dataset, percent, arm, setting, seed, test):
    if percent not in dataset.epochs:
        raise Fault(f"paper.json of '{dataset.name}' has no epochs for {percent} % of the pairs; "
                    f"allowed: {', '.join(map(str, dataset.epochs))}")
    steps = max(VALIDATIONS, int(dataset.epochs[percent] * dataset.train_pairs * percent / 100 / dataset.batch))
    every = steps // VALIDATIONS
    return Run(arm, percent, shown(setting), ARMS[arm].losses(dataset, setting), seed, every * VALIDATIONS, every, test)


@dataclasses.dataclass
class Outcome:
    """All of one arm on one slice."""
    arm: str
    percent: int
    setting: str
    tried: list        # (setting's text, what it is judged by or None where one setting is the grid), best first
    runs: list         # by seed
    results: list


def judged(result):
    """What a grid goes by: tail recall@50, which the paper's claim is about."""
    return result["curve"][-1]["tail_recall@50"]


def carry_out(plan, dataset, runner, progress):
    """{(percent, arm): Outcome}. Makes what is missing."""
    order = {}   # arm: its settings, best first on the slices before
    outcomes = {}

    def make(runs):
        for run in progress.expect(runs):
            progress.finished(run, runner.make(run))
        return [runner.result(run) for run in runs]

    for percent in plan.slices:
        for arm in plan.arms:
            settings = order.get(arm, plan.grid(arm))[:plan.tried(percent, arm)]
            best = [None]
            if len(settings) > 1:
                runs = [run_of(dataset, percent, arm, setting, GRID_SEED, False) for setting in settings]
                scores = [judged(result) for result in make(runs)]
                ranked = sorted(range(len(settings)), key=lambda each: -scores[each])  # stable: ties by the grid's order
                settings, best = [settings[each] for each in ranked], [scores[each] for each in ranked]
            order[arm] = tuple(settings)
            outcomes[percent, arm] = Outcome(arm, percent, shown(settings[0]),
                                             list(zip(map(shown, settings), best)),
                                             [run_of(dataset, percent, arm, settings[0], seed, True)
                                              for seed in range(1, plan.seeds + 1)], [])
        # Seed by seed over the arms, so that a run that is stopped has compared something.
        for index in range(plan.seeds):
            for arm in plan.arms:
                outcome = outcomes[percent, arm]
                outcome.results += make([outcome.runs[index]])
    return outcomes
