"""What it costs a search to solve a trial's net for equal FLOPs, and how near it comes.

`python -m benchmarks.equal [--quick] [--json]`: nets of 12 MFLOPs on grey images of 28 and 32 pixels, each with another
depth (of a ViT: width), so that none is known from the one before. CPU seconds of one thread; exit code 1 where a trial
takes a second or more on average.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from benchmarks.report import table
from isoflop.config import ModelConfig, TrialConfig
from isoflop.families import Scalar
from isoflop.models import Cost, cost
from isoflop.planning.leveller import Leveller
from isoflop.study_spec import By, Equal

FLOPS = 1.2e7
LIMIT = 1.0
"""Seconds that a trial may take on average."""
NETS: Mapping[str, tuple[By, Mapping[str, Scalar]]] = {
    "lenet": ("width", {"stem": 1}),
    "resnet": ("width", {"stem": 1, "divisor": 2}),
    "mobilenet_v2": ("width", {"stem": 1, "divisor": 2}),
    "efficientnet": ("width", {"stem": 1, "divisor": 2}),
    "convnext": ("width", {"stem": 1, "divisor": 2}),
    "vit": ("depth", {}),
}
PATCHES = {28: 7, 32: 8}
"""Pixels of a side of a ViT's patches, by those of the image."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Of trials of a family."""

    family: str
    solved: By
    pixels: int
    mean: float
    """CPU seconds a trial."""
    most: float
    counts: float
    """Nets that were counted, a trial."""
    off: float
    """By which share of the FLOPs the worst of them is off."""


class Price:
    """Counts, and counts how often."""

    def __init__(self, pixels: int) -> None:
        self.pixels, self.asked = pixels, 0

    def __call__(
        self, model: ModelConfig, *, batch: int, states: int, share: float = 1.0, recompute: bool = False
    ) -> Cost:
        """The cost of a model."""
        self.asked += 1
        image = (1, self.pixels, self.pixels)
        return cost(model, image=image, classes=10, batch=batch, states=states, share=share, recompute=recompute)


def measure(family: str, pixels: int, trials: int) -> Found:
    """Solve so many trials of a family."""
    (by, settings), chance, price = NETS[family], random.Random(0), Price(pixels)
    own: dict[str, Scalar] = {"stem": PATCHES[pixels]} if family == "vit" else {}
    leveller = Leveller(Equal(flops=FLOPS, by=by), price)
    seconds, off = [], []
    for place in range(-1, trials):
        given: Scalar = chance.choice([32, 48, 64]) / 192 + place * 1e-4 if by == "depth" else chance.uniform(0.4, 1)
        model = {"family": family, "width" if by == "depth" else "depth": given, **settings, **own}
        config = TrialConfig.from_params(
            {"data.name": "none", **{f"model.{key}": value for key, value in model.items()}}
        )
        began = time.thread_time()
        solved = leveller.level(config).model
        if place >= 0:  # the first imports the family
            seconds.append(time.thread_time() - began)
            off.append(abs(price(solved, batch=1, states=0).flops / FLOPS - 1))
        else:
            price.asked = 0
    return Found(
        family=family,
        solved=by,
        pixels=pixels,
        mean=sum(seconds) / trials,
        most=max(seconds),
        counts=price.asked / trials - 1,
        off=max(off),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three trials of each instead of ten")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = [measure(family, pixels, 3 if options.quick else 10) for family in NETS for pixels in PATCHES]
    if options.json:
        print(json.dumps([asdict(row) for row in found]))
    else:
        rows = [
            (
                f"{row.family}, {row.pixels} pixels",
                row.solved,
                f"{row.mean:.2f}",
                f"{row.most:.2f}",
                f"{row.counts:.1f}",
                f"{row.off:.1%}",
            )
            for row in found
        ]
        print(table(("net", "solved", "mean s", "most s", "counts", "off at most"), rows))
    sys.exit(max(row.mean for row in found) >= LIMIT)


if __name__ == "__main__":
    main()
