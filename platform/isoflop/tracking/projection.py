"""What a run of events adds to the records: tags, parameters, metrics and states, worked out without a tracker."""

from __future__ import annotations

import json
import math
import posixpath
import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from isoflop.journal.event import ARTIFACTS, Event, Kind
from isoflop.records import Key, Record, State
from isoflop.tracking.redaction import clip, redact, redact_tree
from isoflop.tracking.replicates import Joint, Replicates

TAG_LIMIT, PARAM_LIMIT, NAME_LIMIT = 8000, 6000, 250
"""Characters that MLflow takes."""
INHERITED = tuple(
    f"isoflop.{name}"
    for name in ("data_digest", "dvc_revision", "git_commit", "git_dirty", "lock_hash", "code", "hardware")
)
"""Tags that a trial has from its study, so that its run can be read alone."""
SEQ = "system/isoflop.seq"
"""The metric that numbers a run's newest event: who reads asks only for runs whose number is above the last seen."""
STUDY_RUN = "isoflop.study_run"
"""The tag of a training that names its study's run. A trial with several replicates has none."""
ASKED = ("objectives", "constraints", "equal", "fidelity")
"""What of a spec's `study:` reads need."""
NOT_FINITE = "not_finite."
"""What stands before the name of a metric at a report where it was no finite number."""
STATUS = {
    State.RUNNING: "RUNNING",
    State.WAITING: "SCHEDULED",
    State.INTERRUPTED: "SCHEDULED",  # it goes on at the next resume
    State.FAILED: "FAILED",
    State.KILLED: "KILLED",
}
"""MLflow's word for a state. All others are FINISHED: stopped at a rung, over a constraint or answered from the journal
are results, and `isoflop.state` says which; FAILED is kept for what somebody should look at."""
Place: TypeAlias = Key | int
"""Which run below a study's own: a training's by its key, by its number that of a trial with several replicates."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A finite number at a step, with the Unix seconds of its event: writing it again gives the same row."""

    name: str
    value: float
    step: int
    time: float

    def order(self) -> tuple[int, float, float]:
        """Of several rows of one name the one that comes last by this is the latest."""
        return self.step, self.time, self.value


@dataclass(kw_only=True, slots=True)
class Update:
    """What is new about one run."""

    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)
    state: State | None = None
    began: float = 0.0
    """Unix seconds of the first event."""
    ended: float | None = None
    """Unix seconds of the end, none while it goes on."""
    weights: str = ""
    """Path of the weights that it left."""
    reports: list[str] = field(default_factory=list)
    """Paths of the reports that it left: of each class, or of a whole study."""
    predictions: dict[str, str] = field(default_factory=dict)
    """Paths of the predictions that it left, by split."""
    seq: int = 0
    """Place of its newest event in the journal, 0 where it has none that is new."""
    time: float = 0.0
    """Unix seconds of its newest event."""
    data: Mapping[str, Any] | None = None
    """Name, digest and path of the data set."""
    spec: Mapping[str, Any] | None = None

    def tag(self, name: str, value: object) -> None:
        """Set a tag under `isoflop.`."""
        self.tags[f"isoflop.{name}"] = clip(redact(name, to_text(value)), TAG_LIMIT)

    def told(self, name: str, value: Mapping[str, Any]) -> None:
        """Set a tag under `isoflop.` to JSON that reads take whole; where there is no room for all there is none."""
        text = json.dumps(redact_tree(value), sort_keys=True)
        if len(text) <= TAG_LIMIT:
            self.tags[f"isoflop.{name}"] = text

    def number(self, name: str, value: float, step: int, time: float) -> None:
        """Add a metric; one that is not finite is named by a tag and by a metric of its own, since stores mangle it."""
        if math.isfinite(value):
            self.metrics.append(Metric(legal(name), float(value), step, time))
        else:
            self.tag("diverged", f"{name} at report {step}")
            self.metrics.append(Metric(legal(NOT_FINITE + name), 1.0, step, time))


@dataclass(frozen=True, slots=True)
class Projection:
    """What a run of events says of the study's own run and of those below it, in order of their first event."""

    study: Update
    runs: dict[Place, Update]
    before: dict[Place, int]
    """For each of these runs the `seq` of the last event that spoke of it earlier, 0 where none did."""
    several: AbstractSet[int]
    """The trials that have several replicates by now: each has a run of its own above theirs."""

    @property
    def trials(self) -> dict[Key, Update]:
        """What is new of trainings alone."""
        return {place: update for place, update in self.runs.items() if isinstance(place, Key) and update.seq}

    def above(self, place: Place | None) -> int | None:
        """The trial below whose run a run hangs, none where it hangs below the study's."""
        return place.trial if isinstance(place, Key) and place.trial in self.several else None


