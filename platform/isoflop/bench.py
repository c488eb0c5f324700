"""Where studies run: a state folder with its journal, an executor, a tracker, and who watches."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any, Literal, Self

from isoflop.config import STORED, TrialConfig
from isoflop.errors import Fault, InputError
from isoflop.execution.desk import Smaller
from isoflop.execution.inline import InlineExecutor
from isoflop.execution.process_executor import ProcessExecutor
from isoflop.execution.protocol import Executor
from isoflop.execution.recorder import Listener
from isoflop.home import Home
from isoflop.journal.event import Event, Kind
from isoflop.journal.sqlite import SqliteJournal
from isoflop.plan import Proposal
from isoflop.provenance import code_version
from isoflop.records import Job, Key, Trial
from isoflop.retention import Shelf, retain
from isoflop.study_spec import StudySpec
from isoflop.tracking.address import tracking_uri
from isoflop.tracking.background import tracked
from isoflop.tracking.remote import tracked_remotely

RETAIN_SECONDS = 10.0
"""Between two looks at what checkpoints take."""
ExecutorName = Literal["inline", "processes", "ray"]
TRAINING = ("isoflop.job",)
"""What worker processes import before there is a job for them."""


class Keep(Enum):
    """What finished trainings leave for good, beside their reports."""

    SOME = "some"
    """Predictions, as far as there is room for them."""
    ANSWERS = "answers"
    """Predictions, whatever room they take."""
    ALL = "all"
    """Predictions, whatever room they take, and weights: without those no test set is ever opened."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """A state folder and what runs studies in it."""

    home: Home
    executor: ExecutorName = "ray"
    address: str | None = None
    """A Ray cluster to join; none means one on this machine."""
    tracking_uri: str | None = None
    """MLflow's server or database; none means MLFLOW_TRACKING_URI, else the one in the state folder."""
    listeners: Sequence[Listener] = ()

    @classmethod
    def here(cls, **fields: Any) -> Self:
        """A bench in the state folder that the environment names. Raises `StateError` where it cannot be written."""
        return cls(home=Home.find().ensure(), **fields)

    @property
    def journal(self) -> SqliteJournal:
        """The journal of the state folder."""
        return SqliteJournal(self.home.ensure().journal)

    def build_executor(self, spec: StudySpec) -> Executor:
        """The executor that was asked for; Ray is imported only where it is used.

        Raises `InputError` where a cluster is to be joined by one that knows none.
        """
        if self.address and self.executor != "ray":
            what = f"{self.address} is a Ray cluster, and the executor is {self.executor}"
            raise InputError(Fault("--address", what, "leave one of both out"))
        if self.executor == "inline":
            return InlineExecutor()
        if self.executor == "processes":
            return ProcessExecutor(spec.resources, imports=TRAINING)
        from isoflop.execution.ray_executor import RayExecutor

        return RayExecutor(spec.resources, address=self.address)

    @property
    def mlflow(self) -> str:
        """MLflow's server or database."""
        return self.tracking_uri or tracking_uri(self.home)

    def tracker(self, study: str) -> AbstractContextManager[Listener]:
        """Writes a study's records to MLflow while the context lasts: from a thread inline, else from a process."""
        if self.executor == "inline":
            return tracked(study, self.journal, uri=self.mlflow, artifacts=self.home.mlflow_artifacts)
        return tracked_remotely(study, self.journal.path, uri=self.mlflow, artifacts=self.home.mlflow_artifacts)


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyDesk:
    """Jobs for the trials of one study, with their folders below the state folder."""

    home: Home
    study: str
    data: str
    """Folder of the prepared data set."""
    spec: StudySpec
    keep: Keep
    fellows: Callable[[Trial], Sequence[Proposal]] = lambda _: ()
    """Who else is trained with a trial, as one program."""

    def job(self, trial: Trial) -> Job:
        """What a worker is given to train a trial."""
        return replace(self._job(trial), fellows=tuple(self._job(fellow) for fellow in self.fellows(trial)))

    def _job(self, trial: Trial | Proposal) -> Job:
        return Job(
            study=self.study,
            key=trial.key,
            config=trial.config,
            seed=trial.seed,
            data=self.data,
            checkpoints=str(self.home.checkpoints(self.study, trial.key)),
            weights=self._weights(trial),
            flops=trial.flops,
            observe=self.spec.observe == "all" or (self.keep is Keep.ALL and self.spec.observe == "finalists"),
            artifacts=str(self.home.artifacts(self.study, trial.key)),
            keep_weights=self.keep is Keep.ALL,
            asked=self.spec.asked,
            log=str(self.home.logs(self.study, trial.key)),
            batch=self.spec.latency.batch,
            passes=self.spec.latency.passes,
        )

    def _weights(self, trial: Trial | Proposal) -> dict[str, str]:
        named = [str(name) for key in STORED if (name := trial.config.get(key))]
        return {name: str(self.home.weights_file(name)) for name in named}

    def smaller(self, trial: Trial) -> Smaller | None:
        """A trial's configuration with a smaller micro-batch, none where it cannot be smaller."""
        config = TrialConfig.from_params(trial.config).halved()
        if config is None:
            return None
        return Smaller(config=config.params(), fingerprint=config.fingerprint(code_version()))

    def keeper(self) -> Callable[[Event], None]:
        """A listener that keeps checkpoints and predictions in bounds.

        Checkpoints of final trials go, and of open ones the older copies where all take more than the spec's disk; so
        do predictions of the worst trials of a search where all take more than they may.
        """
        open_trainings: set[Key] = set()
        looked = time.monotonic()
        shelf = Shelf(self.home.path / "artifacts" / self.study, self.spec.resources.predictions, self.spec.objectives)

        def listen(event: Event) -> None:
            nonlocal looked
            key = Key(trial=event.trial, replicate=event.replicate)
            if event.kind is Kind.START:
                open_trainings.add(key)
            elif event.kind is Kind.END:
                open_trainings.discard(key)
                shutil.rmtree(self.home.checkpoints(self.study, key), ignore_errors=True)
                if self.keep is Keep.SOME:
                    shelf.add(self.home.artifacts(self.study, key))
            elif event.kind is Kind.RECORD and time.monotonic() - looked > RETAIN_SECONDS:
                looked = time.monotonic()
                retain(partial(self.home.checkpoints, self.study), open_trainings, self.spec.resources.disk)

        return listen
