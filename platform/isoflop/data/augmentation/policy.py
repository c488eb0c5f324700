"""Policies: RandAugment, TrivialAugment, AutoAugment and AugMix. Each image draws its own operations and magnitudes.

RandAugment: Cubuk et al. 2020, arXiv:1909.13719. TrivialAugment (wide): Müller & Hutter 2021, arXiv:2103.10158. AugMix:
Hendrycks et al. 2020, arXiv:1912.02781, the images alone, without its consistency loss. Their magnitudes are those of
torchvision's `transforms.v2`, and so are the ways of sampling pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import torch
from torch import Tensor

from isoflop.config import AugmentConfig
from isoflop.data.augmentation.draws import numpy_generator, signs
from isoflop.data.augmentation.operations import MOVES, NAMES, operate
from isoflop.data.augmentation.published import policies

SIGNED: Final = torch.tensor([name in {*MOVES, "Brightness", "Color", "Contrast", "Sharpness"} for name in NAMES])
WITHOUT: Final = ("AutoContrast", "Equalize", "Invert", "Identity")
"""Operations that have no magnitude."""
DEPTH: Final = 3
"""Operations of AugMix's longest chain."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Magnitudes:
    """The largest magnitudes of a policy's operations, each reached in so many equal steps."""

    steps: int
    shear: float
    move: float
    """A share of the side, or pixels where it is more than 1."""
    rotation: float
    colour: float
    bits: tuple[int, int]
    """That Posterize keeps at least and at most of it."""


WEAK: Final = Magnitudes(steps=31, shear=0.3, move=150 / 331, rotation=30, colour=0.9, bits=(8, 4))
COARSE: Final = Magnitudes(steps=10, shear=0.3, move=150 / 331, rotation=30, colour=0.9, bits=(8, 4))
WIDE: Final = Magnitudes(steps=31, shear=0.99, move=32.0, rotation=135, colour=0.99, bits=(8, 2))
MIXED: Final = Magnitudes(steps=10, shear=0.3, move=1 / 3, rotation=30, colour=0.9, bits=(4, 0))
SCALES: Final[Mapping[str, Magnitudes]] = {"randaugment": WEAK, "trivialaugment": WIDE, "augmix": MIXED}
"""AutoAugment's, whatever it was found on, are `COARSE`."""


@cache
def table(scale: Magnitudes, height: int, width: int) -> Tensor:
    """Magnitudes by operation, as in `NAMES`, and step (operations, steps), for images of a size."""
    sides = {"TranslateX": width, "TranslateY": height}
    ends = dict.fromkeys(WITHOUT, (0.0, 0.0)) | {"ShearX": (0.0, scale.shear), "ShearY": (0.0, scale.shear)}
    ends |= {name: (0.0, scale.move * (1 if scale.move > 1 else side)) for name, side in sides.items()}
    ends |= {"Rotate": (0.0, scale.rotation), "Solarize": (1.0, 0.0), "Posterize": scale.bits}
    ends |= dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), (0.0, scale.colour))
    rows = torch.stack([torch.linspace(*ends[name], scale.steps) for name in NAMES])
    bits = NAMES.index("Posterize")
    rows[bits] = rows[bits].round()
    return rows


def follow(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """What the configuration's policy makes of a uint8 batch (N, C, H, W)."""
    if config.policy == "none":
        return images
    if config.policy == "augmix":
        return augmix(images, config.strength, config.length, generator)
    if config.policy.startswith("autoaugment"):
        return autoaugment(images, config.policy.removeprefix("autoaugment_"), generator)
    scale, count = SCALES[config.policy], len(images)
    for _ in range(config.length if config.policy == "randaugment" else 1):
        drawn = torch.randint(len(NAMES) - 1, (count,), generator=generator)  # all but the last, Invert
        if config.policy == "randaugment":
            steps = torch.full((count,), config.strength)
        else:
            steps = torch.randint(scale.steps, (count,), generator=generator)
        images = _operated(images, drawn, steps, scale, generator)
    return images


def autoaugment(images: Tensor, name: str, generator: torch.Generator) -> Tensor:
    """For each image one of the policies that were found on a data set; its two operations by their probabilities."""
    found, count = policies(name), len(images)
    drawn = torch.randint(len(found.operations), (count,), generator=generator)
    chances = torch.rand((count, 2), generator=generator)
    taken = torch.where(chances < found.probabilities[drawn], found.operations[drawn], -1)
    for place in range(2):
        images = _operated(images, taken[:, place], found.bins[drawn, place], COARSE, generator)
    return images


def augmix(images: Tensor, severity: int, chains: int, generator: torch.Generator) -> Tensor:
    """An image blended with a blend of chains of one to three operations; all weights are drawn with alpha 1."""
    count = len(images)
    weights = numpy_generator(generator)
    own = torch.from_numpy(weights.beta(1.0, 1.0, count)).float().to(images.device)
    shares = torch.from_numpy(weights.dirichlet([1.0] * chains, count)).float().to(images.device)
    found = images * own[:, None, None, None]
    for chain in range(chains):
        changed = images
        depth = torch.randint(1, DEPTH + 1, (count,), generator=generator)
        for place in range(DEPTH):
            drawn = torch.randint(len(NAMES) - 2, (count,), generator=generator)  # all but Identity and Invert
            drawn = torch.where(place < depth, drawn + (drawn >= NAMES.index("Identity")), -1)
            steps = torch.randint(severity, (count,), generator=generator)
            changed = _operated(changed, drawn, steps, MIXED, generator, smooth=True)
        found += changed * ((1 - own) * shares[:, chain])[:, None, None, None]
    return found.round_().to(images.dtype)


def _operated(
    images: Tensor, drawn: Tensor, steps: Tensor, scale: Magnitudes, generator: torch.Generator, *, smooth: bool = False
) -> Tensor:
    """To each image the operation drawn (N,), with the magnitude of a step (N,) and a drawn sign where it has one."""
    sizes = table(scale, *images.shape[2:])[drawn, steps]
    signed = torch.where(SIGNED[drawn], sizes * signs(len(images), generator), sizes)
    return operate(images, drawn, signed, "bilinear" if smooth else "nearest")
