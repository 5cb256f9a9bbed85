# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The report: report.md, report.html and their plots. Nothing in it depends on when or how fast it was made."""
import os

import conclusions
import figures
import masks
import plots
from arms import ARMS
from document import Document
from plan import GRID_SEED


def shown(values):
    mean, deviation = figures.mean_and_deviation(values)
    return f"{mean:.4f}" + (f" ± {deviation:.4f}" if deviation is not None else "")


def seeds_of(plan):
    return "one seed (which says nothing of how seeds differ)" if plan.seeds == 1 else f"{plan.seeds} seeds"


def figures_table(document, study, percent, columns):
    rows = []
    for arm in study.plan.arms:
        cells = [study.values(percent, arm, group, metric) for group, metric in columns]
        rows.append([ARMS[arm].title, *map(shown, cells)])
    names = [metric if group == "overall" else f"{group} {metric}" for group, metric in columns]
    document.table(["arm", *names], rows)


def comparison_table(document, study, percent):
    best = study.best_baseline(percent)
    rows = []
    for arm in study.plan.arms:
        cells = []
        for other in ("none", best):
            for group in ("overall", "tail"):
                if arm == other or other not in study.plan.arms:
                    cells += ["", ""]
                    continue
                found = study.compare(percent, arm, other, group)
                cells += [f"{found.difference:+.4f}",
                          f"{conclusions.shown_p(found.p_seeds)}, {conclusions.shown_p(found.p_queries)}"]
        rows.append([ARMS[arm].title, *cells])
    document.table(["arm", "R@50 - none", "p", "tail R@50 - none", "p", "R@50 - best baseline", "p",
                    "tail R@50 - best baseline", "p"], rows)
    if best:
        document.paragraph(f"The best of FD and SO on tail recall@50 is here: {ARMS[best].title}. Each p: over "
                           f"{seeds_of(study.plan)}, over {study.test_queries} queries.")


def slice_part(document, study, percent, folder):
    document.heading(f"{percent} % of the training pairs")
    figures_table(document, study, percent, [("overall", metric) for metric in figures.METRICS] +
                  [("head", "recall@50"), ("tail", "recall@50")])
    document.paragraph("The rest of head and tail:")
    figures_table(document, study, percent,
                  [(group, metric) for group in ("head", "tail") for metric in ("recall@10", "map@10")])
    document.paragraph("Paired differences:")
    comparison_table(document, study, percent)
    document.points(conclusions.points(study, percent) or ["No claim of the paper has both its arms among these."])
    document.plot(plots.learning_curves(study, percent, folder), f"Learning curves with {percent} % of the training pairs")
    if "none" in study.plan.arms:
        document.plot(plots.gains(study, percent, folder),
                      f"Gain by frequency of the item with {percent} % of the training pairs")
    document.paragraph("What the grid chose, by tail recall@50 on the validation fold (at the end of training, "
                       f"seed {GRID_SEED}):")
    rows = []
    for arm in study.plan.arms:
        outcome = study.outcomes[percent, arm]
        tried = "; ".join(f"{text}: {tail:.4f}" for text, tail in outcome.tried if tail is not None)
        rows.append([ARMS[arm].title, outcome.setting, tried or "-"])
    document.table(["arm", "chosen", "tried"], rows)


def masks_part(document, study, folder):
    information = study.dataset.mutual_information()
    if information is None:
        return
    names = information["features"]
    by_kind = {kind: masks.correlated(information[kind]) for kind in ("plugin", "corrected")}
    document.heading("What correlated masks hide")
    document.plot(plots.mutual_information(information, folder), "Mutual information of the item's features")
    random_share = (len(names) // 2) / len(names)
    document.table(["feature", "hidden by view 1: random", "plug-in MI", "corrected MI"],
                   [[name, f"{random_share:.2f}", *(f"{masks.hidden_share(by_kind[kind], number):.2f}"
                                                    for kind in ("plugin", "corrected"))]
                    for number, name in enumerate(names)])
    document.paragraph(
        f"A random mask is one of {masks.random_masks(len(names))}. Correlated masks are one for each seed feature: with "
        f"plug-in MI {len(set(by_kind['plugin']))} different ones, with corrected MI {len(set(by_kind['corrected']))}. "
        "A feature that nearly every mask hides is hardly ever seen by view 1 and always by view 2, so the two views are "
        "nearly the same two halves in every batch.")


def write(study, command, folder):
    plan, dataset = study.plan, study.dataset
    document = Document(f"The paper's experiments on {dataset.title}")
    document.paragraph(
        "Yao et al., *Self-supervised Learning for Large-scale Item Recommendations* (CIKM 2021), with towerc. "
        f"{dataset.note}")
    document.command(command)
    document.paragraph(f"{dataset.items} items; {dataset.train_pairs} training pairs; {study.test_pairs} pairs of "
                       f"{study.test_queries} queries in the test fold, {study.tail_pairs} of them of tail items (all but the "
                       "1 % of items with most training pairs).")
    document.heading("What was and was not reproduced")
    document.paragraph(conclusions.summary(study) or "No claim of the paper has both its arms among these.")
    missing = [arm for arm in ARMS if arm not in plan.arms]
    if missing:
        document.paragraph("Not run here: " + "; ".join(ARMS[arm].title for arm in missing) + ".")
    for percent in plan.slices:
        slice_part(document, study, percent, folder)
    masks_part(document, study, folder)
    document.heading("How")
    epochs = ", ".join(f"{dataset.epochs[percent]} epochs with {percent} %" for percent in plan.slices)
    document.points([
        f"Every arm is the model of `{os.path.basename(dataset.spec)}` with other losses (`towerc --set losses=[...]`); "
        f"batches of {dataset.batch}, {epochs}. The main loss is the same in all.",
        "Each arm has a grid of its own, tried with one seed and judged by tail recall@50 on the validation fold. A larger "
        "slice tries the two best settings of the smallest slice.",
        f"The chosen setting is trained with {seeds_of(plan)}, from 1 on, and evaluated on the test fold once, at the end of "
        "training. All arms take the same number of steps; none is stopped early.",
        "Recall and MAP are means over queries, recall of head and tail is hits over pairs, MAP of head and tail takes the "
        "group's items alone as relevant. Figures are mean ± standard deviation over seeds.",
        "p values are two-sided, of Student's paired t: over seeds (the runs of one seed are a pair), and over queries (each "
        "query's figure averaged over seeds; for head and tail its number of hits). They are not corrected for the number "
        "of comparisons.",
    ])
    for name, text in (("report.md", document.as_markdown()), ("report.html", document.as_html())):
        path = os.path.join(folder, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".new", path)
    return os.path.join(folder, "report.md")
