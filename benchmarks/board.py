"""How often a leaderboard is wrong: intervals that miss the truth, and winners among models that are equals.

Boards of made-up models whose true accuracy is known. A model answers an image rightly where
`level + image + model on image + training on image + training` is above 0, all of them normal: so two trainings of a
model disagree on 3.3 images in 100 and two models on 4.3, and the trainings' own accuracies differ by 0.15 points, or
by what is said, beside the 0.13 that chance on single images makes. The truth is the accuracy over images and seeds.

Beside Isoflop's two-way interval and test stand what is common: Student's t over seeds, Wilson's interval on images,
the winner by the best score, and paired tests on images alone: McNemar's of one training each, and a normal test of
the mean over seeds, both corrected by Holm.
Exit code 1 where an interval of ours covers less than 93 or more than 97 in 100, or equals are told apart on more than
5 boards in 100.

Time: about 2 minutes on one core, 10 seconds with --quick (40 boards).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.report import table
from isoflop.statistics import Hits, Interval, hits_interval, holm, interval, pairwise, tie_groups

MODELS, IMAGES, ACCURACY = 20, 10_000, 0.93
IMAGE, MODEL = 0.925, 0.03
"""Shares of the variance that an image has for all models, and for one model's trainings; the rest is a training's."""
BETTER = 0.01
"""By how much one model of a board with a true winner is better."""
LOWEST, HIGHEST, FALSE = 0.93, 0.97, 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What boards are made of."""

    seeds: int
    effect: float
    """Standard deviation of the trainings' own accuracies, beside what chance does on single images."""

    @property
    def name(self) -> str:
        """What the tables call it."""
        return f"{self.seeds} seeds, {100 * self.effect:g} points"


CASES = tuple(Case(seeds=seeds, effect=effect) for seeds in (3, 5) for effect in (0.0, 0.0015, 0.003))
USUAL = Case(seeds=3, effect=0.0015)


def main() -> None:
    """Simulate and print; exit code 1 where ours does not hold what it promises."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boards", type=int, default=1000)
    parser.add_argument(
        "--quick", action="store_true", help="40 boards a case; coverage is too rough then to be judged"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    boards = 40 if options.quick else options.boards
    rng = np.random.default_rng(0)
    covers = {case.name: coverage(case, boards, rng) for case in CASES}
    wins = {case.name: winners(case, boards, rng) for case in CASES if case.effect == USUAL.effect}
    holds = fine(covers, wins, boards)
    if options.json:
        print(json.dumps({"boards": boards, "coverage": covers, "winners": wins, "holds": holds}))
    else:
        print(lines(covers, wins, boards))
    sys.exit(0 if holds else 1)


def made(case: Case, accuracies: Sequence[float], rng: np.random.Generator) -> list[Hits]:
    """Hits of models on one draw of images and trainings; each model's accuracy over all of both is as given."""
    image = math.sqrt(IMAGE) * rng.standard_normal(IMAGES, dtype=np.float32)
    return [_model(case, accuracy, image, rng) for accuracy in accuracies]


def _model(case: Case, accuracy: float, image: np.ndarray, rng: np.random.Generator) -> Hits:
    own = math.sqrt(MODEL) * rng.standard_normal(IMAGES, dtype=np.float32)
    chance = rng.standard_normal((case.seeds, IMAGES), dtype=np.float32)
    spread = case.effect / stats.norm.pdf(stats.norm.ppf(accuracy))
    level = stats.norm.ppf(accuracy) * math.sqrt(1 + spread**2)
    effect = rng.normal(level, spread, (case.seeds, 1)).astype(np.float32)
    return np.asarray(effect + image + own + math.sqrt(1 - IMAGE - MODEL) * chance > 0)


def coverage(case: Case, boards: int, rng: np.random.Generator) -> dict[str, float]:
    """Share of intervals at 95 % that hold the true accuracy, one model a board, and their mean half width."""
    found = [made(case, [ACCURACY], rng)[0] for _ in range(boards)]
    kinds = {
        "two-way": [hits_interval(hits) for hits in found],
        "seeds alone": [interval(hits.mean(axis=1)) for hits in found],
        "images alone": [hits_interval(hits[:1]) for hits in found],
    }
    shares = {name: float(np.mean([_holds(one) for one in many])) for name, many in kinds.items()}
    return shares | {"half_width": float(np.mean([(one.high - one.low) / 2 for one in kinds["two-way"]]))}


