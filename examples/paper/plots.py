# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The report's plots, by matplotlib: SVG files that are the same for the same figures."""
import os

import matplotlib
import numpy

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "towerc", "svg.fonttype": "none", "font.size": 9, "axes.grid": True,
                            "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})
from matplotlib import pyplot  # noqa: E402 (the backend comes first)

from arms import ARMS  # noqa: E402


def save(figure, path):
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def style(arms):
    """A colour and a line for each arm, the same in every plot."""
    colours = matplotlib.colormaps["tab10"].colors
    return {arm: {"color": colours[number % 10], "linestyle": "-" if number < 10 else "--"}
            for number, arm in enumerate(arms)}


def legend_beside(axis):
    """Arms are too many to find room among their lines."""
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5), handlelength=3, frameon=False)


def learning_curves(study, percent, folder):
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 3.8))
    looks = style(study.plan.arms)
    for axis, metric in zip(axes, ("recall@50", "tail_recall@50")):
        for arm in study.plan.arms:
            curves = [result["curve"] for result in study.outcomes[percent, arm].results]
            steps = [point["step"] for point in curves[0]]
            axis.plot(steps, numpy.mean([[point[metric] for point in curve] for curve in curves], axis=0),
                      label=ARMS[arm].title, marker=".", **looks[arm])
        axis.set_xlabel("step")
        axis.set_title(f"validation {metric.replace('_', ' ')}")
    legend_beside(axes[1])
    name = f"curves-{percent}.svg"
    save(figure, os.path.join(folder, name))
    return name


def gains(study, percent, folder):
    """Recall@50 of each arm less that of none, by decile of the item's training pairs."""
    figure, axis = pyplot.subplots(figsize=(10, 3.8))
    looks = style(study.plan.arms)
    names = [f"{low}" if low == high else f"{low}-{high}" for low, high in study.decile_counts]
    for arm in study.plan.arms:
        if arm != "none":
            difference = study.gains[percent, arm] - study.gains[percent, "none"]
            axis.plot(range(len(names)), difference[:len(names)], label=ARMS[arm].title, marker=".", **looks[arm])
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_xticks(range(len(names)), names, fontsize=7)
    axis.set_xlabel("training pairs of the item (each part: a tenth of the test pairs)")
    axis.set_ylabel("recall@50 less that of none")
    legend_beside(axis)
    name = f"gains-{percent}.svg"
    save(figure, os.path.join(folder, name))
    return name


def mutual_information(information, folder):
    """Both matrices in nats; a diagonal of entropies would drown the rest, so it is left out."""
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4.6))
    names = information["features"]
    for axis, kind in zip(axes, ("plugin", "corrected")):
        matrix = numpy.array(information[kind], float)
        numpy.fill_diagonal(matrix, numpy.nan)
        shown = axis.imshow(matrix, cmap="viridis")
        axis.grid(False)
        axis.set_xticks(range(len(names)), names, rotation=60, ha="right")
        axis.set_yticks(range(len(names)), names)
        middle = numpy.nanmax(matrix) / 2
        for row, column in numpy.argwhere(~numpy.isnan(matrix)):
            axis.text(column, row, f"{matrix[row, column]:.1f}", ha="center", va="center", fontsize=6.5,
                      color="white" if matrix[row, column] < middle else "black")
        axis.set_title(f"{'plug-in' if kind == 'plugin' else 'corrected'} mutual information (nats)")
        figure.colorbar(shown, ax=axis, shrink=0.8)
    name = "mutual-information.svg"
    save(figure, os.path.join(folder, name))
    return name
