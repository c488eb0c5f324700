"""Which checkpoints and predictions may stand under a cap on the disk."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from isoflop.records import Key
from isoflop.study_spec import Objective
from isoflop.tasks import VAL

LOGITS = "*/val_predictions.npz"
"""Where trials leave their logits, below the folder of their study."""


def over(sizes: Mapping[Key, Sequence[int]], cap: float) -> list[Key]:
    """Trainings whose older checkpoints must go so that all take at most `cap` bytes, in the order in which they go.

    `sizes` are the bytes of each open training's checkpoints, the newest first. The newest always stays, so that what
    is left may still be over the cap; of the older ones the largest go first, of equals those of the lowest number.
    """
    excess = sum(map(sum, sizes.values())) - cap
    older = {key: sum(many[1:]) for key, many in sizes.items() if len(many) > 1}
    gone = []
    for key in sorted(older, key=lambda key: (-older[key], key.trial, key.replicate)):
        if excess <= 0:
            break
        gone.append(key)
        excess -= older[key]
    return gone


def retain(folder: Callable[[Key], Path], open_trainings: Iterable[Key], cap: float) -> list[Path]:
    """Remove older checkpoints of open trainings until all take at most `cap` bytes, as far as that goes.

    `folder` gives a training's folder. Returns what was removed.
    """
    standing = {key: checkpoints(folder(key)) for key in open_trainings}
    sizes = {key: [size_of(path) for path in paths] for key, paths in standing.items()}
    removed = [path for key in over(sizes, cap) for path in standing[key][1:]]
    for path in removed:
        with suppress(OSError):  # its worker may just have dropped it
            path.unlink()
    return removed


def thin_predictions(folder: Path, cap: float, objectives: Sequence[Objective]) -> list[Path]:
    """Remove stored logits on validation of a search's trials, the worst first, until all take at most `cap` bytes.

    `folder` holds one folder a trial. The worst are those of the lowest first metric among the objectives, by the
    reports beside the logits; of equals the lowest path goes first. Returns what was removed.
    """
    sizes = {path: size_of(path) for path in folder.glob(LOGITS)}
    excess = sum(sizes.values()) - cap
    if excess <= 0:
        return []
    earned = next((one for one in objectives if one.metric.startswith(VAL)), None)
    removed = []
    for path in sorted(sizes, key=lambda path: (_worth(path.with_name("val_report.json"), earned), path)):
        if excess <= 0:
            break
        with suppress(OSError):
            path.unlink()
        removed.append(path)
        excess -= sizes[path]
    return removed


class Shelf:
    """The stored logits of a search's trials, kept under a cap. Looked at once, and again when it is full.

    A full shelf is thinned to nine tenths, so that a trial costs the same however many there are.
    """

    def __init__(self, folder: Path, cap: float, objectives: Sequence[Objective]) -> None:
        self.folder, self.cap, self.objectives = folder, cap, objectives
        self._taken: float | None = None

    def add(self, trial: Path) -> None:
        """A trial left its logits in its folder, or none."""
        if self._taken is None:
            self._taken = sum(map(size_of, self.folder.glob(LOGITS)))
        else:
            self._taken += size_of(trial / LOGITS.rpartition("/")[2])
        if self._taken > self.cap:
            thin_predictions(self.folder, 0.9 * self.cap, self.objectives)
            self._taken = None


def _worth(report: Path, objective: Objective | None) -> float:
    """What predictions are worth keeping for, more being better: the metric in their report."""
    try:
        metrics = json.loads(report.read_bytes())["metrics"]
        if objective is None:
            return 0.0
        return objective.sign * float(metrics[objective.metric.removeprefix(VAL)])
    except (OSError, ValueError, KeyError, TypeError):
        return -math.inf


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the newest first."""
    found = [path for path in folder.glob("*.pt") if path.name.partition("-")[0].isdecimal()]
    return sorted(found, key=lambda path: (int(path.name.partition("-")[0]), path.name), reverse=True)


def size_of(path: Path) -> int:
    """Bytes of a file or of all files in a folder, links not followed; 0 for what is not there."""
    total = 0
    for one in [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]:
        with suppress(OSError):
            total += one.lstat().st_size if one.is_symlink() or one.is_file() else 0
    return total
