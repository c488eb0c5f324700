"""A training whose model is there for others: what the journal knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from isoflop.errors import DataError, Fault, UnknownError
from isoflop.evaluation.predictions import Predictions, load_predictions
from isoflop.journal.history import History
from isoflop.outcome import key_of, known
from isoflop.records import Key
from isoflop.tasks import TEST, USUAL, kind_of
from isoflop.tracking.store import Store
from isoflop.weights import digest


@dataclass(frozen=True, kw_only=True, slots=True)
class Finalist:
    """One training that left weights."""

    study: str
    key: Key
    facts: Mapping[str, Any]
    """Of its study: the payload of the newest STUDY event."""
    began: float
    """Unix seconds of the study's first event."""
    family: str
    seed: int
    fingerprint: str
    sha256: str
    """Of its weights."""
    metrics: Mapping[str, float]
    """What it earned on validation, and on the test set where that was opened for it."""
    folder: Path
    """Where it left its weights and answers."""

    @classmethod
    def find(cls, run: str, store: Store) -> Self:
        """A training by its run, `STUDY/NUMBER` or `STUDY/NUMBER.REPLICATE`; of several seeds, the first.

        Raises `UnknownError` for an unknown run and one that left no weights.
        """
        study, key = key_of(run)
        return cls.of(study, key, known(study, store).store.history(study), store.home)

    @classmethod
    def of(cls, study: str, key: Key, history: History, home: Path) -> Self:
        """A training of a study. Raises `UnknownError` where it left no weights."""
        left = history.artifacts.get((key, "weights"))
        if left is None:
            what = f"{study}/{key} left no weights" if key in history.trials else f"there is no training {study}/{key}"
            raise UnknownError(Fault("run", what, "finalists leave weights; see: isoflop leaderboard"))
        trial = history.trials[key]
        val = trial.last.metrics if trial.last else {}
        return cls(
            study=study,
            key=key,
            facts=history.study,
            began=history.began,
            family=str(trial.config["model.family"]),
            seed=trial.seed,
            fingerprint=trial.fingerprint,
            sha256=left["sha256"],
            metrics={**val, **history.opened.get(key, {}).get("metrics", {})},
            folder=(home / left["path"]).parent,
        )

    @property
    def run(self) -> str:
        """`STUDY/NUMBER.REPLICATE`; without a replicate the first."""
        return f"{self.study}/{self.key}"

    @property
    def data(self) -> str:
        """The name of its data set."""
        return str(self.facts["data"]["name"])

    @property
    def data_digest(self) -> str:
        """The digest of its data set."""
        return str(self.facts["data"]["digest"])

    def check(self) -> None:
        """Raise `DataError` where its weights are not those that it left, `UnknownError` where they are gone."""
        path = self.folder / "weights.safetensors"
        if not path.is_file():
            what, remedy = f"the weights of {self.run} are gone", "bring them back from a copy of the state folder"
            raise UnknownError(Fault(str(path), what, remedy))
        if digest(path) != self.sha256:
            what = f"is torn or was changed: it is not what {self.run} left"
            raise DataError(Fault(str(path), what, "bring it back from a copy of the state folder"))

    def predictions(self, split: str) -> Predictions | None:
        """Its stored answers on a split, none where there are none. Raises `StateError` for a torn file."""
        path = self.folder / f"{split}_predictions.npz"
        return load_predictions(path) if path.is_file() else None

    def tags(self) -> dict[str, str]:
        """What a version of it in MLflow's registry says of itself: few, for MLflow's page shows them all in a row."""
        about = {
            "run": self.run,
            "data": self.data,
            "data_digest": self.data_digest,
            "weights_sha256": self.sha256,
        }
        hit = TEST + kind_of(self.facts["data"].get("task", USUAL.name)).hit
        share = {hit: f"{self.metrics[hit]:.6g}"} if hit in self.metrics else {}
        return {f"isoflop.{name}": text for name, text in (about | share).items()}

    def details(self) -> dict[str, str]:
        """What its logged model says beside that."""
        about = {"seed": str(self.seed), "family": self.family, "fingerprint": self.fingerprint}
        return self.tags() | {f"isoflop.{name}": text for name, text in about.items()}
