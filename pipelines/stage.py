"""What every stage shares: parameters, the bench that it works on, and how it writes files."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from isoflop.errors import InputError, StateError, StudyError
from isoflop.execution.recorder import Listener
from isoflop.journal.transfer import dump, load
from isoflop.outcome import Study
from isoflop.provenance import holder
from isoflop.study import Bench, ExecutorName

RESULTS = Path("results")


def params() -> dict[str, Any]:
    """The whole of params.yaml."""
    values: dict[str, Any] = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    return values


def data_folder() -> Path:
    """The prepared data set of the pipeline."""
    return Path("data", params()["data"]["name"])


def bench(executor: ExecutorName = "ray", *listeners: Listener) -> Bench:
    """Where the stages run studies."""
    return Bench.here(executor=executor, listeners=listeners)


def study_of(stage: str) -> str:
    """The id of the study that a stage ran; where the state folder has lost it, it is brought back from the results."""
    folder = RESULTS / stage
    study: str = json.loads((folder / "study.json").read_text(encoding="utf-8"))["study"]
    place = bench()
    if study not in place.journal.studies():
        load(place.journal, study, (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines(), holder=holder())
    kept, artifacts = folder / "artifacts", place.home.path / "artifacts" / study
    if kept.is_dir() and not artifacts.is_dir():
        shutil.copytree(kept, artifacts)
    return study


def keep(stage: str, study: Study) -> None:
    """Leave a study in the results: its id, its journal, its trials, and what its trainings left."""
    folder, place = RESULTS / stage, bench()
    write_json(folder / "study.json", {"study": study.id})
    write(folder / "journal.jsonl", "\n".join(dump(place.journal, study.id)) + "\n")
    write_json(folder / "trials.json", study.store.trials(study.id))
    artifacts = place.home.path / "artifacts" / study.id
    if artifacts.is_dir():
        shutil.copytree(artifacts, folder / "artifacts", dirs_exist_ok=True)


def write(path: Path, text: str) -> None:
    """Write a file, its folder too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_json(path: Path, values: Mapping[str, Any] | Iterable[Any]) -> None:
    """Write JSON that is equal for equal values."""
    write(path, json.dumps(values, indent=2, sort_keys=True) + "\n")


def main(stage: Callable[[], None]) -> None:
    """Run a stage; a user's mistake is one line and exit code 2, a study that came to nothing one line and 1."""
    try:
        stage()
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except (InputError, StateError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
