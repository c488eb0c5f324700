"""What the journal and the state folder know, read for board, command line and dashboard; nothing is ever written."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from isoflop.choice import choose
from isoflop.config import ModelConfig, nest, parse
from isoflop.errors import Fault, StateError, UnknownError, did_you_mean
from isoflop.evaluation.predictions import Predictions, load_predictions
from isoflop.journal.history import History
from isoflop.journal.protocol import Journal
from isoflop.optimism import Optimism, optimism, spread_of_seeds
from isoflop.records import Key, Result, State, Trial
from isoflop.scaling import Shape
from isoflop.study_spec import Constraint, Equal, Objective
from isoflop.tasks import TEST, USUAL, VAL, kind_of

FINALISTS = "finalists"


class Store:
    """Reads of all studies. A study's events are folded once; later reads take in only what is new."""

    def __init__(self, journal: Journal, home: Path) -> None:
        self.journal, self.home = journal, home
        self._histories: dict[str, History] = {}
        self._luck: dict[str, tuple[tuple[int, int], Optimism | None]] = {}
        self._lock = Lock()

    def history(self, study: str) -> History:
        """A study's history as of now, empty for an unknown study. It is a copy: later events do not change it."""
        with self._lock:
            history = self._histories.setdefault(study, History())
            for event in self.journal.read(study, after=history.seq):
                history.apply(event)
            return history.copy()

    def version(self) -> tuple[tuple[str, int], ...]:
        """Every study with the place of its newest event: equal versions mean that nothing happened."""
        return tuple((study, self.history(study).seq) for study in self.journal.studies())

    def studies(self) -> list[dict[str, Any]]:
        """Every study, oldest first: id, name, plan, parent, state, reason, data, trials, counts, best and times.

        `best` is the objective's value of the best COMPLETE trial, `best_trial` its number; both are null while there
        is none. `began` and `updated` are Unix seconds.
        """
        return [
            _study_row(study, self.history(study), running=self.journal.running(study) is not None)
            for study in self.journal.studies()
        ]

    def trials(self, study: str) -> list[dict[str, Any]]:
        """A study's trials by number and replicate, as JSON values. Raises `UnknownError` for an unknown study.

        `rung` is the report at which a PRUNED trial was stopped, null for all others. Where a study makes trials equal,
        `solved` is what was solved for that, by dotted key, and `residual` by which share the FLOPs are off.
        `reproduced` is what came last of repeating it, null where nobody did.
        """
        history = self._known(study)
        objectives, equal = _objectives(history), _equal(history)
        return [
            _trial_row(trial, objectives, equal) | {"reproduced": _newest_verdict(history, trial)}
            for trial in _ordered(history.trials.values())
        ]

    def results(self, study: str | None = None) -> list[Result]:
        """What the finalists earned: of all studies, of one search, or of one finalists' study.

        With the hits of their stored predictions and the state counts of their searches. A metric that not all of a
        finalist's seeds have (the test set is being opened) is left out. Raises `UnknownError` for an unknown study.
        """
        ids = self.journal.studies()
        if study is not None:
            self._known(study)
        chosen = [one for one in ids if study in {None, one, self.history(one).study.get("parent")}]
        return [self._whole(result) for one in chosen for result in _results(one, self.history(one))]

    def counts(self, study: str) -> dict[str, int]:
        """How many trials of a study are in each state; empty for an unknown study."""
        return _counts(self.history(study))

    def luck(self, study: str) -> Optimism | None:
        """How much of a search's best score is luck, from the logits on validation that its COMPLETE trials left.

        With the seeds' effect as its finalists show it, where there are any. None where the study picks by something
        else than the share of hits, or fewer than two trials left logits. Read once for each state of both studies.
        """
        history, finalists = self.history(study), f"{study}-{FINALISTS}"
        version = history.seq, self.history(finalists).seq
        if study not in self._luck or self._luck[study][0] != version:
            self._luck[study] = version, self._luck_now(history, finalists)
        return self._luck[study][1]

    def _luck_now(self, history: History, finalists: str) -> Optimism | None:
        kind = kind_of(history.study.get("data", {}).get("task", USUAL.name))
        if [one.metric for one in _objectives(history)] != [VAL + kind.hit]:
            return None
        hits = [one.hits for one in _val_predictions(self.home, history, _complete(history))]
        if len(hits) < 2 or len({len(one) for one in hits}) > 1:
            return None
        retrained: dict[int, list[Predictions]] = {}
        later = self.history(finalists)
        for trial in _complete(later):
            retrained.setdefault(trial.number, []).extend(_val_predictions(self.home, later, [trial]))
        rows = [np.stack([one.hits for one in many]) for many in retrained.values() if many]
        return optimism(np.stack(hits), spread=spread_of_seeds(rows))

    def openings(self) -> dict[str, int]:
        """For how many trainings the test set was opened, by data digest."""
        opened = [facts for one in self.journal.studies() for facts in self.history(one).opened.values()]
        return dict(Counter(str(facts["data_digest"]) for facts in opened))

    def predictions(self, run: str, split: str) -> list[Predictions]:
        """Stored predictions of a finalist, `STUDY/NUMBER`, one a seed in the order of its result.

        Empty where a seed left none. Raises `UnknownError` for an unknown run, `StateError` for a torn file.
        """
        study, number = _split_run(run)
        history = self._known(study)
        keys = [trial.key for trial in _complete(history) if trial.number == number]
        if not keys:
            known = sorted({f"{study}/{trial.number}" for trial in _complete(history)})
            raise UnknownError(Fault("run", f"unknown run {run!r}", did_you_mean(run, known)))
        paths = [history.artifacts.get((key, f"{split}_predictions")) for key in keys]
        if any(path is None for path in paths):
            return []
        return [load_predictions(self.home / path["path"]) for path in paths if path is not None]

    def report(self, run: str, split: str) -> dict[str, Any]:
        """What a training's answers on a split say class by class: `STUDY/NUMBER` or `STUDY/NUMBER.REPLICATE`.

        Without a replicate, the first that left a report. Raises `UnknownError` for an unknown run or one that left
        none, `StateError` for a torn file.
        """
        place, slash, name = run.rpartition("/")
        plain_number, _, replicate = name.partition(".")
        study, number = _split_run(f"{place}{slash}{plain_number}")
        history = self._known(study)
        left = sorted(key for key, kind in history.artifacts if kind == f"{split}_report" and key.trial == number)
        keys = [key for key in left if replicate in {"", str(key.replicate)}]
        if not keys:
            what = f"{run} left no report on {split}"
            remedy = "finalists have one on both splits, COMPLETE trials of a search on val; see: isoflop trials STUDY"
            raise UnknownError(Fault("run", what, remedy))
        path = self.home / history.artifacts[keys[0], f"{split}_report"]["path"]
        try:
            found: dict[str, Any] = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise StateError(f"{path}: the report cannot be read ({error}); train it again") from None
        return {"run": f"{study}/{keys[0]}", **found}

    def _whole(self, result: Result) -> Result:
        """A result with what stands elsewhere: its stored hits, its search's counts. A torn file is a fault of it."""
        hits: dict[str, npt.NDArray[np.bool_]] = {}
        faults = []
        for split in ("val", "test"):
            try:
                many = self.predictions(result.run, split)
            except StateError as error:
                faults.append(str(error))
            else:
                hits |= {split: np.stack([one.hits for one in many])} if many else {}
        return replace(
            result,
            hits=hits,
            faults=tuple(faults),
            counts=self.counts(result.search),
            searched=_searched(result, self.history(result.search)),
            luck=found.luck if (found := self.luck(result.search)) else None,
        )

    def _known(self, study: str) -> History:
        ids = self.journal.studies()
        if study not in ids:
            remedy = did_you_mean(study, ids) if ids else "there is no study yet: run isoflop search SPEC"
            raise UnknownError(Fault("study", f"unknown study {study!r}", remedy))
        return self.history(study)


