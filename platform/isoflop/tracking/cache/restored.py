"""Studies and trials made again out of runs: what the projection wrote, read backwards."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from isoflop.families import Scalar
from isoflop.records import Record, State, Trial
from isoflop.tasks import TEST
from isoflop.tracking.cache.run import Curve, Run
from isoflop.tracking.projection import NOT_FINITE, SEQ
from isoflop.tracking.rows import Facts, plain

SPENT = {"step": "step", "epoch": "epoch", "images": "images", "training_flops": "flops", "fidelity": "fidelity"}
"""What a report spent: the metric, and the record's field."""
WHOLE = {"step", "images"}
MEASURED, OBSERVED = "measured.", "observed."


def facts_of(run: Run) -> Facts:
    """What a study's own run tells of it."""
    tags = run.tags
    state = tags.get("isoflop.state", State.RUNNING)
    study = {
        "name": tags.get("isoflop.name", tags["isoflop.study"]),
        "plan": tags.get("isoflop.plan", "search"),
        "parent": tags.get("isoflop.parent"),
        "data": _json(tags, "data"),
        "spec": {"study": _json(tags, "asked")},
    }
    return Facts(
        id=tags["isoflop.study"],
        study=study,
        closed=None if state == State.RUNNING else {"state": state, "reason": tags.get("isoflop.reason", "")},
        began=float(tags["isoflop.began"]),
        updated=float(tags.get("isoflop.updated", tags["isoflop.began"])),
    )


def trial_of(run: Run, curve: Curve | None = None) -> Trial:
    """A training. Without its curve it has no record but the last one, which then stands alone."""
    key, tags, metrics = run.key, run.tags, run.metrics
    assert key is not None, "a study's own run is no training"
    latency = metrics.get("latency")
    return Trial(
        number=key.trial,
        replicate=key.replicate,
        state=State(tags.get("isoflop.state", State.WAITING)),
        params=_json(tags, "params"),
        config=config_of(run),
        seed=int(tags.get("isoflop.seed") or 0),
        fingerprint=tags.get("isoflop.fingerprint", ""),
        parameters=int(_newest(run, "parameters")),
        flops=_newest(run, "flops"),
        memory=int(_newest(run, "memory")),
        latency=None if latency is None else latency[0],
        records=last_of(metrics) if curve is None else records_of(curve),
        reason=tags.get("isoflop.reason", ""),
        source=tags.get("isoflop.source", ""),
    )


def config_of(run: Run) -> dict[str, Scalar]:
    """The whole configuration, by dotted key."""
    config = {key: _value(text) for key, text in run.params.items()}
    if smaller := run.tags.get("isoflop.retry_micro_batch"):
        config["train.micro_batch"] = _value(smaller)
    return config


def test_of(run: Run) -> dict[str, float]:
    """Metrics on the test set, where it was opened for a training."""
    opened = "isoflop.opened" in run.tags
    return {name: value for name, (value, _) in run.metrics.items() if opened and name.startswith(TEST)}


def verdict_of(run: Run) -> Mapping[str, Any] | None:
    """What came last of repeating a training, none where nobody did."""
    found: Mapping[str, Any] | None = plain(_json(run.tags, "verdict")) or None
    return found


def last_of(metrics: Mapping[str, tuple[float, int]]) -> tuple[Record, ...]:
    """The last record, from the newest numbers; none where nothing was reported."""
    report = metrics.get("fidelity", (0.0, 0))[1]
    return (
        (_record(report, {name: value for name, (value, step) in metrics.items() if step == report}),) if report else ()
    )


def records_of(curve: Curve) -> tuple[Record, ...]:
    """All records, in their order."""
    reports: dict[int, dict[str, float]] = {step: {} for step, _ in curve.get("fidelity", ())}
    for name, points in curve.items():
        for step, value in points:
            if step in reports:
                reports[step][name] = value
    return tuple(_record(report, reports[report]) for report in sorted(reports))


def _record(report: int, values: Mapping[str, float]) -> Record:
    """A record from its numbers; what was not finite comes back as NaN."""
    parts: dict[str, dict[str, float]] = {"": {}, MEASURED: {}, OBSERVED: {}}
    spent: dict[str, Any] = {"step": 0, "epoch": math.nan, "images": 0, "flops": math.nan, "fidelity": math.nan}
    for told, value in values.items():
        name, number = (told.removeprefix(NOT_FINITE), math.nan) if told.startswith(NOT_FINITE) else (told, value)
        if name in SPENT:
            spent[SPENT[name]] = int(number) if name in WHOLE else number
        elif name != SEQ:
            part = next((one for one in (MEASURED, OBSERVED) if name.startswith(one)), "")
            parts[part][name.removeprefix(part)] = number
    return Record(report=report, metrics=parts[""], measured=parts[MEASURED], observed=parts[OBSERVED], **spent)


def _newest(run: Run, name: str) -> float:
    return run.metrics.get(name, (0.0, 0))[0]


def _json(tags: Mapping[str, str], name: str) -> dict[str, Any]:
    """The JSON that a tag holds, empty where it is not there or not whole."""
    try:
        found: dict[str, Any] = json.loads(tags.get(f"isoflop.{name}", "{}"))
    except ValueError:
        return {}
    return found


def _value(text: str) -> Any:
    """A parameter's value: JSON where the text is, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def lines_of(runs: Sequence[Run]) -> list[Trial]:
    """Trainings with their last records alone, by number and replicate."""
    return sorted((trial_of(run) for run in runs), key=lambda trial: trial.key)
