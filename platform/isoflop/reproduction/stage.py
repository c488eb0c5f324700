"""A run as a stage of DVC: its record, and a `dvc.yaml` by which `dvc repro` prepares the data and brings it back."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml

from isoflop.data.manifest import FILE
from isoflop.disk import refusals
from isoflop.errors import DataError, Fault, InputError
from isoflop.home import VARIABLE, Home
from isoflop.reproduction.comparison import TOLERANCE
from isoflop.reproduction.dataset import described, prepare, tracked, unlike
from isoflop.reproduction.recorded import Recorded, Training, files_of
from isoflop.reproduction.run import look_up

RECORD: Final = "run.json"
RESULT: Final = "again"
STATE: Final = ".isoflop"
"""The state folder of the stages, beside their file: they need nothing of the machine that trained the run."""


def export_stage(run: str, *, into: Path | None = None, tolerance: float = TOLERANCE, home: Path | None = None) -> Path:
    """Write what `dvc repro` needs to bring a run back into a folder, by default `reproduce-STUDY-NUMBER`.

    That are `run.json`, which is the record, the stored answers on validation, and `dvc.yaml`. Where the folder lies in
    a DVC project that has the run's data, the stage depends on them; else a stage before it prepares them as the run's
    were. The test set is in none of it. Raises `UnknownError` for an unknown run, `InputError` where the folder holds
    something else.
    """
    place = Home(home.absolute()) if home else Home.find()
    found = look_up(run, place)
    found = _with_data(found, place)
    folder = (into or Path(f"reproduce-{_word(found.run)}")).absolute()
    if folder.exists() and any(folder.iterdir()) and not (folder / RECORD).is_file():
        raise InputError(Fault(str(folder), "is there and holds something else", "name another with --into"))
    with refusals(folder):
        folder.mkdir(parents=True, exist_ok=True)
        found.write(folder / RECORD)
        answers = [path for training in found.trainings for path in _copy(folder, training)]
        text = yaml.safe_dump({"stages": _stages(found, folder, answers, tolerance)}, sort_keys=False, width=120)
        (folder / "dvc.yaml").write_text(HEAD.format(run=found.run) + text, encoding="utf-8")
    return folder


HEAD: Final = """\
# Brings {run} back: dvc repro, in this folder. It fails where the run comes out different.
"""


def _with_data(found: Recorded, home: Home) -> Recorded:
    """The record, with how its data were prepared where a folder of them tells and the record is older than that."""
    places = (Path(found.data.get("path") or ""), home.data / str(found.data["name"]))
    same = [place for place in places if (place / FILE).is_file() and not any(unlike(place, found.data))]
    if not same and not found.data.get("request"):
        what = f"{found.data['name']} with digest {found.data['digest']} is not here, and how it was made not recorded"
        raise DataError(Fault("data", what, f"run: {prepare(found.data)}"))
    data = described(same[0], found.data) if same else found.data
    return replace(found, data=data)


def _stages(found: Recorded, folder: Path, answers: list[str], tolerance: float) -> dict[str, Any]:
    """The stages by name."""
    inside = _in_project(found, folder)
    data = inside or f"{STATE}/data/{found.data['name']}"
    command = ["isoflop", "reproduce", RECORD, "--data", data, "--into", RESULT, "--tolerance", f"{tolerance:g}"]
    reproduce = {
        "desc": f"{found.run} trained again and held against its record",
        "cmd": f"{VARIABLE}={STATE} {shlex.join(command)}",
        "deps": [RECORD, *answers, data],
        "params": [{RECORD: ["config", "data"]}],
        "outs": [f"{RESULT}/trainings"],
        "metrics": [{f"{RESULT}/verdict.json": {"cache": False}}],
    }
    if inside:
        return {"reproduce": reproduce}
    made = {
        "desc": f"the data that it was trained on, digest {found.data['digest']}",
        "cmd": f"{VARIABLE}={STATE} {prepare(found.data)}",
        "outs": [data],
    }
    return {"prepare": made, "reproduce": reproduce}


def _in_project(found: Recorded, folder: Path) -> str | None:
    """The path of the data from a folder, where the DVC project that it lies in has them; none elsewhere."""
    project = next((one for one in (folder, *folder.parents) if (one / ".dvc").is_dir()), None)
    path = tracked(project, str(found.data["name"])) if project else None
    if project is None or path is None or any(unlike(project / path, found.data)):
        return None
    return os.path.relpath(project / path, folder)


def _copy(folder: Path, training: Training) -> list[str]:
    """Copy a training's stored answers beside the record; its path there, none where none are kept."""
    if training.answers is None:
        return []
    place, _ = files_of(folder, training.key)
    place.parent.mkdir(exist_ok=True)
    shutil.copy2(training.answers, place)
    return [str(place.relative_to(folder))]


def _word(run: str) -> str:
    """A run's name as that of a folder."""
    return re.sub(r"[^\w.-]+", "-", run)