class Projector:
    """Folds a study's events, from the first one on, into one update for each run.

    However they are cut into batches, the updates add up to the same. Events that it has had are passed over.
    """

    def __init__(self) -> None:
        self._seq = 0
        self._inherited: dict[str, str] = {}
        self._data: Mapping[str, Any] | None = None
        self._replicates = Replicates()
        self._last: dict[Place, int] = {}

    def project(self, events: Iterable[Event]) -> Projection:
        """What is new by these events."""
        found = Projection(Update(), {}, {}, self._replicates.several)
        for event in events:
            if event.seq <= self._seq:
                continue
            self._seq = found.study.seq = event.seq
            found.study.time = event.time
            if event.trial < 0:
                self._fold_study(found.study, event)
            else:
                self._fold_trial(found, event)
        for place, update in found.runs.items():
            if update.seq:
                self._last[place] = update.seq
        return found

    def _fold_study(self, update: Update, event: Event) -> None:
        update.began = update.began or event.time
        _study(update, event)
        if event.kind is Kind.STUDY:
            self._inherited |= {name: update.tags[name] for name in INHERITED if name in update.tags}
            self._data = update.data

    def _fold_trial(self, found: Projection, event: Event) -> None:
        update = self._touch(found, Key(trial=event.trial, replicate=event.replicate), event.time)
        update.seq, update.time = event.seq, event.time
        if event.kind is Kind.START:
            update.tags |= self._inherited
            update.data = self._data
        TRIAL_EVENTS[event.kind](update, event)
        if joint := self._replicates.take(event):
            self._fold_joint(found, event, joint)

    def _fold_joint(self, found: Projection, event: Event, joint: Joint) -> None:
        """A trial with several replicates changed; where it has several only now, those that were there join it."""
        for replicate in joint.joined:
            self._touch(found, Key(trial=event.trial, replicate=replicate), event.time)
        update = self._touch(found, event.trial, joint.began)
        update.seq, update.time = event.seq, event.time
        if joint.joined:
            update.tags |= self._inherited
            update.data = self._data
            _configuration(update, event)
        if event.kind is not Kind.OPENED:
            update.state, update.ended = joint.state, event.time if joint.state.final else None
            update.tag("state", joint.state)
        for name, value in joint.means.items():
            update.number(name, value, joint.count, event.time)

    def _touch(self, found: Projection, place: Place, began: float) -> Update:
        """The update of a run, made where this batch has not spoken of it yet."""
        if place not in found.runs:
            found.runs[place] = Update(began=began)
            found.before[place] = self._last.get(place, 0)
        return found.runs[place]


def project(events: Iterable[Event]) -> Projection:
    """Fold a study's events, from the first one on, into one update for each run."""
    return Projector().project(events)


def _study(update: Update, event: Event) -> None:
    payload = event.payload
    if event.kind is Kind.STUDY:
        data, origin = payload.get("data") or {}, payload.get("provenance") or {}
        update.state, update.ended = State.RUNNING, None
        update.data, update.spec = redact_tree(data) or None, redact_tree(payload.get("spec"))
        update.tag("state", State.RUNNING)
        update.tag("data_digest", data.get("digest", ""))
        update.told("data", {name: data[name] for name in ("name", "digest", "shape", "task") if name in data})
        asked = (payload.get("spec") or {}).get("study") or {}
        update.told("asked", {name: asked[name] for name in ASKED if asked.get(name)})
        facts = {name: payload[name] for name in ("name", "plan", "parent") if payload.get(name)}
        for name, value in (facts | dict(origin)).items():
            update.tag(name, value)
    elif event.kind is Kind.CLOSED:
        update.state, update.ended = State(payload["state"]), event.time
        update.tag("state", payload["state"])
        update.tag("reason", payload.get("reason", ""))
    elif event.kind is Kind.REPORTED:
        update.reports += payload["files"]
        for name, value in payload["numbers"].items():
            update.number(name, value, event.index, event.time)


def _start(update: Update, event: Event) -> None:
    update.tag("seed", event.payload.get("seed", ""))
    update.tag("state", State.WAITING)
    _configuration(update, event)


