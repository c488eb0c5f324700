"""The state folder: where journals, data sets, checkpoints and predictions stand."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from isoflop.errors import DataError, Fault, StateError
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
    def mlflow(self) -> Path:
        """MLflow's database."""
        return self.path / "mlflow.sqlite"

    @property
    def mlflow_artifacts(self) -> Path:
        """MLflow's artifacts."""
        return self.path / "mlflow-artifacts"

    def checkpoints(self, study: str, key: Key) -> Path:
        """Checkpoints of one training."""
        return self.path / "checkpoints" / study / str(key)

    def artifacts(self, study: str, key: Key) -> Path:
        """Weights and predictions of one training."""
        return self.path / "artifacts" / study / str(key)

    def logs(self, study: str, key: Key) -> Path:
        """The file of one training's output and tracebacks."""
        return self.path / "logs" / study / f"{key}.txt"

    def data_set(self, name: str) -> Path:
        """A prepared data set by its name, or by the path of its folder. Raises `DataError` where there is none."""
        for folder in (self.data / name, Path(name)):
            if (folder / "manifest.json").is_file():
                return folder.absolute()
        raise DataError(Fault(name, "this data set was never prepared", f"run: isoflop data prepare {name}"))

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
