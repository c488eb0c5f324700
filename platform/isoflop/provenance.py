"""What code, packages and machine numbers came from."""

from __future__ import annotations

import hashlib
import os
import platform
import socket
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGE = Path(__file__).parent
CORE = (
    "models",
    "training",
    "data/augmentation",
    "data/batches.py",
    "data/difficulty.py",
    "data/feed.py",
    "data/folds.py",
    "data/nested.py",
    "data/order.py",
    "data/portion.py",
    "data/rows.py",
    "data/sampling.py",
    "evaluation",
    "fused.py",
    "length.py",
    "scaling/channels.py",
    "scaling/limits.py",
    "scaling/shape.py",
    "seeds.py",
    "tasks.py",
    "teacher.py",
    "trained.py",
    "trial.py",
)
"""The training core: what decides a training's numbers, relative to the package."""
LIBRARIES = ("torch", "torchvision", "timm")


@cache
def code_version() -> str:
    """Hash of the training core's sources and of the versions of the libraries that it computes with."""
    return version_with(versions(*LIBRARIES))


def version_with(libraries: Mapping[str, str]) -> str:
    """The code version that these sources have beside libraries of given versions."""
    digest = hashlib.sha256()
    for part in CORE:
        path = PACKAGE / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(f"{file.relative_to(PACKAGE).as_posix()}\n".encode())
            digest.update(file.read_bytes())
    digest.update(repr({name: libraries.get(name, "") for name in LIBRARIES}).encode())
    return digest.hexdigest()[:16]


def versions(*packages: str) -> dict[str, str]:
    """Installed versions by package, empty where one is missing; nothing is imported."""
    return {name: _version(name) for name in packages}


def provenance(folder: Path | None = None) -> dict[str, object]:
    """Where a study's numbers come from, as JSON values. `folder` is the project's, the working folder by default."""
    here = folder or Path.cwd()
    commit = git(here, "rev-parse", "HEAD")
    return {
        "code": code_version(),
        "git_commit": commit,
        "git_dirty": bool(git(here, "status", "--porcelain")) if commit else False,
        "dvc_revision": _hash_of(here / "dvc.lock"),
        "lock_hash": _hash_of(here / "requirements.lock"),
        "hardware": hardware(),
        "versions": versions("isoflop", "ray", "optuna", "mlflow", *LIBRARIES),
    }


@cache
def hardware() -> str:
    """The machine's processor and cores in a line."""
    model = next((line.split(":", 1)[1].strip() for line in _cpu_info() if line.startswith("model name")), "")
    return f"{model or platform.processor() or platform.machine()}, {os.cpu_count()} cores"


@cache
def holder() -> str:
    """This process, as a lease names it: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _cpu_info() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def git(folder: Path, *arguments: str) -> str:
    """What git says, empty where there is no git or no repository."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _hash_of(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    except OSError:
        return ""
