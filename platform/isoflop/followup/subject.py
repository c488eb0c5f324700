"""The run that a study is about: a finalist, or a COMPLETE trial of a search."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from isoflop.bench import Bench
from isoflop.config import STORED
from isoflop.data import PreparedData, open_prepared
from isoflop.errors import Fault, InputError, UnknownError, did_you_mean
from isoflop.outcome import key_of, known
from isoflop.records import State, Trial
from isoflop.spec import Spec
from isoflop.study_spec import StudySpec
from isoflop.tasks import VAL
from isoflop.tracking.store import Store

PLANS = ("finalists", "search")


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A run, and what is needed to train it again."""

    run: str
    """`STUDY/NUMBER`."""
    study: str
    trial: Trial
    """Its first COMPLETE training; where that was a member of a fused program, as it is alone."""
    spec: Spec
    prepared: PreparedData
    seen: frozenset[int]
    """Seeds that its study, and the search that it comes from, have trained with."""

    @property
    def unlimited(self) -> StudySpec:
        """The study's part of the spec without a limit of time."""
        budget = self.spec.study.budget.model_copy(update={"time": None})
        return self.spec.study.model_copy(update={"budget": budget})

    @property
    def metric(self) -> str:
        """What it is judged by: the first objective on validation."""
        named = (one.metric for one in self.spec.study.objectives)
        return next((metric for metric in named if metric.startswith(VAL)), self.prepared.task.first)

    @property
    def facts(self) -> dict[str, object]:
        """What the STUDY event of a study of it says of it."""
        return {"parent": self.study, "run": self.run}

    def named(self, purpose: str) -> str:
        """The id of its study for a purpose."""
        return f"{self.study}-{self.trial.number}-{purpose}"


def subject_of(run: str, bench: Bench) -> Subject:
    """The run of a name. Raises `UnknownError` where it is not there, `InputError` for one that cannot be studied."""
    study, key = key_of(run)
    found = known(study, Store(bench.journal, bench.home.path))
    facts = found.store.history(study).study
    if facts["plan"] not in PLANS:
        what = f"study {study} is no search and no finalists' study, but {facts['plan']}"
        raise InputError(Fault("run", what, "name a finalist, as isoflop leaderboard shows it"))
    complete = [trial for trial in found.trials if trial.state is State.COMPLETE]
    own = next((trial for trial in complete if trial.number == key.trial), None)
    if own is None:
        runs = sorted({f"{study}/{trial.number}" for trial in complete})
        raise UnknownError(Fault("run", f"{run} has no COMPLETE training", did_you_mean(run, runs)))
    for name in STORED:
        bench.home.check_weights([str(own.config.get(name, ""))], name)
    seen = {trial.seed for trial in found.trials} | {found.spec.study.seed}
    return Subject(
        run=f"{study}/{own.number}",
        study=study,
        trial=replace(own, config={key: value for key, value in own.config.items() if not key.startswith("fused.")}),
        spec=found.spec,
        prepared=open_prepared(Path(facts["data"]["path"])),
        seen=frozenset(seen),
    )
