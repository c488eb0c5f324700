"""The state folder: where journals, data sets, checkpoints and predictions stand."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from isoflop.config import RUN, SELF_SUPERVISED, WEIGHTS
from isoflop.errors import DataError, Fault, StateError, UnknownError
from isoflop.records import Key

VARIABLE = "ISOFLOP_HOME"


@dataclass(frozen=True, slots=True)
class Home:
    """Paths in one state folder. Nothing is made before something is written."""

    path: Path

    @classmethod
    def find(cls) -> Self:
        """The folder that ISOFLOP_HOME names, else `.isoflop` in the working folder."""
        return cls(Path(os.environ.get(VARIABLE) or ".isoflop").absolute())

    @property
    def journal(self) -> Path:
        """The journal of all studies."""
        return self.path / "journal.sqlite"

    @property
    def data(self) -> Path:
        """Prepared data sets, one folder each."""
        return self.path / "data"

    @property
    def weights(self) -> Path:
        """Pretrained weights, one file each."""
        return self.path / "weights"

    @property
    def difficulties(self) -> Path:
        """Difficulties given for training images, one file each."""
        return self.path / "difficulties"

    @property
    def mlflow(self) -> Path:
        """MLflow's database."""
        return self.path / "mlflow.sqlite"

    @property
    def mlflow_artifacts(self) -> Path:
        """MLflow's artifacts."""
        return self.path / "mlflow-artifacts"

    def pretraining(self, owner: str) -> Path:
        """Checkpoints of a training without labels, which belongs to no study."""
        return self.path / "pretraining" / owner

    @property
    def reproductions(self) -> Path:
        """What repeated trainings need while they run, one folder each: `PROCESS-ANY`."""
        return self.path / "reproductions"

    def checkpoints(self, study: str, key: Key) -> Path:
        """Checkpoints of one training."""
        return self.path / "checkpoints" / study / str(key)

    def artifacts(self, study: str, key: Key) -> Path:
        """Weights and predictions of one training."""
        return self.path / "artifacts" / study / str(key)

    @property
    def counts(self) -> Path:
        """What nets were counted as, which can be counted again."""
        return self.path / "counts"

    @property
    def reads(self) -> Path:
        """What reads are served from, which can be read again."""
        return self.path / "reads"

    def reports(self, study: str) -> Path:
        """Reports of a whole study."""
        return self.path / "reports" / study

    def logs(self, study: str, key: Key) -> Path:
        """The file of one training's output and tracebacks."""
        return self.path / "logs" / study / f"{key}.txt"

    def data_set(self, name: str) -> Path:
        """A prepared data set by its name, or by the path of its folder. Raises `DataError` where there is none."""
        for folder in (self.data / name, Path(name)):
            if (folder / "manifest.json").is_file():
                return folder.absolute()
        raise DataError(Fault(name, "this data set was never prepared", f"run: isoflop data prepare {name}"))

    def weights_file(self, name: str) -> Path:
        """Where weights of a name stand, or would."""
        return (self.weights / f"{name}.safetensors").absolute()

    def check_weights(self, names: Iterable[str], key: str = WEIGHTS) -> None:
        """Raise `UnknownError`, with every one that is missing, where there are no weights of a name under a key."""
        missing = [name for name in dict.fromkeys(names) if name and not self.weights_file(name).is_file()]
        if missing:
            raise UnknownError(*(Fault(key, f"there are no weights {name!r} here", _remedy(name)) for name in missing))

    def ensure(self) -> Self:
        """Make the folder. Raises `StateError` where it cannot be written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise StateError(
                f"{self.path}: the state folder cannot be written ({error.strerror}); "
                f"set {VARIABLE} to a folder of yours"
            ) from None
        return self


def _remedy(name: str) -> str:
    """How to come by weights of a name `FAMILY-VARIANT-HASH`."""
    family, _, variant = name.rpartition("-")[0].partition("-")
    ways = {RUN: "isoflop weights add STUDY/NUMBER"} | dict.fromkeys(
        SELF_SUPERVISED, f"isoflop pretrain {family} --set pretrain.method={variant}"
    )
    how = ways.get(variant, f"isoflop weights add {family} --variant {variant}")
    return f"run: {how}; those that are here: isoflop weights list"
