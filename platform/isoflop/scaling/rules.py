"""How a recipe follows a net's size: stated rules, each of which can be left out.

A rule takes a base's recipe as dotted keys and says what it becomes for a net of another extent. What is zero, such as
the dropped paths of a recipe without, stays so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from isoflop.errors import Fault, UnknownError, did_you_mean
from isoflop.families import Scalar
from isoflop.scaling.extent import Extent
from isoflop.scaling.placement import Placement

ADAPTIVE = frozenset({"adam", "adamw", "radam", "nadam", "rmsprop", "adafactor", "lion", "adopt"})
"""Optimizers whose steps do not depend on how large gradients are."""
DECOUPLED = frozenset({"adamw", "radam", "nadam", "adafactor", "lion", "adopt"})
"""Those of them that decay weights by learning rate times weight decay, whatever the gradient (`config/optim.py`)."""
MOST_DROPPED, MOST_DROPOUT = 0.5, 0.5
"""Largest rates that follow from size: ConvNeXt-B drops half of its last path, EfficientNet-B7 half of the vector."""
DOUBLING = 0.3 / 6.57
"""By what dropout grows as FLOPs double: from 0.2 to 0.5 over the 6.57 doublings from EfficientNet-B0 to B7."""

Recipe: TypeAlias = Mapping[str, Scalar]
"""Settings by dotted key."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one setting becomes."""

    key: str
    says: str
    source: str
    apply: Callable[[Recipe, Extent, Extent], float]
    """The setting, of the base's recipe, the base and the net."""


def learning_rate(recipe: Recipe, base: Extent, net: Extent) -> float:
    """Learning rate: of adaptive optimizers by 1 / width, of others as it is."""
    lr = _number(recipe, "optim.lr")
    return lr * base.width / net.width if recipe.get("optim.name") in ADAPTIVE else lr


def drop_path(recipe: Recipe, base: Extent, net: Extent) -> float:
    """Dropped paths: the line along which they grow from block to block goes on over the blocks that are added."""
    rate = _number(recipe, "model.drop_path")
    return min(rate * net.depth / base.depth, max(rate, MOST_DROPPED))


def dropout(recipe: Recipe, base: Extent, net: Extent) -> float:
    """Dropout before the head: linearly with the doublings of FLOPs."""
    rate = _number(recipe, "model.dropout")
    grown = rate + DOUBLING * net.doublings(base)
    return min(max(0.0, grown), max(rate, MOST_DROPOUT)) if rate else 0.0


def weight_decay(recipe: Recipe, base: Extent, net: Extent) -> float:
    """Weight decay, where it is decoupled, by width: beside the rule of the learning rate their product stays."""
    decay = _number(recipe, "optim.weight_decay")
    return decay * net.width / base.width if recipe.get("optim.name") in DECOUPLED else decay


RULES: Mapping[str, Rule] = {
    "learning_rate": Rule(
        "optim.lr",
        "of adaptive optimizers by 1 / width; of sgd, lamb and muon as it is",
        "Yang et al. 2022, arXiv 2203.03466, table 3: hidden weights; applied to all weights here",
        learning_rate,
    ),
    "weight_decay": Rule(
        "optim.weight_decay",
        "of decoupled decay by width, so that learning rate times decay stays; of others as it is",
        "Wang & Aitchison 2024, arXiv 2405.13698: with the rate's rule of 2203.03466",
        weight_decay,
    ),
    "drop_path": Rule(
        "model.drop_path",
        "by depth, at most 0.5",
        "Huang et al. 2016, arXiv 1603.09382, section 3: rates grow linearly from block to block; that the line goes "
        "on over added blocks is ours",
        drop_path,
    ),
    "dropout": Rule(
        "model.dropout",
        "by 0.046 a doubling of FLOPs, at most 0.5",
        "Tan & Le 2019, arXiv 1905.11946, section 5.2: linearly from 0.2 for B0 to 0.5 for B7",
        dropout,
    ),
}


def adapted(recipe: Recipe, base: Extent, net: Extent, rules: Collection[str] = tuple(RULES)) -> dict[str, Scalar]:
    """The settings that rules change for a net, by dotted key; those that stay as they are, are left out.

    Every rule sees the base's recipe. Raises `UnknownError` for a rule that there is not.
    """
    for name in rules:
        if name not in RULES:
            raise UnknownError(Fault("rules", f"there is no rule {name!r}", did_you_mean(name, RULES)))
    found = {rule.key: rule.apply(recipe, base, net) for name, rule in RULES.items() if name in rules}
    return {key: value for key, value in found.items() if value != recipe.get(key, 0.0)}


def sized(
    recipe: Recipe, base: Extent, placement: Placement, rules: Collection[str] = tuple(RULES)
) -> dict[str, Scalar]:
    """The settings of a base's recipe that become others for a solved net: its shape, and what follows from it."""
    shape = {f"model.{key}": value for key, value in placement.model.model_dump().items()}
    return shape | adapted(recipe, base, placement.extent, rules)


def _number(recipe: Recipe, key: str) -> float:
    found = recipe.get(key)
    return float(found) if isinstance(found, int | float) else 0.0
