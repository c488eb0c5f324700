"""The runs that a tracker shows, held against what the journal says: runs too many, gaps, and runs left running."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from isoflop.tracking.projection import SEQ, Metric, Place, Projection, Update, status_of

Where: TypeAlias = Place | None
"""A run of a study: none for the study's own."""


class What(StrEnum):
    """What is wrong with a run."""

    SURPLUS = "surplus"
    """A second one of the same training, or of one that the journal does not know: it is to be removed."""
    WRONG = "wrong"
    """It has another value of a parameter, and parameters cannot be written twice: it is written anew."""
    GAP = "gap"
    """It is missing, or something of it is: it is to be written."""
    RUNNING = "running"
    """It is shown as running though nobody runs its study: it is to be ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A run as a tracker shows it."""

    id: str
    name: str
    place: Where
    status: str
    """MLflow's word."""
    above: str = ""
    """Id of the run that it hangs below."""
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    """The latest value of each."""

    @property
    def seq(self) -> int:
        """Place in the journal of the last event that it was written for, 0 where it has none."""
        return int(self.metrics.get(SEQ, 0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Flaw:
    """One thing that is wrong with one run."""

    what: What
    place: Where
    run: str = ""
    """Its id, empty where there is none."""
    detail: str


def keep(runs: Sequence[Seen]) -> Seen:
    """Of several runs of one training the one that stays: the one that more of the journal stands in."""
    return min(runs, key=lambda run: (-run.seq, run.id))


def audit(projection: Projection, runs: Iterable[Seen]) -> list[Flaw]:
    """What is wrong with the runs of a study that nobody runs now. `projection` is that of all its events."""
    expected: dict[Where, Update] = dict([(None, projection.study), *projection.runs.items()])
    standing: dict[Where, list[Seen]] = {}
    for run in runs:
        standing.setdefault(run.place, []).append(run)
    flaws = [flaw for place, many in standing.items() for flaw in _surplus(place, many, known=place in expected)]
    stays = {place: keep(many) for place, many in standing.items() if place in expected}
    for place, update in expected.items():
        above = stays.get(projection.above(place))
        flaws += _held(place, update, stays.get(place), above.id if above and place is not None else "")
    return flaws


def _surplus(place: Where, runs: Sequence[Seen], *, known: bool) -> Iterator[Flaw]:
    stays = keep(runs) if known else None
    for run in runs:
        if run is not stays:
            detail = f"a second run beside {stays.id}" if stays else "the journal does not know it"
            yield Flaw(what=What.SURPLUS, place=place, run=run.id, detail=detail)


def _held(place: Where, update: Update, run: Seen | None, above: str) -> Iterator[Flaw]:
    """The flaws of the run that stays."""
    if run is None:
        yield Flaw(what=What.GAP, place=place, detail="is missing")
        return
    if wrong := [name for name, text in update.params.items() if run.params.get(name, text) != text]:
        yield Flaw(what=What.WRONG, place=place, run=run.id, detail=f"has another {wrong[0]}")
    elif gap := next(_gaps(update, run, above), None):
        yield Flaw(what=What.GAP, place=place, run=run.id, detail=gap)
    if run.status == "RUNNING":
        yield Flaw(what=What.RUNNING, place=place, run=run.id, detail="is shown as running")


def _gaps(update: Update, run: Seen, above: str) -> Iterator[str]:
    """What a run lacks, in words."""
    yield from (f"lacks {name}" for name in update.params if name not in run.params)
    latest = {one.name: one.value for one in sorted(update.metrics, key=Metric.order)}
    yield from (f"lacks {name}" for name, value in latest.items() if run.metrics.get(name) != value)
    yield from (f"lacks {name}" for name, text in update.tags.items() if run.tags.get(name) != text)
    if run.seq < update.seq:
        yield "is behind"
    if run.above != above:
        yield "hangs below another run"
    if update.state is not None and update.state.final and run.status != status_of(update.state):
        yield f"is shown as {run.status}"
