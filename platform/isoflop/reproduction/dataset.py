"""The data that a run was trained on: found, checked file by file, or fetched through DVC beside everything else."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from isoflop.data import verify
from isoflop.data.manifest import FILE, Manifest, Request
from isoflop.errors import DataError, Fault
from isoflop.home import Home
from isoflop.provenance import git


def data_for(
    data: Mapping[str, Any], *, home: Home, project: Path, folder: Path, commit: str, given: Path | None = None
) -> tuple[Path, list[str]]:
    """The folder of a run's data, and in lines what is not as it was where it was looked for first.

    It is the one that is given, else the first that has the digest and whose files are as they were written: where the
    run had it, in the state folder, in the project, or fetched through DVC into `folder`. Raises `DataError` with what
    differs, file by file, where there is none.
    """
    places = (
        [given] if given else [Path(data.get("path") or ""), home.data / data["name"], project / "data" / data["name"]]
    )
    faults: list[Fault] = []
    for place in dict.fromkeys(place.absolute() for place in places if place and place.name):
        if (place / FILE).is_file() or given:
            wrong = list(unlike(place, data))
            if not wrong:
                return place, list(map(str, faults))
            faults += wrong
    for fetched in _fetched(project, str(data["name"]), commit, folder / "data") if given is None else ():
        if not any(unlike(fetched, data)):
            return fetched, [*map(str, faults), f"data {data['name']}: fetched through DVC"]
    command = prepare(data) + (" --replace" if (home.data / data["name"]).exists() else "")
    where = "not there" if given else "nowhere here"
    raise DataError(
        *faults, Fault(f"data set {data['name']}", f"with digest {data['digest']} is {where}", f"run: {command}")
    )


def unlike(place: Path, data: Mapping[str, Any]) -> Iterator[Fault]:
    """What in a folder is not what a run was trained on, file by file where the record knows its files."""
    try:
        manifest = Manifest.read(place)
    except DataError as error:
        yield from error.faults
        return
    if manifest.digest != data["digest"]:
        yield Fault(str(place), f"has digest {manifest.digest}, the run was trained on {data['digest']}")
        if data.get("request") and (asked := Request(**data["request"])) != manifest.request:
            yield Fault(str(place), f"was prepared otherwise: {asked.changes(manifest.request)}")
        files = data.get("files") or {}
        for name in sorted({*files, *manifest.files}) if files else ():
            if manifest.files.get(name, {}).get("sha256") != files.get(name):
                yield Fault(str(place / name), "differs from the file that the run was trained on")
        return
    try:
        verify(place)
    except DataError as error:
        yield from (Fault(fault.where, fault.what) for fault in error.faults)


def prepare(data: Mapping[str, Any]) -> str:
    """The command that prepares a run's data, as far as the record knows how they were prepared."""
    words = ["isoflop", "data", "prepare", str(data.get("what") or data["name"]), "--name", str(data["name"])]
    request = data.get("request") or {}
    options = {"resolution": "--resolution", "seed": "--seed", "shard": "--shard-size"}
    for name, option in options.items():
        if request.get(name) not in {None, 0 if name == "seed" else None}:
            words += [option, str(request[name])]
    for name in ("val", "test"):
        if request.get(name):  # 0 is a split of the source's own
            words += [f"--{name}", repr(request[name])]
    return shlex.join(words)


def tracked(project: Path, name: str, commit: str = "") -> str | None:
    """The path under which a project has a data set of a name in DVC, at a commit or as it stands; none elsewhere."""
    text = git(project, "show", f"{commit}:./dvc.lock") if commit else ""
    if not text and (project / "dvc.lock").is_file():
        text = (project / "dvc.lock").read_text(encoding="utf-8")
    stages = (yaml.safe_load(text) or {}).get("stages", {}) if text else {}
    paths = [str(out["path"]) for stage in stages.values() for out in stage.get("outs", ())]
    found = next((path for path in paths if Path(path).name == name), None)
    single = Path("data", f"{name}.dvc")
    return found or (str(single.with_suffix("")) if (project / single).is_file() else None)


def _fetched(project: Path, name: str, commit: str, folder: Path) -> Iterator[Path]:
    """Copies of a tracked data set out of DVC's cache or remote, as the run's commit has it, then as the newest one.

    What stands in the project is not touched.
    """
    if not (project / ".dvc").is_dir():
        return
    for place, revision in enumerate(filter(None, (commit, git(project, "rev-parse", "HEAD"), "--"))):
        plain = revision == "--"  # a project without git has no revisions
        path = tracked(project, name, "" if plain else revision)
        if path is None:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / f"{name}-{place}"
        command = [sys.executable, "-m", "dvc", "get", str(project), path, "--out", str(copy), "--quiet"]
        done = subprocess.run(
            command if plain else [*command, "--rev", revision],
            env={**os.environ, "DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1"},
            capture_output=True,
            check=False,
        )
        if done.returncode == 0 and (copy / FILE).is_file():
            yield copy


def described(place: Path, data: Mapping[str, Any]) -> dict[str, Any]:
    """What the record says of the data, and what a folder of them says where the record is older than that."""
    return Manifest.read(place).origin() | dict(data)
