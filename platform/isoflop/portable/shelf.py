"""MLflow's store of models: finalists logged there, and the versions and aliases of its registry.

Everything goes through `MlflowClient`. Importing this module loads mlflow and torch, which takes seconds.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image
from sqlalchemy.exc import SQLAlchemyError

from isoflop.bench import Bench
from isoflop.errors import Fault, InputError, StateError
from isoflop.portable.finalist import Finalist
from isoflop.portable.folder import FINALIST, pack
from isoflop.provenance import versions
from isoflop.records import Key
from isoflop.tracking.mlflow_connection import create_database  # before mlflow: it keeps mlflow quiet
from isoflop.tracking.redaction import hide_userinfo
from isoflop.tracking.store import Store
from isoflop.trained import Facts

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own use of what pydantic and SQLAlchemy deprecate
    import pandas as pd
    from mlflow import MlflowClient, pyfunc
    from mlflow.artifacts import download_artifacts
    from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model as MlflowModel
    from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

    from isoflop.portable.classifier import IMAGE, Classifier, signature

LOG = logging.getLogger(__name__)
CODE: Final = Path(__file__).with_name("model.py")
PACKAGES: Final = (
    "isoflop",
    "mlflow",
    "numpy",
    "pandas",
    "pillow",
    "pydantic",
    "safetensors",
    "scipy",
    "timm",
    "torch",
    "torchvision",
)
"""What a process needs that loads a finalist."""
ABSENT: Final = "RESOURCE_DOES_NOT_EXIST"


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """One version of a registered model."""

    name: str
    number: int
    tags: Mapping[str, str]
    aliases: tuple[str, ...]
    created: float
    """Unix seconds."""

    @property
    def run(self) -> str:
        """The training that it is."""
        return self.tags.get("isoflop.run", "")

    def __str__(self) -> str:
        """In words."""
        return f"{self.name} version {self.number}"


class Shelf:
    """The models of a tracking server or database. Raises `StateError` where it cannot be reached.

    `artifacts` is the folder of runs' files, for a database that is made by this.
    """

    def __init__(self, uri: str, *, artifacts: Path | None = None) -> None:
        self.uri = uri
        with self._explained():
            if uri.startswith("sqlite:///") and artifacts is not None:
                create_database(Path(uri.removeprefix("sqlite:///")), artifacts)
            self.client = MlflowClient(uri, registry_uri=uri)

    def log(self, finalist: Finalist) -> str:
        """Log a finalist as a model of its run and return the model's id; one that is there is not logged again.

        Raises `InputError` where MLflow has no run of it, and as `Finalist.check` does.
        """
        finalist.check()
        with self._explained():
            run = self._run(finalist)
            found = self._logged(run, finalist)
            return found.model_id if found is not None else self._log(run, finalist)

    def register(self, name: str, finalist: Finalist) -> Version:
        """A finalist's version of a registered model, made where there is none of the same weights."""
        model = self.log(finalist)
        with self._explained():
            self._ensure(name, finalist)
            for version in self.versions(name):
                if version.tags.get("isoflop.weights_sha256") == finalist.sha256:
                    return version
            made = self._create_version(name, self.client.get_logged_model(model), finalist)
            return self._version(made)

    def versions(self, name: str) -> list[Version]:
        """The versions of a registered model, oldest first; none where there is no such model."""
        with self._explained():
            if (model := self._registered(name)) is None:
                return []
            found = self.client.search_model_versions(f"name = '{name}'")
            return sorted((self._version(one, model.aliases) for one in found), key=lambda version: version.number)

    def names(self) -> list[str]:
        """The registered models."""
        with self._explained():
            return sorted(str(model.name) for model in self.client.search_registered_models())

    def holder(self, name: str, alias: str) -> Version | None:
        """The version that has an alias, none where none has."""
        return next((version for version in self.versions(name) if alias in version.aliases), None)

    def give(self, version: Version, alias: str) -> None:
        """Give an alias to a version; whichever had it has it no more."""
        with self._explained():
            self.client.set_registered_model_alias(version.name, alias, str(version.number))

    def take(self, name: str, alias: str) -> None:
        """Take an alias away."""
        with self._explained():
            self.client.delete_registered_model_alias(name, alias)

    def tag(self, version: Version, tags: Mapping[str, str]) -> None:
        """Write tags to a version."""
        with self._explained():
            for key, value in tags.items():
                self.client.set_model_version_tag(version.name, str(version.number), key, value)

    def load(self, version: Version) -> Classifier:
        """A version fetched from the store and loaded as MLflow loads it."""
        with self._explained(), tempfile.TemporaryDirectory() as folder, _quiet():
            place = self.client.get_model_version_download_uri(version.name, str(version.number))
            place = download_artifacts(place, dst_path=folder, tracking_uri=self.uri)
            loaded: Classifier = pyfunc.load_model(place).unwrap_python_model()
            return loaded

    def _run(self, finalist: Finalist) -> Run:
        """The run that the tracker wrote of a training."""
        experiment = self.client.get_experiment_by_name(str(finalist.facts.get("name", finalist.study)))
        names = {
            "isoflop.study": finalist.study,
            "isoflop.began": repr(finalist.began),
            "isoflop.trial": str(finalist.key.trial),
            "isoflop.replicate": str(finalist.key.replicate),
        }
        wanted = _having(names)
        found = self.client.search_runs([experiment.experiment_id], wanted, max_results=1) if experiment else []
        if not found:
            remedy = f"write it there: isoflop resume {finalist.study}"
            raise InputError(Fault(f"run {finalist.run}", "MLflow has no record of it", remedy))
        return found[0]

    def _logged(self, run: Run, finalist: Finalist) -> LoggedModel | None:
        """The model of these weights that was logged whole."""
        wanted = _having({"isoflop.weights_sha256": finalist.sha256})
        found = self.client.search_logged_models([run.info.experiment_id], wanted)
        ready = [one for one in found if one.status == LoggedModelStatus.READY and one.source_run_id == run.info.run_id]
        return ready[0] if ready else None

    def _log(self, run: Run, finalist: Finalist) -> str:
        model = self.client.create_logged_model(
            run.info.experiment_id,
            name=finalist.run.replace("/", "-").replace(".", "-"),
            source_run_id=run.info.run_id,
            tags=finalist.details(),
            model_type="classifier",
        )
        status = LoggedModelStatus.FAILED
        try:
            with tempfile.TemporaryDirectory() as folder:
                save(Path(folder) / "model", finalist, MlflowModel(model_id=model.model_id, run_id=run.info.run_id))
                self.client.log_model_artifacts(model.model_id, str(Path(folder) / "model"))
            status = LoggedModelStatus.READY
        finally:
            self.client.finalize_logged_model(model.model_id, status)
        self.client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, 0)])
        return str(model.model_id)

    def _create_version(self, name: str, model: LoggedModel, finalist: Finalist) -> ModelVersion:
        # A database would look a model's id up wherever the process tracks, which may be elsewhere; a server knows it.
        source = f"models:/{model.model_id}" if self.uri.startswith("http") else model.artifact_location
        about = f"{finalist.family}, {finalist.run}, seed {finalist.seed}"
        made = self.client.create_model_version(
            name, source, model.source_run_id, tags=finalist.tags(), description=about, model_id=model.model_id
        )
        known = json.loads(model.tags.get(MLFLOW_MODEL_VERSIONS, "[]"))
        said = json.dumps([*known, {"name": name, "version": made.version}])
        self.client.set_logged_model_tags(
            model.model_id, {MLFLOW_MODEL_VERSIONS: said}
        )  # its page links to the version
        return made

    def _ensure(self, name: str, finalist: Finalist) -> None:
        if self._registered(name) is None:
            about = f"Finalists on {finalist.data}, promoted by isoflop promote {name}: see docs/registry.md."
            self.client.create_registered_model(name, tags={"isoflop.data": finalist.data}, description=about)

    def _registered(self, name: str) -> Any:
        try:
            return self.client.get_registered_model(name)
        except MlflowException as error:
            if error.error_code == ABSENT:
                return None
            raise

    def _version(self, found: ModelVersion, aliases: Mapping[str, str] | None = None) -> Version:
        return Version(
            name=found.name,
            number=int(found.version),
            tags=dict(found.tags),
            aliases=tuple(sorted(alias for alias, one in (aliases or {}).items() if int(one) == int(found.version))),
            created=found.creation_timestamp / 1000,
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the ways in which MLflow fails into one line."""
        try:
            yield
        except (MlflowException, SQLAlchemyError, OSError, sqlite3.Error) as error:
            what = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            if isinstance(error, MlflowException) and error.error_code == "INVALID_PARAMETER_VALUE":
                raise InputError(Fault("MLflow", hide_userinfo(what))) from error
            raise StateError(hide_userinfo(f"MLflow at {self.uri}: {what}")) from error


def log_finalists(study: str, bench: Bench) -> None:
    """Log the first seed of each finalist that the test set was opened for; what is logged stays as it is.

    What could not be written is told in one line: models are for others, and no study waits for them.
    """
    history, home = Store(bench.journal, bench.home.path).history(study), bench.home
    first: dict[int, Key] = {}
    for key in sorted(history.opened):
        first.setdefault(key.trial, key)
    try:
        shelf = Shelf(bench.mlflow, artifacts=home.mlflow_artifacts)
        for key in first.values():
            shelf.log(Finalist.of(study, key, history, home.path))
    except (StateError, InputError) as error:
        LOG.warning("models of %s are not all in MLflow; one by one: isoflop register RUN (%s)", study, error)


def save(folder: Path, finalist: Finalist, about: MlflowModel | None = None) -> None:
    """Write a finalist as an MLflow model into a folder that is not there yet."""
    with tempfile.TemporaryDirectory() as beside, _quiet():
        packed = Path(beside) / FINALIST
        facts = pack(packed, finalist.folder)
        pyfunc.save_model(
            str(folder),
            python_model=str(CODE),
            artifacts={FINALIST: str(packed)},
            signature=signature(facts.task),
            input_example=example(facts),
            pip_requirements=[f"{name}=={version}" for name, version in versions(*PACKAGES).items() if version],
            mlflow_model=about or MlflowModel(),
            metadata={**finalist.details(), "labels": list(facts.classes)},
        )


def example(facts: Facts) -> pd.DataFrame:
    """One image to try a model with: a PNG of the training images' mean colour, so that nobody's picture is in it."""
    channels, height, width = facts.image
    mean = np.array([round(255 * value) for value in facts.mean], np.uint8)
    pixels = np.broadcast_to(mean, (height, width, channels))
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(file, format="PNG")
    return pd.DataFrame({IMAGE: [file.getvalue()]})


def _having(tags: Mapping[str, str]) -> str:
    return " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's warnings of itself off the terminal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
