"""Runs of studies: a plan brought to its end under the study's lease, in the study's newest segment."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pydantic import TypeAdapter, ValidationError

from isoflop.bench import Bench, Keep, StudyDesk
from isoflop.config import Name
from isoflop.crashpoints import crash
from isoflop.data import PreparedData
from isoflop.drift import drift
from isoflop.errors import Fault, InputError, LeaseError, StudyError
from isoflop.execution.recorder import Recorder
from isoflop.journal.event import Kind
from isoflop.journal.history import History
from isoflop.planning.progress import cause, told
from isoflop.provenance import holder, provenance
from isoflop.records import State, Trial
from isoflop.spec import Spec
from isoflop.study_spec import Objective, StudySpec, seconds
from isoflop.tasks import refuse_strangers

if TYPE_CHECKING:
    from isoflop.plan import Plan, Proposal

ABLATION: Final = "ablation"
CROSS_VALIDATION: Final = "cross-validation"
FOLLOW_UPS: Final = (ABLATION, CROSS_VALIDATION)
"""Plans of studies that are about one run."""
KEPT: Final = {"finalists": Keep.ALL, **dict.fromkeys(FOLLOW_UPS, Keep.ANSWERS)}
"""What studies keep, by their plan; all others keep some predictions."""
Report: TypeAlias = Callable[[History], Mapping[str, Any]]
"""Makes a REPORTED event's payload of a history."""


def fitted(spec: Spec, prepared: PreparedData) -> Spec:
    """A spec with the first metric of the data set's task for objective, where it names none.

    Raises `InputError` where it names a metric that the task does not have.
    """
    study = spec.study
    if "objectives" not in study.model_fields_set:
        study = study.model_copy(update={"objectives": (Objective(metric=prepared.task.first),)})
    named = [(f"study.objectives.{place}", one.metric) for place, one in enumerate(study.objectives)]
    named += [(f"study.constraints.{place}", one.quantity) for place, one in enumerate(study.constraints)]
    refuse_strangers(named, prepared.task, len(prepared.classes), prepared.name)
    return replace(spec, study=study)


def fresh_id(name: str, taken: Sequence[str]) -> str:
    """The first of NAME-1, NAME-2, ... that no study has."""
    number = 1
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"


def legal_id(study: str) -> str:
    """An id that a study can have: it stands in paths, and in the filters of what keeps the records."""
    try:
        return str(TypeAdapter(Name).validate_python(study))
    except ValidationError:
        remedy = "use up to 64 letters, digits, dots, dashes and underscores, a letter or digit first"
        raise InputError(Fault("study", f"{study!r} is no id of a study", remedy)) from None


def payload(plan: str, spec: Spec, prepared: PreparedData) -> dict[str, Any]:
    """What a STUDY event says."""
    return {
        "name": spec.study.name,
        "plan": plan,
        "spec": spec.tree(),
        "data": {
            "name": prepared.name,
            "digest": prepared.digest,
            "path": str(prepared.path),
            "shape": list(prepared.shape),
            "task": prepared.task.name,
            **prepared.manifest.origin(),
        },
        "provenance": provenance(),
        "parent": None,
    }


def run(
    bench: Bench,
    study: str,
    plan: Plan,
    opening: dict[str, Any],
    spec: StudySpec,
    *,
    allow_drift: bool,
    report: Report | None = None,
    fellows: Callable[[Trial], Sequence[Proposal]] = lambda _: (),
) -> None:
    """Run a plan to its end under the study's lease; what `report` makes of the history is journalled.

    `fellows` says who else is trained with a trial, as one program.
    Raises `StudyError` where it came to nothing.
    """
    limit = seconds(spec.budget.time) * (1 - spec.budget.reserve) if spec.budget.time else None
    desk = StudyDesk(
        home=bench.home,
        study=study,
        data=opening["data"]["path"],
        spec=spec,
        keep=KEPT.get(opening["plan"], Keep.SOME),
        fellows=fellows,
    )
    with (
        closing(bench.build_executor(spec)) as executor,
        bench.tracker(study) as tell,
        Recorder(
            bench.journal,
            study,
            holder=holder(),
            listeners=(tell, desk.keeper(), *bench.listeners),
            deadline=clock.time() + limit if limit else None,
        ) as recorder,
    ):
        note = opening | drifted(study, recorder.history, opening, allow_drift=allow_drift)
        recorder.note(Kind.STUDY, note, index=recorder.history.segment + 1)
        executor.prepare()
        with _closed(recorder, plan):
            from isoflop.job import open_job  # with torch, while the executor gets ready

            executor.run(plan, recorder, desk, open_job)
            if report is not None:
                recorder.note(Kind.REPORTED, dict(report(recorder.history)))


def drifted(study: str, history: History, opening: Mapping[str, Any], *, allow_drift: bool) -> dict[str, Any]:
    """What changed since the study's last segment, to be journalled; nothing for a study that only begins.

    Raises `InputError` where it must not.
    """
    if not history.study:
        return {}
    found = [line for line in drift(history.study, opening) if line not in opening.get("widened", ())]
    if not allow_drift:
        refuse(study, found, "start a new study, or go on knowingly with --allow-drift")
    return {"drift": found} if found else {}


def refuse(study: str, differences: Sequence[str], remedy: str) -> None:
    """Raise `InputError` where there are differences, one fault each."""
    if differences:
        raise InputError(*(Fault(f"study {study}", line, remedy) for line in differences))


@contextmanager
def _closed(recorder: Recorder, plan: Plan) -> Iterator[None]:
    """Write how a run of a study ended, whatever ended it."""
    try:
        yield
        _check(recorder.history)
    except KeyboardInterrupt:
        recorder.note(Kind.CLOSED, {"state": State.INTERRUPTED, "reason": "stopped"})
        raise
    except LeaseError:
        raise  # another driver writes now
    except Exception as error:
        recorder.note(Kind.CLOSED, {"state": "FAILED", "reason": f"{type(error).__name__}: {error}"})
        raise
    crash("study.before_close")
    recorder.note(Kind.CLOSED, {"state": "COMPLETE", "reason": recorder.decide(plan).reason})


def _check(history: History) -> None:
    """Raise `StudyError` where every trial that was trained failed, with the causes in groups."""
    tried = [trial for trial in history.trials.values() if not trial.free]
    if not tried or any(trial.state is not State.FAILED for trial in tried):
        return
    if len(tried) == 1:
        raise StudyError(f"its only trial failed: {told(tried[0].reason)}")
    alike: dict[str, list[str]] = {}
    for trial in tried:
        alike.setdefault(cause(trial.reason), []).append(told(trial.reason))
    groups = sorted(alike.values(), key=len, reverse=True)[:5]
    raise StudyError(f"all {len(tried)} trials failed: {'; '.join(f'{len(one)} x {one[0]}' for one in groups)}")
