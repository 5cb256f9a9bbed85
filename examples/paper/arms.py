# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is compared: each arm is the losses of a model as text of the spec, with what a grid tries for it.

A setting holds `weight`, `temperature` and `dropout` of the second loss; for feature dropout `masked`, the number of
the item's features that a batch hides, instead of the first two. The main loss is the same in every arm.
"""
import dataclasses
from typing import Callable


@dataclasses.dataclass(frozen=True)
class Arm:
    title: str
    losses: Callable          # (dataset, setting) -> text of the field `losses`
    quick: tuple              # settings that --quick tries
    full: tuple               # settings that --full tries
    needs_mi: bool = False


def setting(weight=0.3, temperature=0.1, dropout=0.3):
    return {"weight": weight, "temperature": temperature, "dropout": dropout}


def without_dropout(settings):
    """Where nothing is dropped there is nothing to try for it."""
    return tuple({name: value for name, value in each.items() if name != "dropout"}
                 for each in settings if each["dropout"] == setting()["dropout"])


def main_loss(dataset, augmentation=""):
    main = dataset.main
    return (f'{{ name: "main" in_batch_softmax {{ query: "{main["query"]}" item: "{main["item"]}" '
            f'temperature: {main["temperature"]} logq: {main["logq"]}{augmentation} }} }}')


def none(dataset, _):
    return f"[{main_loss(dataset)}]"


def feature_dropout(dataset, chosen):
    mask = f"mask: RANDOM masked_features: {chosen['masked']} value_dropout: {chosen['dropout']}"
    return f"[{main_loss(dataset, f' augmentation {{ {mask} }}')}]"


def spread_out(dataset, chosen):
    return (f'[{main_loss(dataset)}, {{ name: "so" weight: {chosen["weight"]} '
            f'spread_out {{ tower: "{dataset.main["item"]}" items: UNIFORM }} }}]')


def contrastive(mask, views, items="UNIFORM", mi="", drop=True):
    """The loss of two views. Without a mask and without dropout both views are the item itself."""
    def losses(dataset, chosen):
        augmentation = ""
        if mask:
            dropout = f" value_dropout: {chosen['dropout']}" if drop else ""
            augmentation = f" augmentation {{ mask: {mask}{f' mi: {mi}' if mi else ''}{dropout} }}"
        return (f'[{main_loss(dataset)}, {{ name: "ssl" weight: {chosen["weight"]} '
                f'contrastive {{ tower: "{dataset.main["item"]}"{augmentation} views: {views} items: {items} '
                f'temperature: {chosen["temperature"]} }} }}]')
    return losses


FEW = (setting(0.1), setting(0.3))
STAR = (setting(), setting(0.1), setting(temperature=0.07), setting(dropout=0.1))
BARE = {"quick": without_dropout(FEW), "full": without_dropout(STAR)}
SQUARES = tuple({"weight": weight} for weight in (0.001, 0.01, 0.1))
MASKED = tuple({"masked": masked, "dropout": dropout} for masked, dropout in ((1, 0.1), (1, 0.3), (2, 0.1), (2, 0.3)))

ARMS = {
    "none": Arm("no regularization", none, ({},), ({},)),
    "fd": Arm("feature dropout (FD)", feature_dropout, MASKED[::3], MASKED),
    "so": Arm("spread-out, original form (SO)", spread_out, SQUARES[:2], SQUARES),
    "so-views": Arm("spread-out, identity views", contrastive("", "SAME"), **BARE),
    "rfm-same": Arm("random masks, same", contrastive("RANDOM", "SAME"), FEW, STAR),
    "rfm-independent": Arm("random masks, independent", contrastive("RANDOM", "INDEPENDENT"), FEW, STAR),
    "rfm": Arm("random masks, complementary", contrastive("RANDOM", "COMPLEMENTARY"), FEW, STAR),
    "cfm-same": Arm("correlated masks, plug-in MI, same", contrastive("CORRELATED", "SAME", mi="PLUGIN"), FEW, STAR,
                    needs_mi=True),
    "cfm": Arm("correlated masks, plug-in MI, complementary",
               contrastive("CORRELATED", "COMPLEMENTARY", mi="PLUGIN"), FEW, STAR, needs_mi=True),
    "cfm-corrected-same": Arm("correlated masks, corrected MI, same",
                              contrastive("CORRELATED", "SAME", mi="CORRECTED"), FEW, STAR, needs_mi=True),
    "cfm-corrected": Arm("correlated masks, corrected MI, complementary",
                         contrastive("CORRELATED", "COMPLEMENTARY", mi="CORRECTED"), FEW, STAR, needs_mi=True),
    "rfm-no-dropout": Arm("random masks, complementary, no value dropout",
                          contrastive("RANDOM", "COMPLEMENTARY", drop=False), **BARE),
    "rfm-batch": Arm("random masks, complementary, the batch's items",
                     contrastive("RANDOM", "COMPLEMENTARY", items="BATCH"), FEW, STAR),
}
QUICK = ("none", "fd", "so", "rfm", "cfm")


def shown(chosen):
    """A setting for people; the same text for the same setting."""
    return ", ".join(f"{name} {value:g}" for name, value in chosen.items()) or "-"
