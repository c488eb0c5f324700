"""The data of a run: found by what they are, checked file by file, fetched through DVC."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from isoflop.data import prepare as make
from isoflop.errors import DataError
from isoflop.home import Home
from isoflop.reproduction.dataset import data_for, described, prepare, tracked, unlike


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make("synthetic", root=tmp_path_factory.mktemp("original")).path


@pytest.fixture
def data(original: Path) -> dict[str, Any]:
    """What a record says of them; the folder that it names is gone."""
    found = make("synthetic", root=original.parent).manifest
    about = {"name": found.name, "digest": found.digest, "path": "/gone/synthetic"}
    return described(original, about)


def change(folder: Path, name: str = "train_images.npy") -> Path:
    """Flip the last bit of a file."""
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(bytes(content))
    return folder / name


def look(data: dict[str, Any], tmp_path: Path, given: Path | None = None) -> tuple[Path, list[str]]:
    home = Home(tmp_path / "home")
    place = tmp_path / "project"
    return data_for(data, home=home, project=place, folder=tmp_path / "scratch", commit="", given=given)


def test_a_record_knows_how_its_data_were_prepared(original: Path, data: dict[str, Any]):
    manifest = make("synthetic", root=original.parent).manifest
    assert data["request"] == asdict(manifest.request)
    assert data["files"]["train_images.npy"] == manifest.files["train_images.npy"]["sha256"]
    assert prepare(data) == "isoflop data prepare synthetic --name synthetic --val 0.15 --test 0.15"
    request = data["request"] | {"seed": 3, "resolution": 16, "shard": 0, "val": 0.2, "test": 0.0}
    assert (
        prepare(data | {"request": request, "what": "my photos"})
        == "isoflop data prepare 'my photos' --name synthetic --resolution 16 --seed 3 --shard-size 0 --val 0.2"
    )
    assert prepare({"name": "digits"}) == "isoflop data prepare digits --name digits"


def test_the_same_data_are_taken_wherever_they_are(original: Path, data: dict[str, Any], tmp_path: Path):
    assert list(unlike(original, data)) == []
    assert look(data | {"path": str(original)}, tmp_path) == (original, [])
    assert look(data, tmp_path, given=original) == (original, [])
    shutil.copytree(original, tmp_path / "project" / "data" / "synthetic")
    assert look(data, tmp_path)[0] == tmp_path / "project" / "data" / "synthetic"
    shutil.copytree(original, tmp_path / "home" / "data" / "synthetic")
    assert look(data, tmp_path)[0] == tmp_path / "home" / "data" / "synthetic"


def test_a_changed_file_is_named(original: Path, data: dict[str, Any], tmp_path: Path):
    folder = shutil.copytree(original, tmp_path / "home" / "data" / "synthetic")
    changed = change(folder)
    with pytest.raises(DataError) as error:
        look(data, tmp_path)
    assert [str(fault) for fault in error.value.faults] == [
        f"{changed}: is not as it was written",
        f"data set synthetic: with digest {data['digest']} is nowhere here; run: {prepare(data)} --replace",
    ]
    shutil.copytree(original, tmp_path / "project" / "data" / "synthetic")
    place, lines = look(data, tmp_path)
    assert place == tmp_path / "project" / "data" / "synthetic"
    assert lines == [f"{changed}: is not as it was written"]


def test_data_that_were_prepared_otherwise_are_told_file_by_file(data: dict[str, Any], tmp_path: Path):
    other = make("synthetic", root=tmp_path / "other", seed=5)
    faults = list(map(str, unlike(other.path, data)))
    assert faults[0].endswith(f"has digest {other.manifest.digest}, the run was trained on {data['digest']}")
    assert faults[1].endswith("was prepared otherwise: seed 0, now 5")
    assert f"{other.path}/val_labels.npy: differs from the file that the run was trained on" in faults
    older = {name: data[name] for name in ("name", "digest")}
    assert len(list(unlike(other.path, older))) == 1, "an older record knows the digest alone"
    with pytest.raises(DataError, match="is not there"):
        look(data, tmp_path, given=other.path)


def run(folder: Path, *words: str) -> None:
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    subprocess.run(words, cwd=folder, env=environment, capture_output=True, check=True)


def test_data_come_out_of_dvc_and_the_project_stays_as_it_is(original: Path, data: dict[str, Any], tmp_path: Path):
    project = tmp_path / "project"
    folder = shutil.copytree(original, project / "data" / "synthetic")
    dvc = (sys.executable, "-m", "dvc")
    run(project, "git", "init", "--quiet")
    run(project, *dvc, "init", "--quiet")
    run(project, *dvc, "add", "--quiet", "data/synthetic")
    run(project, "git", "add", ".")
    run(project, "git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "data")
    assert tracked(project, "synthetic") == "data/synthetic"
    assert tracked(project, "other") is None
    shutil.rmtree(folder)
    make("synthetic", root=project / "data", seed=5)
    before = (folder / "train_images.npy").read_bytes()
    place, lines = look(data, tmp_path)
    assert place.is_relative_to(tmp_path / "scratch")
    assert list(unlike(place, data)) == []
    assert lines[-1] == "data synthetic: fetched through DVC"
    assert "prepared otherwise: seed 0, now 5" in lines[1]
    assert (folder / "train_images.npy").read_bytes() == before


def test_outputs_of_stages_are_tracked_too(tmp_path: Path):
    text = "schema: '2.0'\nstages:\n  prepare:\n    cmd: x\n    outs:\n    - path: prepared/digits\n      md5: a.dir\n"
    (tmp_path / "dvc.lock").write_text(text)
    assert tracked(tmp_path, "digits") == "prepared/digits"