def _holds(found: Interval) -> bool:
    return found.low <= ACCURACY <= found.high


def winners(case: Case, boards: int, rng: np.random.Generator) -> dict[str, float]:
    """Share of boards of equals on which something is told apart, by each way, and how often a better one is found."""
    equal = [_told(made(case, [ACCURACY] * MODELS, rng)) for _ in range(boards)]
    found = {name: float(np.mean([told[name] for told in equal])) for name in equal[0]}
    better = [
        _board(made(case, [ACCURACY + BETTER] + [ACCURACY] * (MODELS - 1), rng)) for _ in range(max(boards // 4, 1))
    ]
    beaten = [np.mean([group > groups[0] for group in groups[1:]]) for groups in better]
    return found | {"found": float(np.mean(beaten))}


def _told(hits: Sequence[Hits]) -> dict[str, bool]:
    """Of one board of equals, whether each way says that a model is better than another."""
    means = [float(one.mean()) for one in hits]
    plain, over_seeds = _mcnemars(hits), _normals(hits)
    return {
        "best score": max(means) > min(means),
        "images alone, one seed, no correction": bool(plain.min() < FALSE),
        "images alone, one seed, Holm": bool(min(holm(plain.tolist())) < FALSE),
        "images alone, all seeds, Holm": bool(min(holm(over_seeds.tolist())) < FALSE),
        "two-way": max(_board(hits)) > 1,
    }


def _mcnemars(hits: Sequence[Hits]) -> np.ndarray:
    """P-values of McNemar's exact test of the first training of each pair of models."""
    first = np.stack([one[0] for one in hits]).astype(np.float32)
    only = (first @ (1 - first).T).round()
    places = np.triu_indices(len(hits), k=1)
    less, both = np.minimum(only, only.T)[places], (only + only.T)[places]
    return np.asarray(np.minimum(1.0, 2 * stats.binom.cdf(less, both, 0.5)))


def _normals(hits: Sequence[Hits]) -> np.ndarray:
    """P-values of a normal test of each pair's mean difference over images, as though there were no other seeds."""
    scores = np.stack([one.mean(axis=0) for one in hits])
    means, products = scores.mean(axis=1), np.cov(scores)
    variance = np.diag(products)[:, None] + np.diag(products)[None] - 2 * products
    places = np.triu_indices(len(hits), k=1)
    gaps = np.abs(means[:, None] - means[None])[places]
    return np.asarray(2 * stats.norm.sf(gaps / np.sqrt(variance[places] / IMAGES)))


def _board(hits: Sequence[Hits]) -> tuple[int, ...]:
    """The tie groups of a board."""
    return tie_groups([float(one.mean()) for one in hits], pairwise(hits))


def fine(covers: Mapping[str, Mapping[str, float]], wins: Mapping[str, Mapping[str, float]], boards: int) -> bool:
    """Whether ours holds, but for two standard errors of so many boards."""
    slack = {share: 2 * math.sqrt(share * (1 - share) / boards) if boards < 1000 else 0.0 for share in (0.95, FALSE)}
    inside = all(LOWEST - slack[0.95] <= one["two-way"] <= HIGHEST + slack[0.95] for one in covers.values())
    return inside and all(one["two-way"] <= FALSE + slack[FALSE] for one in wins.values())


def lines(covers: Mapping[str, Mapping[str, float]], wins: Mapping[str, Mapping[str, float]], boards: int) -> str:
    """What a person reads."""
    kinds = ("two-way", "seeds alone", "images alone")
    rows = [
        [name, *(f"{found[kind]:.1%}" for kind in kinds), f"{100 * found['half_width']:.2f}"]
        for name, found in covers.items()
    ]
    ways = list(next(iter(wins.values())))
    told = [[way, *(f"{found[way]:.1%}" for found in wins.values())] for way in ways if way != "found"]
    power = [f"one better by {100 * BETTER:g} point, share of others that it beats"]
    power += [f"{found['found']:.1%}" for found in wins.values()]
    return "\n".join(
        [
            f"95 % intervals that hold the true accuracy, {boards} boards, {IMAGES:,} images, accuracy {ACCURACY:.0%}",
            table(["seeds, their effect", *kinds, "half width of two-way"], rows),
            "",
            f"boards of {MODELS} equal models on which a way tells some apart, {boards} boards",
            table(["", *wins], [*told, power]),
        ]
    )


if __name__ == "__main__":
    main()
