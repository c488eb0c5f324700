"""The leaderboard: finalists ranked by validation, with intervals and ties of what they earned."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from isoflop.errors import Fault, InputError
from isoflop.records import Result
from isoflop.statistics import Interval, hits_interval, interval, pairwise, tie_groups
from isoflop.table import heading, quantity, reproduced, searched, seeds, shown, states
from isoflop.tasks import TEST, USUAL, VAL, metric_of

Row: TypeAlias = dict[str, Any]


def boards(results: Sequence[Result]) -> dict[str, list[Row]]:
    """One board for each data digest, by digest, in the order of the results."""
    digests = dict.fromkeys(result.data_digest for result in results)
    return {digest: board([result for result in results if result.data_digest == digest]) for digest in digests}


def board(results: Sequence[Result]) -> list[Row]:
    """Rows as JSON values, best mean of what picks first, of equals the one with fewer FLOPs.

    `pick` is the metric on validation that picks: what the studies picked by where that is the same for all, else the
    first of the task; the test set never decides a rank. Where hits are stored, intervals of their share (accuracy, or
    exact matches) cover seeds and images; all other intervals cover seeds alone, and have null ends with one seed.
    `tie_group` is judged by hits, on the test set where those are stored for all rows, else on validation, as
    `tie_split` says; without stored hits nothing is told apart. Raises `InputError` where results stand on several data
    digests.
    """
    digests = sorted({result.data_digest for result in results})
    if len(digests) > 1:
        what = f"results on {len(digests)} data sets cannot be ranked together: {', '.join(digests)}"
        raise InputError(Fault("leaderboard", what, "choose one study or one data digest"))
    pick = pick_of(results)
    ranked = sorted(results, key=lambda result: _order(result, pick))
    split = "test" if all("test" in result.hits for result in ranked) else "val"
    groups = _groups(ranked, split)
    return [
        _row(result)
        | {"rank": place + 1, "pick": pick, "picked": place == 0, "tie_group": groups[place], "tie_split": split}
        for place, result in enumerate(ranked)
    ]


def columns(row: Mapping[str, Any]) -> dict[str, str]:
    """A row as text, by column heading; a star marks what validation picks."""
    measure = row["pick"].removeprefix(VAL)
    return {
        "#": f"{row['rank']}{' *' if row['picked'] else ''}",
        "run": row["run"],
        "family": row["family"],
        "shape": row["shape"],
        "params": quantity(row["parameters"]),
        "FLOPs": quantity(row["flops"]),
        "searched": searched(row),
        **{heading(split + measure): shown(row["metrics"].get(split + measure), measure) for split in (VAL, TEST)},
        "tie": str(row["tie_group"]),
        "seeds": seeds(row),
        "trials": states(row["counts"]),
        "reproduced": reproduced(row["reproduced"]),
    }


def pick_of(results: Sequence[Result]) -> str:
    """The metric on validation that ranks results on one data set."""
    picks = {result.pick for result in results}
    return picks.pop() if len(picks) == 1 else next((result.task.first for result in results), USUAL.first)


def _order(result: Result, pick: str) -> tuple[bool, float, float, str]:
    """What ranks rows; those without a finite value of what picks come last."""
    mean, metric = _mean(result, pick), metric_of(pick)
    sign = metric.sign if metric is not None else 1
    return math.isnan(mean), -sign * mean, result.flops, result.run


def _mean(result: Result, metric: str) -> float:
    values = result.values.get(metric, ())
    mean = float(np.mean(values)) if values else math.nan
    return mean if math.isfinite(mean) else math.nan


def _groups(results: Sequence[Result], split: str) -> tuple[int, ...]:
    """The tie group of each result on a split."""
    means = [_mean(result, f"{split}_{result.task.hit}") for result in results]
    return tie_groups(means, pairwise([result.hits.get(split) for result in results]))


def _row(result: Result) -> Row:
    """A row but for what depends on the others."""
    return {
        "run": result.run,
        "study": result.study,
        "search": result.search,
        "source": result.source,
        "family": result.family,
        "shape": result.shape,
        "parameters": result.parameters,
        "flops": result.flops,
        "data_digest": result.data_digest,
        "seeds": list(result.seeds),
        "lost": result.lost,
        "fused": result.fused,
        "metrics": {name: _metric(name, values, result) for name, values in sorted(result.values.items())},
        "counts": dict(result.counts),
        "reproduced": [None if one is None else dict(one) for one in result.verdicts],
        "faults": list(result.faults),
        "searched": result.searched,
        "luck": result.luck,
    }


def _metric(name: str, values: Sequence[float], result: Result) -> dict[str, float | int | None]:
    """Mean and 95 % interval of one metric; `images` is null where the interval covers seeds alone."""
    split, _, measure = name.partition("_")
    found = result.hits.get(split) if measure == result.task.hit else None
    whole = hits_interval(found) if found is not None else clipped(interval(values), name)
    return {
        "mean": _finite(whole.mean),
        "low": _finite(whole.low),
        "high": _finite(whole.high),
        "seeds": whole.n,
        "images": None if found is None else found.shape[1],
    }


def clipped(found: Interval, name: str) -> Interval:
    """An interval inside [0, 1] where the metric is a share."""
    metric = metric_of(name)
    if metric is None or not metric.share or not math.isfinite(found.low):
        return found
    return Interval(mean=found.mean, low=max(0.0, found.low), high=min(1.0, found.high), n=found.n)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
