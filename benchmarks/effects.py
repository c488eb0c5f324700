"""How often an ablation or a slice is told from nothing by chance, and how often what is true is found.

Trainings of made-up models: one answers an image rightly where `level + seed + image + model on image + chance` is
above 0, all of them normal, so that its accuracy is near 93 %; seeds differ by what is said beside what chance on
single images makes, and part of what a seed does may be the same for all models. Ablations hold five equal models
against one on the same seeds (`effects`); slices hold parts of the images against the rest (`shortfalls`), the parts
being alike, but each net in each part off by what is said.
Exit code 1 where equals are told apart in more than 5 studies of 100, or intervals cover less than 93, but for two
standard errors of so many studies.

Time: about a minute on one core, 5 seconds with --quick (40 studies a case).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.report import table
from isoflop.effects import effects, shortfalls
from isoflop.statistics import Hits, holm

LEVEL, IMAGE, MODEL, CHANCE = 4.0, 2.5, 0.7, 1.0
"""Mean and standard deviations of what decides an answer."""
FALSE, LEAST = 0.05, 0.93
CHOICES = 5
WORSE = 0.05
"""Share of the answers that are taken from what is worse."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What studies are made of."""

    seeds: int
    images: int
    effect: float
    """Standard deviation of what a seed adds to the level: 0.2 is near 1 point."""
    alike: float = 0.0
    """The share of that variance that all models have from a seed."""
    parts: int = 10

    @property
    def name(self) -> str:
        """What the tables call it."""
        return f"{self.seeds} seed{'' if self.seeds == 1 else 's'}, {self.images:,} images"


CASES = tuple(
    Case(seeds=seeds, images=images, effect=effect, alike=alike)
    for images in (300, 2000)
    for seeds in (1, 3, 5)
    for effect, alike in ((0.0, 0.0), (0.2, 0.0), (0.2, 0.7))
    if seeds > 1 or not effect
)
PARTED = tuple(
    Case(seeds=seeds, images=images, effect=effect, parts=parts)
    for images, parts in ((90, 20), (300, 10), (2000, 10))
    for seeds, effect in ((1, 0.0), (3, 0.0), (3, 0.2))
)


def main() -> None:
    """Simulate and print; exit code 1 where more is told than there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    studies = 40 if options.quick else options.studies
    rng = np.random.default_rng(0)
    ablated = [(case, ablations(case, studies, rng)) for case in CASES]
    sliced = [(case, slices(case, studies, rng)) for case in PARTED]
    slack = 2 * math.sqrt(FALSE * (1 - FALSE) / studies)
    holds = all(found["told"] <= FALSE + slack for _, found in (*ablated, *sliced))
    holds &= all(found["held"] >= LEAST - slack for case, found in ablated if case.seeds > 1)
    if options.json:
        rows = {"ablations": [found for _, found in ablated], "slices": [found for _, found in sliced]}
        print(json.dumps({"studies": studies, **rows, "holds": holds}))
    else:
        print(lines(ablated, sliced, studies))
    sys.exit(0 if holds else 1)


def trainings(
    rng: np.random.Generator, models: int, seeds: int, images: int, *, effect: float, alike: float = 0.0
) -> Hits:
    """Hits (models, seeds, images) of models that are equally good on the whole."""
    common, own = rng.normal(0, effect, seeds), rng.normal(0, effect, (models, seeds))
    level = LEVEL + math.sqrt(alike) * common + math.sqrt(1 - alike) * own
    latent = level[..., None] + rng.normal(0, IMAGE, images) + rng.normal(0, MODEL, (models, 1, images))
    return np.asarray(latent + rng.normal(0, CHANCE, (models, seeds, images)) > 0)


def ablations(case: Case, studies: int, rng: np.random.Generator) -> dict[str, float]:
    """Shares of intervals that hold 0, of studies of equals that tell any, and of those that find what is worse."""
    held = told = found = 0
    for _ in range(studies):
        base, *rest = trainings(rng, CHOICES + 1, case.seeds, case.images, effect=case.effect, alike=case.alike).astype(
            float
        )
        gains = effects([base - one for one in rest])
        held += sum(gain.interval.low <= 0 <= gain.interval.high for gain in gains)
        told += any(gain.told for gain in gains)
        rest[0] *= rng.random(rest[0].shape) >= WORSE
        found += effects([base - one for one in rest])[0].told
    return {"held": held / (CHOICES * studies), "told": told / studies, "found": found / studies}


def slices(case: Case, studies: int, rng: np.random.Generator) -> dict[str, float]:
    """Shares of splits of equal parts of which any is called worse, and of those in which a worse part is found."""
    part = np.arange(case.images) % case.parts
    masks = [part == place for place in range(case.parts)]
    told = found = 0
    for _ in range(studies):
        levels = LEVEL + rng.normal(0, case.effect, (case.seeds, case.parts))[:, part]
        latent = levels + rng.normal(0, IMAGE, case.images)
        hits = latent + rng.normal(0, CHANCE, (case.seeds, case.images)) > 0
        told += bool(holm(shortfalls(hits, masks)).min() < FALSE)
        hits[:, masks[0]] &= rng.random((1, int(masks[0].sum()))) >= 4 * WORSE
        found += bool(holm(shortfalls(hits, masks))[0] < FALSE)
    return {"told": told / studies, "found": found / studies}


def lines(
    ablated: Sequence[tuple[Case, Mapping[str, float]]],
    sliced: Sequence[tuple[Case, Mapping[str, float]]],
    studies: int,
) -> str:
    """What a person reads."""
    first = [
        [
            case.name,
            f"{case.effect:g}",
            f"{case.alike:g}",
            *(f"{found[name]:.1%}" for name in ("held", "told", "found")),
        ]
        for case, found in ablated
    ]
    second = [
        [case.name, str(case.parts), f"{case.effect:g}", f"{found['told']:.1%}", f"{found['found']:.1%}"]
        for case, found in sliced
    ]
    return "\n".join(
        [
            f"{studies} ablations of {CHOICES} choices worth nothing; then one is worth {WORSE:.0%} of the answers",
            table(["", "seeds' effect", "of it alike", "intervals hold 0", "any told", "the one found"], first),
            "",
            f"{studies} splits in parts that are alike; then of one part {4 * WORSE:.0%} more of the images are missed",
            table(["", "parts", "nets on parts", "any called worse", "the one found"], second),
        ]
    )


if __name__ == "__main__":
    main()
