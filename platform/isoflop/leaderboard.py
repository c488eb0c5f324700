"""The leaderboard: finalists ranked by validation, with intervals and ties of what they earned."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from isoflop.errors import Fault, InputError
from isoflop.records import Result
from isoflop.statistics import Hits, Interval, accuracy_interval, interval, pairwise, tie_groups

Row: TypeAlias = dict[str, Any]
HitsByRun: TypeAlias = Mapping[str, Mapping[str, Hits]]
"""Of each run and split, which images its trainings classified rightly: (seeds, images)."""

PICK = "val_accuracy"
"""What picks: the test set never decides a rank."""


def boards(
    results: Sequence[Result], hits: HitsByRun | None = None, counts: Mapping[str, Mapping[str, int]] | None = None
) -> dict[str, list[Row]]:
    """One board for each data digest, by digest, in the order of the results."""
    digests = dict.fromkeys(result.data_digest for result in results)
    return {
        digest: board([result for result in results if result.data_digest == digest], hits, counts)
        for digest in digests
    }


def board(
    results: Sequence[Result], hits: HitsByRun | None = None, counts: Mapping[str, Mapping[str, int]] | None = None
) -> list[Row]:
    """Rows as JSON values, best mean validation accuracy first, of equals the one with fewer FLOPs.

    Where hits are stored, intervals of accuracies cover seeds and images; all other intervals cover seeds alone, and
    have null ends with one seed. `tie_group` is judged on the test set where it was opened for all rows, else on
    validation; without stored hits nothing is told apart. `counts` are states of each study's trials; a row has those
    of the search it comes from. Raises `InputError` where results stand on several data digests.
    """
    digests = sorted({result.data_digest for result in results})
    if len(digests) > 1:
        what = f"results on {len(digests)} data sets cannot be ranked together: {', '.join(digests)}"
        raise InputError(Fault("leaderboard", what, "choose one study or one data digest"))
    ranked = sorted(results, key=_order)
    known = [_fitting(result, (hits or {}).get(result.run, {})) for result in ranked]
    groups = _groups(ranked, known)
    return [
        _row(result, known[place], (counts or {}).get(search_of(result), {}))
        | {"rank": place + 1, "picked": place == 0, "tie_group": groups[place]}
        for place, result in enumerate(ranked)
    ]


def search_of(result: Result) -> str:
    """The search that a finalist comes from."""
    return result.source.rpartition("/")[0] or result.study


def _order(result: Result) -> tuple[bool, float, float, str]:
    """What ranks rows; those with no finite validation accuracy come last."""
    mean = _mean(result, PICK)
    return math.isnan(mean), -mean, result.flops, result.run


def _mean(result: Result, metric: str) -> float:
    values = result.values.get(metric, ())
    mean = float(np.mean(values)) if values else math.nan
    return mean if math.isfinite(mean) else math.nan


def _fitting(result: Result, hits: Mapping[str, Hits]) -> dict[str, Hits]:
    """The hits that belong to exactly these seeds."""
    return {split: found for split, found in hits.items() if len(found) == len(result.seeds)}


def _groups(results: Sequence[Result], hits: Sequence[Mapping[str, Hits]]) -> tuple[int, ...]:
    """The tie group of each result."""
    split = "test" if all("test" in found for found in hits) else "val"
    means = [_mean(result, f"{split}_accuracy") for result in results]
    return tie_groups(means, pairwise([found.get(split) for found in hits]))


def _row(result: Result, hits: Mapping[str, Hits], counts: Mapping[str, int]) -> Row:
    """A row but for what depends on the others."""
    return {
        "run": result.run,
        "study": result.study,
        "search": search_of(result),
        "source": result.source,
        "family": result.family,
        "shape": result.shape,
        "parameters": result.parameters,
        "flops": result.flops,
        "data_digest": result.data_digest,
        "seeds": list(result.seeds),
        "lost": result.lost,
        "metrics": {name: _metric(name, values, hits) for name, values in sorted(result.values.items())},
        "counts": dict(counts),
    }


def _metric(name: str, values: Sequence[float], hits: Mapping[str, Hits]) -> dict[str, float | int | None]:
    """Mean and 95 % interval of one metric; `images` is null where the interval covers seeds alone."""
    split, _, measure = name.partition("_")
    found = hits.get(split) if measure == "accuracy" else None
    whole = accuracy_interval(found) if found is not None else _clipped(interval(values), measure)
    return {
        "mean": _finite(whole.mean),
        "low": _finite(whole.low),
        "high": _finite(whole.high),
        "seeds": whole.n,
        "images": None if found is None else found.shape[1],
    }


def _clipped(found: Interval, measure: str) -> Interval:
    """An interval inside [0, 1], where all metrics but losses live."""
    if measure == "loss" or not math.isfinite(found.low):
        return found
    return Interval(mean=found.mean, low=max(0.0, found.low), high=min(1.0, found.high), n=found.n)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
