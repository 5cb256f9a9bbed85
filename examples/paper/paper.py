#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The paper's experiments on a dataset: a grid per arm on the validation fold, seeds on the test fold, a report.

A run that is stopped goes on with what is missing. ./examples/paper/run installs and builds what this needs first.
"""
import argparse
import os
import signal
import sys

from arms import ARMS, QUICK
from dataset import Dataset, Fault
from plan import Plan, carry_out
from runs import Progress, Runner

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def say(text):
    print(text, file=sys.stderr, flush=True)


def names(text):
    return tuple(each for each in text.split(",") if each)


def parse():
    parser = argparse.ArgumentParser(prog="examples/paper/run", description=__doc__.split("\n")[0])
    depth = parser.add_mutually_exclusive_group()
    depth.add_argument("--quick", action="store_true", help="10 %% of the pairs, 3 seeds, five arms, small grids (default)")
    depth.add_argument("--full", action="store_true", help="10 %% and 100 %% of the pairs, 5 seeds, all arms")
    parser.add_argument("--dataset", default="debian", metavar="NAME",
                        help="a folder of examples/ with a paper.json, or the path of such a file (default: debian)")
    parser.add_argument("--arms", type=names, metavar="A,B", help=f"of: {', '.join(ARMS)}")
    parser.add_argument("--slices", type=names, metavar="P,Q", help="per cent of the training pairs, as 10,100")
    parser.add_argument("--seeds", type=int, metavar="N", help="how many (from 1 on)")
    parser.add_argument("--threads", type=int, metavar="N", help="default: one for each CPU; results do not depend on it")
    parser.add_argument("--towerc", default=os.path.join(ROOT, "build/release/bin/towerc"), metavar="PATH")
    parser.add_argument("--out", metavar="FOLDER", help="default: build/examples/paper/DATASET")
    return parser.parse_args()


def plan_of(arguments):
    quick = not arguments.full
    arms = arguments.arms or (QUICK if quick else tuple(ARMS))
    for arm in arms:
        if arm not in ARMS:
            raise Fault(f"there is no arm '{arm}'; allowed: {', '.join(ARMS)}")
    texts = arguments.slices or (("10",) if quick else ("10", "100"))
    if not all(text.isdigit() and 0 < int(text) <= 100 for text in texts):
        raise Fault("--slices are whole numbers from 1 to 100, as 10,100")
    seeds = arguments.seeds if arguments.seeds is not None else 3 if quick else 5
    if seeds < 1:
        raise Fault("--seeds must be 1 or more")
    ordered = tuple(arm for arm in ARMS if arm in arms)
    return Plan(quick, ordered, tuple(sorted(set(map(int, texts)))), seeds)


def command_of(plan, arguments):
    """The command that makes this report, with what differs from the defaults said."""
    parts = ["./examples/paper/run", "--quick" if plan.quick else "--full", "--dataset", arguments.dataset]
    for name in ("arms", "slices", "seeds"):
        value = getattr(arguments, name)
        if value is not None:
            parts += [f"--{name}", ",".join(value) if isinstance(value, tuple) else str(value)]
    return " ".join(parts)


def main():
    arguments = parse()
    plan = plan_of(arguments)
    dataset = Dataset(ROOT, arguments.dataset)
    if any(ARMS[arm].needs_mi for arm in plan.arms) and dataset.mutual_information() is None:
        raise Fault(f"'{dataset.folder}' has no mutual information; run `towerc data mi {dataset.folder}`")
    folder = arguments.out or os.path.join(ROOT, "build/examples/paper", dataset.name)
    runner = Runner(dataset, arguments.towerc, folder, arguments.threads)
    say(f"{dataset.title}: {plan.total()} runs; results are in {folder}")
    outcomes = carry_out(plan, dataset, runner, Progress(runner, plan.total(), say))
    # Plots take a while to load, so only now.
    import report
    from study import Study
    say(f"report: {report.write(Study(plan, dataset, runner, outcomes), command_of(plan, arguments), folder)}")


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell started this with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    try:
        main()
    except Fault as fault:
        sys.exit(f"error: {fault}")
    except KeyboardInterrupt:
        say("stopped; the same command goes on from here")
        sys.exit(130)