def _configuration(update: Update, event: Event) -> None:
    """What all replicates of a trial start with."""
    payload = event.payload
    for name in ("fingerprint", "source"):
        update.tag(name, payload.get(name, ""))
    for key, value in payload.get("config", {}).items():
        # Only text can be a secret: a setting such as `model.tokens: 4` is none.
        text = redact(key, exact(value)) if isinstance(value, str) else to_text(value)
        update.params[legal(key)] = clip(text, PARAM_LIMIT)
    update.told("params", payload.get("params", {}))
    for name in ("parameters", "flops", "memory"):
        update.number(name, payload.get(name, 0), 0, event.time)
    for name, value in payload.get("forecast", {}).items():
        update.number(f"forecast.{name}", value, 0, event.time)


def _state(update: Update, event: Event) -> None:
    update.state, update.ended = State(event.payload["state"]), None
    update.tag("state", update.state)


def _record(update: Update, event: Event) -> None:
    record = Record.from_dict(event.payload)
    spent = {
        "step": record.step,
        "epoch": record.epoch,
        "images": record.images,
        "training_flops": record.flops,
        "fidelity": record.fidelity,
    }
    measured = {f"measured.{name}": value for name, value in record.measured.items()}
    observed = {f"observed.{name}": value for name, value in record.observed.items()}
    for name, value in {**record.metrics, **spent, **measured, **observed}.items():
        update.number(name, value, record.report, event.time)


def _end(update: Update, event: Event) -> None:
    _state(update, event)
    update.ended = event.time
    update.tag("reason", event.payload.get("reason", ""))


def _artifact(update: Update, event: Event) -> None:
    kind = ARTIFACTS[event.index]
    update.tag(f"{kind}_sha256", event.payload["sha256"])
    if kind == "weights":
        update.weights = event.payload["path"]
    elif kind.endswith("_report"):
        update.reports.append(event.payload["path"])
    elif kind.endswith("_predictions"):
        update.predictions[kind.removesuffix("_predictions")] = event.payload["path"]


def _opened(update: Update, event: Event) -> None:
    update.tag("opened", event.payload["data_digest"])
    for name, value in event.payload["metrics"].items():
        update.number(name, value, 0, event.time)


def _measured(update: Update, event: Event) -> None:
    update.number("latency", event.payload["latency"], 0, event.time)
    update.tag("latency_hardware", event.payload.get("hardware", ""))


def _retry(update: Update, event: Event) -> None:
    """Parameters cannot be written twice, so what changed stands in tags."""
    update.tag("fingerprint", event.payload["fingerprint"])
    update.tag("retry", event.payload["reason"])
    update.tag("retry_micro_batch", event.payload["config"].get("train.micro_batch"))


def _fault(update: Update, event: Event) -> None:
    update.tag("faults", event.index + 1)
    update.tag("fault", event.payload["reason"])


def _verdict(update: Update, event: Event) -> None:
    payload, first = event.payload, event.payload.get("first")
    update.tag("reproduced", payload["answer"])
    update.tag("reproduced_hardware", payload.get("hardware", ""))
    update.tag("reproduced_tolerance", payload.get("tolerance", ""))
    update.tag("reproduced_code", payload.get("code", ""))
    update.tag("reproduced_first_difference", "" if first is None else first)
    update.told("verdict", payload)


TRIAL_EVENTS = {
    Kind.START: _start,
    Kind.STATE: _state,
    Kind.RECORD: _record,
    Kind.END: _end,
    Kind.ARTIFACT: _artifact,
    Kind.OPENED: _opened,
    Kind.MEASURED: _measured,
    Kind.RETRY: _retry,
    Kind.FAULT: _fault,
    Kind.VERDICT: _verdict,
}


def status_of(state: State) -> str:
    """MLflow's word for a state."""
    return STATUS.get(state, "FINISHED")


def to_text(value: object) -> str:
    """A value as text: strings as they are, all else as JSON, so that numbers can be read back exactly."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def exact(text: str) -> str:
    """A text so that it is read back as text: one that is JSON of another value is quoted."""
    try:
        json.loads(text)
    except ValueError:
        return text
    return json.dumps(text)


def legal(name: str) -> str:
    """A name with nothing in it that MLflow refuses, and no longer than it takes.

    Its names may become paths of files, so one that a path's rules would write otherwise has no slash in it.
    """
    name = re.sub(r"[^\w\-. :/]", "_", clip(name, NAME_LIMIT), flags=re.ASCII)
    if posixpath.normpath(name) != name or name.startswith(("/", "..")):
        name = name.replace("/", "_")
    return f"_{name}" if name.startswith("..") or name in {"", "."} else name
