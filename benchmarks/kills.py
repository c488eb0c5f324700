"""`kill -9` of drivers and workers at random moments: nothing is lost, nothing is trained again, the end is the same.

A set of real searches on the digits is run undisturbed, and again while its drivers and workers are killed at random
moments and the driver is started anew. Counted at the end: trials that are lost (a number that is missing or not
final), trials trained again after their end, and trial tables (parameters, states, every metric) that differ from the
undisturbed run's. Any of them makes this exit with 1.

Time: about 25 minutes for 100 kills of Ray's on two cores, 2 with --quick (6 kills).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.report import table
from isoflop.data import prepare
from isoflop.home import Home
from isoflop.journal.event import Kind
from isoflop.journal.history import History
from isoflop.journal.sqlite import SqliteJournal

SPACE = {
    "model.family": "lenet",
    "model.stem": 1,
    "model.width": {"choice": [1.0, 2.0, 3.0]},
    "optim.lr": {"float": [0.001, 0.1], "log": True},
}
STUDY = {
    "data": "digits",
    "fidelity": {"axis": "epochs", "horizon": 9, "reports": 9},
    "budget": {"trials": 12},
    "sampler": {"startup": 4},
    "resources": {"workers": 2},
}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "halving": {},
    "hyperband": {"halving": {"name": "hyperband"}},
    "median": {"halving": {"name": "median", "rungs": 1}},
    "front": {"objectives": ["val_accuracy", "parameters"]},
    "full": {"halving": None, "budget": {"trials": 8}},
}
EARLY = 0.25
"""Share of the kills that come while a driver starts."""
START_SECONDS = 8.0
EVENTS = 30
"""Of the other kills, how many events of the journal pass at most before the next."""
LAG_SECONDS = 0.3
"""How long after such an event a kill comes at the latest."""
LOOK_SECONDS = 0.02


@dataclass(kw_only=True, slots=True)
class Toll:
    """What one study went through, and what it came to."""

    drivers: int = 0
    workers: int = 0
    lost: int = 0
    again: int = 0
    differ: int = 0

    @property
    def kills(self) -> int:
        """Of drivers and workers."""
        return self.drivers + self.workers

    @property
    def harmed(self) -> bool:
        """Whether anything was lost, trained again or another."""
        return bool(self.lost or self.again or self.differ)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="6 kills of two studies")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--kills", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--executor", choices=["processes", "ray"], default="ray")
    options = parser.parse_args()
    kills = options.kills or (6 if options.quick else 100)
    names = list(VARIANTS)[: 2 if options.quick else None]
    with tempfile.TemporaryDirectory(prefix="isoflop-kills-") as folder:
        tolls = rampage(Path(folder), kills, names, seed=options.seed, executor=options.executor)
    print(json.dumps({name: asdict(toll) for name, toll in tolls.items()}) if options.json else _lines(tolls))
    sys.exit(any(toll.harmed for toll in tolls.values()))


def rampage(folder: Path, kills: int, names: Sequence[str], *, seed: int, executor: str) -> dict[str, Toll]:
    """Kill so many processes over studies of these variants, as many of each until all kills are spent."""
    chance, home, tolls = random.Random(seed), Home(folder).ensure(), dict[str, Toll]()
    prepare("digits", root=home.data)
    calm = {name: _undisturbed(home, name) for name in names}
    turn = 0
    while (left := kills - sum(toll.kills for toll in tolls.values())) > 0:
        name = names[turn % len(names)]
        study = f"{name}-{turn // len(names)}"
        tolls[study] = toll = Toll()
        clock = Clock(home, study, chance)
        while not _life(driver(home, study, tree(name), executor), clock, toll, chance, left=left):
            left = kills - sum(one.kills for one in tolls.values())
        toll.lost, toll.again = count(home, study)
        toll.differ = rows(home, study) != calm[name]
        print(f"{study}: {toll}", file=sys.stderr, flush=True)
        turn += 1
    return tolls


def _undisturbed(home: Home, name: str) -> list[Any]:
    process = driver(home, f"{name}-calm", tree(name), "inline")
    assert process.wait(600) == 0, "the undisturbed run failed"
    return rows(home, f"{name}-calm")


class Clock:
    """Says when the next kill comes: by the journal's events, so that it does not matter how fast a machine is."""

    def __init__(self, home: Home, study: str, chance: random.Random) -> None:
        self.journal, self.study, self.chance = SqliteJournal(home.journal), study, chance

    def ends(self, driver: subprocess.Popen[str]) -> bool:
        """Wait for the moment. Whether the driver ends before it."""
        if self.chance.random() < EARLY:
            return ends(driver, self.chance.uniform(0.0, START_SECONDS))
        goal = self._seen() + self.chance.randint(1, EVENTS)
        while self._seen() < goal:
            if ends(driver, LOOK_SECONDS):
                return True
        return ends(driver, self.chance.uniform(0.0, LAG_SECONDS))

    def _seen(self) -> int:
        return len(self.journal.read(self.study))