def _val_predictions(home: Path, history: History, trials: Iterable[Trial]) -> Iterable[Predictions]:
    """What trials left of their logits on validation; those that went for want of room, or are torn, are left out."""
    for trial in trials:
        left = history.artifacts.get((trial.key, f"{VAL}predictions"))
        if left is not None:
            with suppress(StateError):
                yield load_predictions(home / left["path"])


def _study_row(study: str, history: History, *, running: bool) -> dict[str, Any]:
    """A study as JSON values."""
    facts = history.study
    objectives = _objectives(history)
    constraints = [Constraint.model_validate(one) for one in _part(history, "constraints") or ()]
    best = next(iter(choose(_ordered(history.trials.values()), objectives, constraints, 1)), None)
    return {
        "id": study,
        "name": facts.get("name", study),
        "plan": facts.get("plan", "search"),
        "parent": facts.get("parent"),
        "state": _state(history, running=running),
        "reason": (history.closed or {}).get("reason", ""),
        "data": facts.get("data", {}).get("name", ""),
        "data_digest": facts.get("data", {}).get("digest", ""),
        "trials": len(history.trials),
        "counts": _counts(history),
        "axis": _part(history, "fidelity").get("axis", "epochs"),
        "objective": objectives[0].metric,
        "best": plain(best.value(objectives[0].metric)) if best else None,
        "best_trial": best.number if best else None,
        "began": history.began,
        "updated": history.updated,
    }


def _trial_row(trial: Trial, objectives: Sequence[Objective], equal: Equal | None) -> dict[str, Any]:
    """A trial as JSON values."""
    return {
        "number": trial.number,
        "replicate": trial.replicate,
        "state": str(trial.state),
        "reason": trial.reason,
        "family": str(trial.config.get("model.family", "")),
        "params": plain(trial.params),
        "solved": plain(equal.solved(trial.config)) if equal and trial.flops else {},
        "residual": trial.flops / equal.flops - 1 if equal and trial.flops else None,
        "values": {objective.metric: plain(trial.value(objective.metric)) for objective in objectives},
        "rung": trial.reports if trial.state is State.PRUNED else None,
        "records": [plain(record.to_dict()) for record in trial.records],
        "flops": trial.flops,
        "parameters": trial.parameters,
        "memory": trial.memory,
        "latency": trial.latency,
        "seed": trial.seed,
        "fingerprint": trial.fingerprint,
        "source": trial.source,
    }


