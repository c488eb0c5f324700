"""Scripted plans and trainings: what executors are tested with, without torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from isoflop.errors import DivergedError
from isoflop.journal.history import History
from isoflop.plan import Decision, Proposal
from isoflop.planning.halving import rung_of, verdict
from isoflop.records import Artifact, Job, Key, Record, State, Trial
from isoflop.study_spec import Halving, Objective

REPORTS = 9
RUNGS = (1, 3)


@dataclass(frozen=True)
class ScriptedPlan:
    """Numbered trials of a drawn x with halving; every seventh is INFEASIBLE."""

    trials: int
    look_ahead: int = 4
    halving: Halving = field(default_factory=Halving)

    def __call__(self, history: History) -> Decision:
        trials = {key.trial: trial for key, trial in history.trials.items()}
        verdicts = {
            t.key: verdict(t.number, rung, trials, 3, Objective())
            for t in trials.values()
            if (rung := rung_of(t, RUNGS)) is not None
        }
        number = len(trials)
        if number == self.trials:
            return Decision(verdicts=verdicts, finished=True)
        final = all(
            trials[n].reports >= 1 or trials[n].state.final for n in range(max(0, number - self.look_ahead + 1))
        )
        return Decision(start=self.propose(number, trials) if final else None, verdicts=verdicts)

    def propose(self, number: int, trials: dict[int, Trial]) -> Proposal:
        seen = [
            trials[n].records[0].metrics["val_accuracy"]
            for n in range(number - self.look_ahead + 1)
            if trials[n].records
        ]
        x = draw(f"{number}-{max(seen, default=0)}")
        infeasible = number % 7 == 6
        return Proposal(
            key=Key(trial=number),
            params={"x": x},
            config={"x": x, "train.reports": REPORTS},
            seed=number,
            fingerprint=str(x),
            parameters=1,
            flops=1.0,
            source="scripted",
            state=State.INFEASIBLE if infeasible else None,
            reason="x" if infeasible else "",
        )


@dataclass
class ScriptedTraining:
    """A training whose accuracy climbs to x; some diverge, some raise what nobody expects."""

    job: Job
    report: int = 0

    def __next__(self) -> Record:
        self.report += 1
        x = float(self.job.config["x"])  # type: ignore[arg-type]
        if self.job.seed % 11 == 4:
            raise DivergedError(20, "train_loss")
        if self.job.seed % 13 == 5:
            raise ZeroDivisionError("a bug in this configuration")
        value = x * (1 - 0.5**self.report)
        return Record(
            report=self.report,
            step=10 * self.report,
            epoch=self.report,
            images=self.report,
            flops=self.report,
            fidelity=self.report,
            metrics={"val_accuracy": value},
        )

    def save(self, report: int) -> object:
        folder = Path(self.job.checkpoints)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report").write_text(str(report))
        return report

    def finish(self) -> Sequence[Artifact]:
        if self.job.artifacts is None:
            return []
        return [Artifact(kind="weights", path=self.job.artifacts, sha256=str(self.job.key))]


def open_scripted(job: Job) -> ScriptedTraining:
    """Begin a scripted training, or go on from its checkpoint."""
    saved = Path(job.checkpoints) / "report"
    return ScriptedTraining(job, int(saved.read_text()) if saved.exists() else 0)


def open_deadly(job: Job) -> ScriptedTraining:
    """Begin a training that takes its worker down."""
    os._exit(9)


def draw(text: str) -> float:
    """A number in [0, 1) that the text decides."""
    return int(hashlib.md5(text.encode()).hexdigest(), 16) % 10_000 / 10_000


def table(history: History) -> list[tuple[object, ...]]:
    """What must be equal on any executor."""
    return [
        (k.trial, k.replicate, t.params["x"], t.state, tuple(r.metrics["val_accuracy"] for r in t.records))
        for k, t in sorted(history.trials.items(), key=lambda item: item[0].trial)
    ]