def _life(driver: subprocess.Popen[str], clock: Clock, toll: Toll, chance: random.Random, *, left: int) -> bool:
    """Let a driver live until it is killed or done; workers and drivers are killed by turns. Whether it is done."""
    try:
        while left > 0:
            if clock.ends(driver):
                assert driver.returncode == 0, "a driver failed that nobody killed"
                return True
            if left % 2:
                driver.kill()
                driver.wait()
                toll.drivers += 1
                return False
            if workers := _workers(driver):
                chance.choice(workers).kill()
                toll.workers += 1
                left -= 1
        assert driver.wait(600) == 0, "a driver failed that nobody killed"
        return True
    finally:
        driver.kill()
        driver.wait()


def tree(name: str) -> dict[str, Any]:
    """The spec of a variant."""
    return {"space": SPACE, "study": {**STUDY, **VARIANTS[name]}}


def driver(home: Home, study: str, spec: Mapping[str, Any], executor: str, **more: str) -> subprocess.Popen[str]:
    """A process that runs a study of a spec, or goes on with it, with more in its environment."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.victim", str(home.path), study, executor],
        env={**os.environ, **more},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(spec))
    process.stdin.close()
    return process


def ends(driver: subprocess.Popen[str], seconds: float) -> bool:
    """Whether a driver ends by itself within some seconds."""
    try:
        driver.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _workers(driver: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes that train for a driver, in order of their ids."""
    try:
        children = psutil.Process(driver.pid).children(recursive=True)
        return sorted((child for child in children if _trains(child, driver.pid)), key=lambda child: child.pid)
    except psutil.NoSuchProcess:
        return []


def _trains(process: psutil.Process, driver: int) -> bool:
    """Whether it is a worker of Ray's, or one that was forked from a driver's server."""
    command = " ".join(process.cmdline())
    return "Trainable" in command or ("forkserver" in command and process.ppid() != driver)


def rows(home: Home, study: str) -> list[Any]:
    """A study's trials as they must be after any kills."""
    trials = History.fold(SqliteJournal(home.journal).read(study)).trials
    return [
        (
            str(key),
            str(one.state),
            dict(one.params),
            dict(one.forecast),
            [dict(record.metrics) for record in one.records],
        )
        for key, one in sorted(trials.items())
    ]


def count(home: Home, study: str) -> tuple[int, int]:
    """Trials that were lost, and reports that were trained again after their trial's end."""
    events = SqliteJournal(home.journal).read(study)
    history = History.fold(events)
    numbers = {key.trial for key, trial in history.trials.items() if trial.state.final}
    lost = len(set(range(max(numbers) + 1)) - numbers) + len(history.open())
    ended: Counter[tuple[int, int]] = Counter()
    again = 0
    for event in events:
        training = (event.trial, event.replicate)
        again += ended[training] > 0 and event.kind in {Kind.RECORD, Kind.START, Kind.END, Kind.STATE}
        ended[training] += event.kind is Kind.END
    return lost, again


def _lines(tolls: Mapping[str, Toll]) -> str:
    fields = ("drivers", "workers", "lost", "again", "differ")
    rows = [(name, *(str(getattr(toll, field)) for field in fields)) for name, toll in tolls.items()]
    total = ("all", *(str(sum(getattr(toll, field) for toll in tolls.values())) for field in fields))
    head = ("study", "drivers killed", "workers killed", "trials lost", "trained again", "tables that differ")
    return table(head, [*rows, total])


if __name__ == "__main__":
    main()
