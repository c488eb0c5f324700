"""The code of a run: what stands here, its commit in a worktree, or a refusal that says what differs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from isoflop.errors import InputError
from isoflop.provenance import LIBRARIES, PACKAGE, code_version, version_with, versions
from isoflop.reproduction.sources import environment, source_of

OLD = "def code_version(): return 'old'\n"


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    done = subprocess.run(["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose package says that its version is `old`, and whose newest commit has another."""
    folder = tmp_path / "project"
    package = folder / "platform" / "isoflop"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    git(folder, "init", "--quiet")
    for text in (OLD, OLD.replace("old", "newer")):
        (package / "provenance.py").write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", "code")
    return folder


@pytest.fixture
def origin(project: Path) -> dict[str, object]:
    commit = git(project, "rev-parse", "HEAD~1")
    return {"code": "old", "git_commit": commit, "git_dirty": False, "versions": versions(*LIBRARIES)}


def test_equal_code_is_taken_as_it_stands_here(tmp_path: Path):
    with source_of("s/0", {"code": code_version()}, tmp_path, here=False, project=tmp_path) as source:
        assert (source.path, source.code, source.other) == (PACKAGE.parent, code_version(), False)


def test_equal_sources_beside_other_libraries_are_taken_as_they_stand_here(tmp_path: Path):
    libraries = versions(*LIBRARIES) | {"torch": "1.0"}
    assert version_with(libraries) != code_version() == version_with(versions(*LIBRARIES))
    origin = {"code": version_with(libraries), "versions": libraries}
    with source_of("s/0", origin, tmp_path, here=False, project=tmp_path) as source:
        assert (source.path, source.other) == (PACKAGE.parent, False)


def test_other_code_comes_from_its_commit_in_a_worktree_that_goes_again(
    project: Path, origin: dict[str, object], tmp_path: Path
):
    with source_of("s/0", origin, tmp_path / "scratch", here=False, project=project) as source:
        assert (source.code, source.other) == ("old", False)
        assert (source.path / "isoflop" / "provenance.py").read_text() == OLD
        assert source.path.is_relative_to(tmp_path / "scratch")
        assert environment(source.path)["PYTHONPATH"].split(":")[0] == str(source.path)
    assert not source.path.exists()
    assert git(project, "worktree", "list").count("\n") == 0
    assert git(project, "status", "--porcelain") == ""


def test_a_worktree_goes_also_when_the_training_breaks(project: Path, origin: dict[str, object], tmp_path: Path):
    with (
        pytest.raises(KeyboardInterrupt),
        source_of("s/0", origin, tmp_path / "scratch", here=False, project=project) as source,
    ):
        raise KeyboardInterrupt
    assert not source.path.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"git_commit": ""}, "its commit is not recorded"),
        ({"git_commit": "0" * 40}, "its commit 000000000000 is in no repository here"),
        ({"code": "dirty"}, r"files of its commit [0-9a-f]{12} had been changed \(that commit is version old\)"),
    ],
)
def test_code_that_is_not_to_be_had_is_refused_and_here_takes_the_present_one(
    project: Path, origin: dict[str, object], tmp_path: Path, changes: dict[str, object], said: str
):
    known = origin | changes
    with (
        pytest.raises(InputError) as error,
        source_of("s/0", known, tmp_path / "scratch", here=False, project=project),
    ):
        pass
    (fault,) = error.value.faults
    assert re.search(said, str(fault))
    assert str(fault).startswith(f"s/0: the code differs: s/0 was trained with version {known['code']}, here is ")
    assert str(fault).endswith("isoflop reproduce RUN --here")
    with source_of("s/0", known, tmp_path / "scratch", here=True, project=project) as source:
        assert (source.path, source.code, source.other) == (PACKAGE.parent, code_version(), True)


def test_a_changed_tree_is_no_matter_where_the_training_core_was_not_changed(
    project: Path, origin: dict[str, object], tmp_path: Path
):
    dirty = origin | {"git_dirty": True}
    with source_of("s/0", dirty, tmp_path / "scratch", here=False, project=project) as source:
        assert source.code == "old"
