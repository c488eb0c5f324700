"""What changed between a study that stands and what it is asked to go on with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from isoflop.config import flatten
from isoflop.faults import parse
from isoflop.records import Trial
from isoflop.space import SearchSpace
from isoflop.study_spec import StudySpec

FREE = frozenset({"name", "data", "budget", "resources", "finalists", "enqueue"})
"""Parts of a study that may change without changing what its trials mean."""
DECISIVE = frozenset({"resources.threads", "resources.devices"})
"""Keys of those parts that do decide numbers."""
ABSENT = "nothing"


def drift(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The differences of two STUDY payloads that make trials incomparable, a line each; empty where they go together.

    A setting that the older one did not know yet had its default.
    """
    return [
        *_changed("space", _flat(before["spec"]["space"]), _flat(now["spec"]["space"])),
        *_changed("study", _decisive(before["spec"]["study"]), _decisive(now["spec"]["study"])),
        *_changed("data", {"digest": before["data"]["digest"]}, {"digest": now["data"]["digest"]}),
        *_changed("code", {"version": before["provenance"]["code"]}, {"version": now["provenance"]["code"]}),
    ]


def widened(space: SearchSpace, trials: Sequence[Trial]) -> list[str]:
    """Why a space is no wider version of the one that trials came from, a line each; empty where it is."""
    return [
        f"trial {trial.number}: {key} {what}"
        for trial in trials
        for key, (what, _) in space.strange(trial.params).items()
    ]


def _changed(part: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*old, *new}):
        was, now = old.get(key, ABSENT), new.get(key, ABSENT)
        if was != now:
            yield f"{part}.{key}: was {was}, is {now}"


def _flat(space: Mapping[str, Any]) -> dict[str, Any]:
    return dict(flatten(space))


def _decisive(study: Mapping[str, Any]) -> dict[str, Any]:
    whole = parse(StudySpec, study, "study").model_dump(mode="json")
    return {key: value for key, value in flatten(whole) if key.partition(".")[0] not in FREE or key in DECISIVE}