def _results(study: str, history: History) -> Iterable[Result]:
    """The finalists of one study."""
    if history.study.get("plan") != FINALISTS:
        return
    complete = _complete(history)
    for number in sorted({trial.number for trial in complete}):
        yield _result(study, number, history, [trial for trial in complete if trial.number == number])


def _result(study: str, number: int, history: History, replicates: Sequence[Trial]) -> Result:
    """One finalist: its COMPLETE replicates side by side."""
    first, data = replicates[0], history.study["data"]
    earned = [_earned(trial, history) for trial in replicates]
    shared = [name for name in earned[0] if all(name in values for values in earned)]
    model = parse(ModelConfig, nest(first.config)["model"], "model")
    return Result(
        run=f"{study}/{number}",
        study=study,
        trial=number,
        source=first.source,
        family=model.family,
        shape=_shape(model, data.get("shape")),
        parameters=first.parameters,
        flops=first.flops,
        data_digest=data["digest"],
        task=(kind := kind_of(data.get("task", USUAL.name))),
        pick=next((one.metric for one in _objectives(history) if one.metric.startswith(VAL)), kind.first),
        seeds=tuple(trial.seed for trial in replicates),
        values={name: tuple(values[name] for values in earned) for name in shared},
        verdicts=tuple(_newest_verdict(history, trial) for trial in replicates),
        lost=sum(
            t.number == number and t.state.final and t.state is not State.COMPLETE for t in history.trials.values()
        ),
    )


def _searched(result: Result, search: History) -> float | None:
    """What the trial that a finalist retrains came to in its search, by the metric that picks."""
    number = result.source.rpartition("/")[2]
    trial = search.trials.get(Key(trial=int(number))) if number.isdecimal() else None
    return plain(trial.value(result.pick)) if trial is not None else None


def _earned(trial: Trial, history: History) -> dict[str, float]:
    """A replicate's validation metrics at its end, and its test metrics where the test set was opened for it."""
    val = trial.last.metrics if trial.last else {}
    test = history.opened.get(trial.key, {}).get("metrics", {})
    return {name: float(value) for name, value in {**val, **test}.items() if name.startswith((VAL, TEST))}


def _newest_verdict(history: History, trial: Trial) -> Mapping[str, Any] | None:
    found = history.verdicts.get(trial.key)
    verdict: Mapping[str, Any] | None = plain(found[-1]) if found else None
    return verdict


def _shape(model: ModelConfig, image: Sequence[int] | None) -> str:
    """The shape in words; without the stored resolution where neither configuration nor journal tells it."""
    if model.resolution is None and not image:
        return f"d{model.depth:.3g} w{model.width:.3g}" + (f" phi{model.phi:.3g}" if model.phi else "")
    return str(Shape.of(model, image[-1] if image else 0))


def _objectives(history: History) -> tuple[Objective, ...]:
    """The study's objectives; the usual one where the spec leaves them out."""
    found = _part(history, "objectives") or [{}]
    return tuple(Objective.model_validate(one) for one in found)


def _equal(history: History) -> Equal | None:
    """What the study's trials are equal in, none where they need not be."""
    found = _part(history, "equal")
    return Equal.model_validate(found) if found else None


def _part(history: History, name: str) -> Any:
    """A part of the spec's `study:`, empty where the spec leaves it to the default."""
    return history.study.get("spec", {}).get("study", {}).get(name) or {}


def _complete(history: History) -> list[Trial]:
    return [trial for trial in _ordered(history.trials.values()) if trial.state is State.COMPLETE]


def _ordered(trials: Iterable[Trial]) -> list[Trial]:
    return sorted(trials, key=lambda trial: (trial.number, trial.replicate))


def _counts(history: History) -> dict[str, int]:
    """Trials by state, in the order of `State`, those that occur."""
    found = Counter(trial.state for trial in history.trials.values())
    return {str(state): found[state] for state in State if found[state]}


def _state(history: History, *, running: bool) -> str:
    """COMPLETE, INTERRUPTED or FAILED once closed; before, RUNNING while a driver runs it, else INTERRUPTED."""
    if history.closed is not None:
        return str(history.closed["state"])
    return str(State.RUNNING if running else State.INTERRUPTED)


def _split_run(run: str) -> tuple[str, int]:
    """Study and number of `STUDY/NUMBER`. Raises `UnknownError` for anything else."""
    study, _, number = run.rpartition("/")
    if not study or not number.isdecimal():
        raise UnknownError(Fault("run", f"{run!r} is not a run", "write STUDY/NUMBER, as isoflop leaderboard shows it"))
    return study, int(number)


def plain(value: Any) -> Any:
    """A value as strict JSON knows it: numbers that are not finite become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
