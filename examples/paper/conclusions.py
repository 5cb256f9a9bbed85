# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What was reproduced and what was not, said by rules from the figures: a difference in tail recall@50 counts where
both paired tests have p < 0.01."""
from arms import ARMS

LEVEL = 0.01


def verdict(comparison):
    """+1 and -1: better and worse by both tests; 0: they cannot tell."""
    if comparison.p_seeds is None or comparison.p_queries is None:
        return 0
    if max(comparison.p_seeds, comparison.p_queries) >= LEVEL:
        return 0
    return 1 if comparison.difference > 0 else -1


def shown_p(p):
    return "-" if p is None else "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def measured(comparison):
    def p(value):
        return "p unknown" if value is None else f"p {shown_p(value)}" if value < 0.0001 else f"p = {shown_p(value)}"
    return f"{comparison.difference:+.4f}, {p(comparison.p_seeds)} over seeds, {p(comparison.p_queries)} over queries"


# (what the paper says, the arm, what it is compared with); "best": the best of FD and SO.
CLAIMS = (
    ("Self-supervision with complementary random masks beats no regularization", "rfm", "none"),
    ("It beats the best of feature dropout and spread-out", "rfm", "best"),
    ("Correlated masks (plug-in MI, as in the paper) beat no regularization", "cfm", "none"),
    ("Correlated masks (plug-in MI) beat random ones", "cfm", "rfm"),
    ("Correlated masks with corrected MI beat random ones", "cfm-corrected", "rfm"),
    ("Complementary random masks beat the same mask in both views", "rfm", "rfm-same"),
    ("Complementary random masks beat independent ones", "rfm", "rfm-independent"),
    ("Complementary correlated masks (plug-in MI) beat the same mask", "cfm", "cfm-same"),
    ("Value dropout helps complementary random masks", "rfm", "rfm-no-dropout"),
    ("Items drawn uniformly beat the batch's items", "rfm", "rfm-batch"),
)
WORDS = {1: "**reproduced**", 0: "**cannot be told**", -1: "**not reproduced: it is the other way round**"}


def claims(study, percent):
    """[(claim, its verdict, the comparison, the other arm)] of those whose arms were run."""
    found = []
    for text, arm, other in CLAIMS:
        against = study.best_baseline(percent) if other == "best" else other
        if arm in study.plan.arms and against in study.plan.arms:
            comparison = study.compare(percent, arm, against)
            found.append((text, verdict(comparison), comparison, against))
    return found


def points(study, percent):
    lines = []
    for text, found, comparison, against in claims(study, percent):
        lines.append(f"{text}: {WORDS[found]} ({measured(comparison)}, against {ARMS[against].title}).")
    return lines


def summary(study):
    """One paragraph."""
    found = {}  # verdict: {claim: slices where it is that}
    for percent in study.plan.slices:
        for text, value, _, _ in claims(study, percent):
            found.setdefault(value, {}).setdefault(text, []).append(f"{percent} %")
    sentences = []
    for value, word in ((1, "Reproduced"), (-1, "Not reproduced, but found the other way round"),
                        (0, "Neither shown nor refuted")):
        if value in found:
            listed = "; ".join(f'"{text}" ({" and ".join(slices)})' for text, slices in found[value].items())
            sentences.append(f"{word}: {listed}.")
    if not sentences:
        return ""
    sentences.insert(0, "All on tail recall@50, in brackets with which share of the training pairs.")
    return " ".join(sentences + [text for text in (sparse(study), rare(study)) if text])


def sparse(study):
    """The paper: most is gained where labels are sparse."""
    if len(study.plan.slices) < 2 or not {"rfm", "none"} <= set(study.plan.arms):
        return ""
    ratios = [study.mean(percent, "rfm") / max(study.mean(percent, "none"), 1e-9) - 1 for percent in study.plan.slices]
    few, many = study.plan.slices[0], study.plan.slices[-1]
    said = "as the paper has it" if ratios[0] > ratios[-1] else "unlike in the paper, where sparse labels gain most"
    return (f"Complementary random masks change tail recall@50 by {100 * ratios[0]:+.0f} % of its value with {few} % of the "
            f"pairs and by {100 * ratios[-1]:+.0f} % with {many} %, {said}.")


def rare(study):
    """The paper: rare items gain most."""
    if not {"rfm", "none"} <= set(study.plan.arms):
        return ""
    percent = study.plan.slices[0]
    gain = study.gains[percent, "rfm"] - study.gains[percent, "none"]
    rarest, commonest = float(gain[:5].mean()), float(gain[5:].mean())
    return (f"With {percent} % of the pairs the rarer half of the test pairs gains {rarest:+.3f} of recall@50, the more "
            f"frequent half {commonest:+.3f}.")
