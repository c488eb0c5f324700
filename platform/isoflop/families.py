"""The table of families: what is known of each without building it, so it loads no torch.

One row a family. `models/` holds the builders; a test holds both against each other. Families of other packages come
through the entry point group `isoflop.families`, each naming a `Family`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import TypeAlias

from isoflop.errors import Fault, UnknownError, did_you_mean

Scalar: TypeAlias = str | int | float | bool | None
GROUP = "isoflop.families"


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """A kind of architecture that can be scaled in depth, width and resolution.

    `alpha`, `beta` and `gamma` are the published bases of compound scaling, or EfficientNet's where none were published
    (Tan & Le 2019, arXiv 1905.11946, section 3.3); nobody should expect them to hold on other data.
    """

    name: str
    paper: str
    builder: str
    """The module that registers the builder, imported when the family is first built."""
    stem: int
    """Default pixels per cell of the first feature map: stride of the stem, or patch size."""
    stems: tuple[int, ...]
    knobs: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    """Settings of this family alone under `model.`: name to legal values, the default first."""
    recipe: Mapping[str, Scalar] = field(default_factory=dict)
    """Where the family's usual recipe differs from the defaults of a configuration, by dotted key."""
    alpha: float = 1.2
    beta: float = 1.1
    gamma: float = 1.15


BUILT_IN: tuple[Family, ...] = (
    Family(
        name="lenet",
        paper="LeCun et al. 1998, Gradient-based learning applied to document recognition",
        builder="isoflop.models.lenet",
        stem=1,
        stems=(1, 2, 4),
        recipe={"optim.name": "adamw", "optim.lr": 2e-3, "optim.weight_decay": 0.01},
    ),
    Family(
        name="resnet",
        paper="He et al. 2016, Deep residual learning for image recognition, arXiv 1512.03385",
        builder="isoflop.models.resnet",
        stem=1,
        stems=(1, 2, 4),
        knobs={"block": ("basic", "bottleneck")},
        recipe={"optim.name": "sgd", "optim.lr": 0.1, "optim.weight_decay": 5e-4},
    ),
    Family(
        name="efficientnet",
        paper="Tan & Le 2019, EfficientNet, arXiv 1905.11946",
        builder="isoflop.models.efficientnet",
        stem=1,
        stems=(1, 2, 4),
        recipe={"optim.name": "adamw", "optim.lr": 3e-3, "optim.weight_decay": 0.02},
    ),
    Family(
        name="vit",
        paper="Dosovitskiy et al. 2021, An image is worth 16x16 words, arXiv 2010.11929",
        builder="isoflop.models.vit",
        stem=4,
        stems=(1, 2, 4, 7, 8, 14, 16, 32),
        recipe={"optim.name": "adamw", "optim.lr": 1e-3, "optim.weight_decay": 0.05, "schedule.warmup": 0.1},
    ),
)


@cache
def families() -> Mapping[str, Family]:
    """Every known family by name: the built-in ones and those of installed packages."""
    found = {row.name: row for row in BUILT_IN}
    for entry in entry_points(group=GROUP):
        row = entry.load()
        found.setdefault(row.name, row)
    return found


def family(name: str) -> Family:
    """The row of one family. Raises `UnknownError` with the nearest name."""
    table = families()
    if name not in table:
        raise UnknownError(Fault("model.family", f"unknown family {name!r}", did_you_mean(name, table)))
    return table[name]
