"""What counting a model takes: of every published net, once more, beside building it on the meta device.

Counting gives parameters, FLOPs, memory and receptive fields layer by layer; building alone gives none of these. CPU
seconds of this thread, least of several; the largest ratio first. Beside them what `isoflop describe` takes beyond its
imports: reading what was asked for, a first count and the lines. Exit code 1 where a ratio is above 4, or that above
1 s.

Time: about a minute.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import torch

from benchmarks.report import table
from isoflop.cli.describe import Asked, lines
from isoflop.config import ModelConfig
from isoflop.families import families
from isoflop.models import build
from isoflop.models.cost import count
from isoflop.models.registry import builder

LIMIT, SECONDS = 4.0, 1.0
CLASSES = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Seconds to build, to count and to describe one net."""

    family: str
    variant: str
    built: float
    counted: float
    described: float

    @property
    def ratio(self) -> float:
        """Of counting to building."""
        return self.counted / self.built


def nets() -> Iterator[tuple[str, ModelConfig, int]]:
    """Every published net, by its variant, with its pixels; of families without, the plain one."""
    for row in families().values():
        for variant in row.variants or [""]:
            yield variant, ModelConfig.model_validate(row.canonical(variant)), row.pixels(variant)


def measure(variant: str, model: ModelConfig, side: int, repeats: int) -> Found:
    """Describe, build and count one net."""
    image = (3, side, side)
    builder(model.family)  # imports
    others = itertools.count(CLASSES + 1)  # what was counted once would be free

    def described() -> None:
        chosen = {"variant": variant} if "variant" in model.knobs else {}
        lines(Asked.of(model.family, chosen, resolution=None, channels=3, classes=next(others), knobs=[]).cost())

    def built() -> None:
        with torch.device("meta"):
            build(model, image=image, classes=CLASSES)

    def counted() -> None:
        count(model, image=image, classes=CLASSES)

    return Found(
        family=model.family,
        variant=variant,
        described=least(described, repeats),
        built=least(built, repeats),
        counted=least(counted, repeats),
    )


def least(work: Callable[[], None], repeats: int) -> float:
    """CPU seconds of this thread, after a first time that does not count."""
    work()
    return min(_timed(work) for _ in range(repeats))


def _timed(work: Callable[[], None]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="once each")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = [measure(*net, 1 if options.quick else 5) for net in nets()]
    found.sort(key=lambda row: -row.ratio)
    if options.json:
        print(json.dumps([asdict(row) | {"ratio": row.ratio} for row in found]))
    else:
        rows = [
            (
                f"{row.family} {row.variant}",
                f"{1e3 * row.built:.1f}",
                f"{1e3 * row.counted:.1f}",
                f"{row.ratio:.2f}",
                f"{1e3 * row.described:.0f}",
            )
            for row in found
        ]
        print(table(("net", "build, ms", "count, ms", "ratio", "describe, ms"), rows))
    sys.exit(found[0].ratio > LIMIT or max(row.described for row in found) > SECONDS)


if __name__ == "__main__":
    main()
