# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One training run and its result file. A run that has its file is never repeated; one that was cut is resumed."""
import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import time

import numpy
from dataset import Fault, read_json

LENGTH = 20  # of a key, in hexadecimal digits


@dataclasses.dataclass(frozen=True)
class Run:
    """What determines a result, and so the name of its file."""
    arm: str
    percent: int      # of the training pairs
    setting: str      # for people
    losses: str
    seed: int
    steps: int
    validate_every: int
    test: bool        # whether the test fold is evaluated

    def title(self):
        purpose = "seed" if self.test else "grid, seed"
        return f"{self.percent} %  {self.arm}  {self.setting}  {purpose} {self.seed}"


class Runner:
    """Makes runs in `folder`: results/KEY.json and, for those that were tested, results/KEY.ranks.npy."""

    def __init__(self, dataset, towerc, folder, threads=None):
        self.dataset, self.towerc, self.folder, self.threads = dataset, towerc, folder, threads
        self.fingerprint = dataset.fingerprint()
        with open(dataset.spec, encoding="utf-8") as file:
            self.spec = file.read()
        for name in ("results", "work"):
            os.makedirs(os.path.join(folder, name), exist_ok=True)

    def digest(self, *parts):
        return hashlib.sha256("\0".join((self.fingerprint, self.spec, *parts)).encode()).hexdigest()[:LENGTH]

    def key(self, run):
        # The arm's name and the setting's text say again what the losses say.
        facts = ["last checkpoint", run.losses, f"{run.percent} {run.seed} {run.steps} {run.validate_every} {run.test}",
                 " ".join(self.dataset.evaluate)]
        return self.digest(*facts)

    def path(self, run, ending):
        return os.path.join(self.folder, "results", self.key(run) + ending)

    def result(self, run):
        """The result, or None where the run is still to be made."""
        path = self.path(run, ".json")
        if not os.path.exists(path):
            return None
        result = read_json(path)
        wanted = {"curve", "seconds"} | ({"figures"} if run.test else set())
        if not isinstance(result, dict) or not wanted <= set(result):
            raise Fault(f"'{path}' is not the result of a run; remove it and run again")
        return result

    def ranks(self, run):
        """[pairs, 3] of the test fold: query, item, rank or 0."""
        path = self.path(run, ".ranks.npy")
        try:
            ranks = numpy.load(path)
        except (OSError, ValueError, EOFError) as error:
            raise Fault(f"'{path}' cannot be read ({error}); remove it and '{self.path(run, '.json')}', "
                        "and run again") from error
        if ranks.ndim != 2 or ranks.shape[1] != 3:
            raise Fault(f"'{path}' has shape {ranks.shape}; remove it and '{self.path(run, '.json')}', and run again")
        return ranks

    def call(self, *command):
        """Its standard output. What it said is shown where it fails."""
        log = os.path.join(self.folder, "work", "log")
        with open(log, "w", encoding="utf-8") as errors:
            # In a group of its own, so that Ctrl-C reaches it once, from here: a second signal would end it without saving.
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, process_group=0)
            try:
                output, _ = process.communicate()
            except KeyboardInterrupt:
                process.terminate()
                process.communicate()
                raise
        if process.returncode != 0:
            with open(log, encoding="utf-8") as file:
                said = file.read().strip().splitlines()[-20:]
            raise Fault("\n".join([f"failed: {' '.join(command)}", *said]))
        return output

    def executable(self, run):
        """The compiled model; one for all seeds and slices."""
        path = os.path.join(self.folder, "work", f"model-{self.digest(run.losses)}")
        if not os.path.exists(path):
            self.call(self.towerc, self.dataset.spec, "--data", self.dataset.folder, "--set", f"losses={run.losses}",
                      "-o", path + ".new")
            os.replace(path + ".new", path)
        return path

    def make(self, run):
        """Trains, evaluates and writes the result."""
        start, work = time.monotonic(), os.path.join(self.folder, "work", self.key(run))
        executable = self.executable(run)
        os.makedirs(work, exist_ok=True)
        threads = ["--threads", str(self.threads)] if self.threads else []
        common = ["--data", self.dataset.folder, *threads]
        checkpoint = os.path.join(work, "model.safetensors")
        self.call(executable, "train", *common, "--checkpoint", checkpoint, "--resume", "--seed", str(run.seed),
                  "--steps", str(run.steps), "--fraction", str(run.percent / 100), "--validate-every",
                  str(run.validate_every), "--metrics", work, "--quiet")
        result = {"run": dataclasses.asdict(run), "curve": curve(os.path.join(work, "train.jsonl"))}
        if run.test:
            ranks = os.path.join(work, "ranks.npy")
            # Not the best checkpoint: which one is best on the validation fold is chance where curves are flat, and
            # head and tail differ more between checkpoints than between arms.
            told = self.call(executable, "evaluate", *common, "--checkpoint", checkpoint, "--split", "test", "-k", "10,50",
                             *self.dataset.evaluate, "--ranks", ranks, "--json")
            result["figures"] = json.loads(told)["results"][0]
            os.replace(ranks, self.path(run, ".ranks.npy"))
        result["seconds"] = round(time.monotonic() - start, 1)
        path = self.path(run, ".json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
            file.write("\n")
        os.replace(path + ".new", path)
        shutil.rmtree(work)
        return result


def curve(path):
    """The validations of a run, by step. A resumed run has removed lines that it repeated."""
    points = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            values = json.loads(line)
            if "validation/recall@50" in values:
                points.append({"step": values["step"],
                               **{name: values[f"validation/{name}"]
                                  for name in ("recall@50", "head_recall@50", "tail_recall@50")}})
    return points


class Progress:
    """A line a run on standard error, with the time that the rest will take."""

    def __init__(self, runner, planned, say):
        self.runner, self.say, self.planned = runner, say, planned
        self.left = {}
        self.seconds = {}  # by slice
        self.done = 0

    def expect(self, runs):
        """Adds runs that are planned; those with a result only teach how long a run takes."""
        missing = []
        for run in runs:
            result = self.runner.result(run)
            if result is None:
                missing.append(run)
                self.left[run.percent] = self.left.get(run.percent, 0) + 1
            else:
                self.seconds.setdefault(run.percent, []).append(result["seconds"])
                self.done += 1
        return missing

    def finished(self, run, result):
        self.done += 1
        self.left[run.percent] -= 1
        self.seconds.setdefault(run.percent, []).append(result["seconds"])
        self.say(f"[{self.done}/{self.planned}] {run.title()}: validation recall@50 {result['curve'][-1]['recall@50']:.4f} "
                 f"({result['seconds']:.0f} s; about {shown_time(self.time_left())} left)")

    def time_left(self):
        known = {percent: sum(each) / len(each) for percent, each in self.seconds.items()}
        fallback = max(known.values())
        listed = sum(count * known.get(percent, fallback) for percent, count in self.left.items())
        unlisted = self.planned - self.done - sum(self.left.values())
        return listed + unlisted * fallback


def shown_time(seconds):
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
