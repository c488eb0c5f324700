"""What the suggestion of a trial may see of the others: fixed by the look-ahead, never by who arrived first.

Trial n starts once trials up to n - L have passed rung 0, up to n - L * eta rung 1, and so on, up to the horizon. Its
suggestion sees those records and no others, though more may stand in the journal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from isoflop.plan import Verdict
from isoflop.planning.halving import passed, verdict
from isoflop.records import State, Trial
from isoflop.study_spec import StudySpec


def ready(number: int, trials: Mapping[int, Trial], spec: StudySpec) -> bool:
    """Whether trial `number` may be suggested."""
    return all(passed(trials[n], _needed(number - n, spec)) for n in range(number) if _level(number - n, spec) > 0)


def view(number: int, trials: Mapping[int, Trial], spec: StudySpec) -> Sequence[Trial]:
    """The trials before `number` as its suggestion sees them, in order."""
    return [_seen(trials[n], _needed(number - n, spec), trials, spec) for n in range(number)]


def _level(distance: int, spec: StudySpec) -> int:
    """How many rungs a trial this far back must have passed; the horizon counts as the last."""
    eta = spec.halving.eta if spec.halving else 1
    return sum(distance >= spec.look_ahead * eta**k for k in range(len(spec.rungs) + 1))


def _needed(distance: int, spec: StudySpec) -> int:
    """The report up to which a trial this far back is seen."""
    level = _level(distance, spec)
    return (0, *spec.rungs, spec.fidelity.reports)[level]


def _seen(trial: Trial, reports: int, trials: Mapping[int, Trial], spec: StudySpec) -> Trial:
    """A trial cut down to what had been decided by its first `reports` reports."""
    if trial.state.free:
        return trial
    seen = trial.records[:reports]
    if len(seen) == reports == spec.fidelity.reports or (trial.state.final and trial.reports < reports):
        return trial
    stopped = reports in spec.rungs and _stopped(trial.number, reports, trials, spec)
    return replace(trial, records=seen, state=State.PRUNED if stopped else State.RUNNING, reason="")


def _stopped(number: int, rung: int, trials: Mapping[int, Trial], spec: StudySpec) -> bool:
    assert spec.halving is not None, "rungs without halving"
    return verdict(number, rung, trials, spec.halving.eta, spec.objectives[0]) is Verdict.STOP
