"""The code that a run was trained with: what stands here, or its commit in a worktree of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from isoflop.errors import Fault, InputError
from isoflop.provenance import LIBRARIES, PACKAGE, code_version, git, version_with, versions

ROOT: Final = "platform"
"""Where the package stands in its repository."""
PROBE: Final = "from isoflop.provenance import code_version; print(code_version())"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Code to train with."""

    path: Path
    """The folder that the package stands in."""
    code: str
    """Its code version, empty where it cannot tell."""
    what: str
    """In words."""
    other: bool = False
    """Whether it is other code than the run was trained with."""


@contextmanager
def source_of(run: str, origin: Mapping[str, Any], folder: Path, *, here: bool, project: Path) -> Iterator[Source]:
    """The code of a run: the present one where it is the same, or where `here` says to take it whatever it is.

    Else its commit, in a git worktree below `folder` that is removed at the end. Raises `InputError` where neither is
    to be had, saying what differs.
    """
    code, commit = str(origin.get("code", "")), str(origin.get("git_commit", ""))
    present = Source(path=PACKAGE.parent, code=code_version(), what="the code that stands here")
    libraries = origin.get("versions") or {}
    if code in {present.code, version_with(libraries)}:  # the same sources, beside other libraries perhaps
        yield present
        return
    if here or not code:
        what = f"the code that stands here ({present.code}), though the run's is {code or 'not recorded'}"
        yield Source(path=present.path, code=present.code, what=what, other=True)
        return
    where = f"the code differs: {run} was trained with version {code}, here is {present.code}"
    repository = _repository(commit, project)
    if repository is None:
        gone = f"its commit {commit[:12]} is in no repository here" if commit else "its commit is not recorded"
        raise InputError(Fault(run, f"{where}, and {gone}", REMEDY))
    with _worktree(repository, commit, folder / "worktree") as tree:
        found = _version_in(tree / ROOT)
        same_libraries = all(libraries.get(name) == version for name, version in versions(*LIBRARIES).items())
        if found != code and (same_libraries or origin.get("git_dirty")):
            changed = (
                f"files of its commit {commit[:12]} had been changed (that commit is version {found or 'unknown'})"
            )
            raise InputError(Fault(run, f"{where}, and {changed}", REMEDY))
        yield Source(path=tree / ROOT, code=found, what=f"commit {commit[:12]} in a clean worktree")


REMEDY: Final = "see whether the present code gives the same: isoflop reproduce RUN --here"


def environment(source: Path) -> dict[str, str]:
    """The environment of a process that imports the package from a folder."""
    paths = [str(source), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _repository(commit: str, project: Path) -> Path | None:
    """The repository of the package, or of the project, that has a commit with the package in it."""
    for place in (PACKAGE, project):
        top = git(place, "rev-parse", "--show-toplevel")
        if commit and top and git(Path(top), "cat-file", "-t", f"{commit}:{ROOT}/isoflop/provenance.py") == "blob":
            return Path(top)
    return None


@contextmanager
def _worktree(repository: Path, commit: str, place: Path) -> Iterator[Path]:
    """A commit checked out beside; hooks do not run. Raises `InputError` where git refuses."""
    plain = ["git", "-C", str(repository), "-c", "core.hooksPath=/dev/null", "worktree"]
    subprocess.run([*plain, "prune"], capture_output=True, check=False)  # of one that was killed
    added = subprocess.run([*plain, "add", "--detach", str(place), commit], capture_output=True, text=True, check=False)
    try:
        if added.returncode:
            said = added.stderr.strip().splitlines() or ["git failed"]
            raise InputError(Fault(str(repository), f"no worktree of {commit[:12]}: {said[-1]}", REMEDY))
        yield place
    finally:
        subprocess.run([*plain, "remove", "--force", str(place)], capture_output=True, check=False)


def _version_in(path: Path) -> str:
    """The code version that the package in a folder says it has, empty where it cannot say."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROBE], env=environment(path), capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""
