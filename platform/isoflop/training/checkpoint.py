"""Checkpoints: a training's state at a report, whole or not there."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

KEPT = 2
"""How many stand: the newest, and the one before for when the newest is torn."""


def save(folder: Path, report: int, state: dict[str, Any]) -> Path:
    """Write the state after a report beside and rename it, and drop those older than the last but one."""
    folder.mkdir(parents=True, exist_ok=True)
    memory = io.BytesIO()
    torch.save(state, memory)
    digest = hashlib.sha256(memory.getbuffer()).hexdigest()[:16]
    path = folder / f"{report:06d}-{digest}.pt"
    beside = folder / f".{path.name}-{os.getpid()}"
    with beside.open("wb") as file:
        file.write(memory.getbuffer())
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    for old in list(standing(folder))[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def standing(folder: Path) -> Iterator[Path]:
    """The checkpoints in a folder, newest first."""
    yield from sorted(folder.glob("*-*.pt"), reverse=True)


def load(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """The newest whole checkpoint of a folder, none where there is none. A torn one is passed over."""
    for path in standing(folder):
        name = re.fullmatch(r"\d+-([0-9a-f]{16})\.pt", path.name)
        if name and hashlib.sha256(path.read_bytes()).hexdigest()[:16] == name[1]:
            state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
            return state
    return None
