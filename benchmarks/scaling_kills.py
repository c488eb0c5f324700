"""`kill -9` of a scaling study's driver at random moments, inside the climb too: the same scaling.json, nothing again.

A small scaling study on the digits is run undisturbed, and once more while its driver is killed at moments drawn from
all its journal's events, one from each part of equal length, and started anew. Counted at the end: trainings that are
lost, trainings begun again after their end, and what differs: trainings (shape, seed, forecast, every metric), and
scaling.json but for what was measured. Any of them makes this exit with 1.

Time: about 2 minutes on two cores, inline.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.kills import count, driver, ends, rows
from benchmarks.report import table
from isoflop.compound.report import MEASURED
from isoflop.data import prepare
from isoflop.home import Home
from isoflop.journal.history import History
from isoflop.journal.sqlite import SqliteJournal

TREE = {
    "space": {
        "model.family": "resnet",
        "model.variant": "34",
        "model.depth": 0.34,
        "model.width": 0.0625,
        "model.resolution": 8,
        "model.stem": 1,
        "model.divisor": 1,
        "optim.lr": 0.05,
        "train.batch_size": 32,
    },
    "study": {
        "data": "digits",
        "objectives": ["val_loss"],
        "fidelity": {"axis": "images", "horizon": 256, "reports": 1},
        "halving": None,
        "scale": {"vary": ["depth", "width"], "fit_seeds": 1, "seeds": 2, "controls": 0, "latency": False},
    },
}
CALM, KILLED = "calm", "killed"
LOOK_SECONDS = 0.02
LAG_SECONDS = 1.0
"""How long after its event a kill comes at the latest."""


@dataclass(kw_only=True, slots=True)
class Toll:
    """What a study went through, and what came of it."""

    during: list[str] = field(default_factory=list)
    """What was trained at each kill, `fit 2 width+` or `climb 3.5`, or before it where nothing was."""
    lost: int = 0
    again: int = 0
    differ: int = 0
    """Trainings that are not those of the undisturbed study."""
    report_differs: bool = False

    @property
    def harmed(self) -> bool:
        """Whether anything was lost, trained again or another."""
        return bool(self.lost or self.again or self.differ or self.report_differs)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 kills")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--kills", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="isoflop-kills-") as folder:
        toll = rampage(Path(folder), options.kills or (2 if options.quick else 5), seed=options.seed)
    print(json.dumps(asdict(toll)) if options.json else _lines(toll))
    sys.exit(toll.harmed)


def rampage(folder: Path, kills: int, *, seed: int) -> Toll:
    """Run a study undisturbed and killed so many times, and compare."""
    home, toll = Home(folder).ensure(), Toll()
    prepare("digits", root=home.data)
    assert driver(home, CALM, TREE, "inline").wait(600) == 0, "the undisturbed study failed"
    events = len(SqliteJournal(home.journal).read(CALM))
    chance = random.Random(seed)
    for moment in _moments(events, kills, chance):
        toll.during += _killed_at(home, moment, chance.uniform(0.0, LAG_SECONDS))
    assert driver(home, KILLED, TREE, "inline").wait(600) == 0, "a driver failed that nobody killed"
    toll.lost, toll.again = count(home, KILLED)
    calm, killed = rows(home, CALM), rows(home, KILLED)
    toll.differ = sum(one != other for one, other in zip(calm, killed, strict=False)) + abs(len(calm) - len(killed))
    toll.report_differs = _report(home, CALM) != _report(home, KILLED)
    return toll


def _moments(events: int, kills: int, chance: random.Random) -> Iterator[int]:
    """One event out of each part of the journal, ascending."""
    part = (events - 1) / kills
    yield from (round(part * (number + chance.random())) for number in range(kills))


def _killed_at(home: Home, moment: int, lag: float) -> list[str]:
    """Kill a driver some seconds after its study has so many events; what it was at, nothing where it ended before."""
    victim, journal = driver(home, KILLED, TREE, "inline"), SqliteJournal(home.journal)
    try:
        while len(journal.read(KILLED)) < moment:
            if ends(victim, LOOK_SECONDS):
                break
        if ends(victim, lag):
            assert victim.returncode == 0, "a driver failed that nobody killed"
            return []
    finally:
        victim.kill()
        victim.wait()
    history = History.fold(journal.read(KILLED))
    latest = max(history.trials) if history.trials else None
    return [", ".join(trial.source for trial in history.open()) or f"after {latest and history.trials[latest].source}"]


def _report(home: Home, study: str) -> dict[str, Any]:
    """What a study found, but for what was measured and its name."""
    tree = json.loads((home.reports(study) / "scaling.json").read_text(encoding="utf-8"))
    return {key: value for key, value in tree.items() if key not in {"study", MEASURED}}


def _lines(toll: Toll) -> str:
    found = (str(toll.lost), str(toll.again), str(toll.differ), "yes" if toll.report_differs else "no")
    head = ("killed during", "lost", "trained again", "trainings that differ", "scaling.json differs")
    return table(head, [("; ".join(toll.during), *found)])


if __name__ == "__main__":
    main()
