"""What an event costs the Ray driver as a study grows: plan, journal and tracker, and what the journal takes on disk.

Trials that compute nothing run on Ray with two workers, with halving, journal and MLflow as in a real search. Seconds
are wall clock within the driver, means over the second half of each stretch, so that a step that looks at all trials
would show as a row that grows like the number of trials.

Time: about 10 minutes, 1 with --quick (1,000 trials).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.report import table
from benchmarks.toy import ToyDesk, open_toy, plan
from isoflop.execution.ray_executor import RayExecutor
from isoflop.execution.recorder import Recorder
from isoflop.home import Home
from isoflop.journal.event import Event, Kind
from isoflop.journal.history import History
from isoflop.journal.sqlite import SqliteJournal
from isoflop.plan import Decision
from isoflop.planning.search import SearchPlan
from isoflop.study_spec import Resources
from isoflop.tracking.background import BackgroundTracker
from isoflop.tracking.mlflow_tracker import MlflowTracker
from isoflop.tracking.protocol import Tracker

SIZES = (100, 1_000, 10_000)
PARTS = ("plan", "journal")


@dataclass
class Clock:
    """Seconds spent in each part, and events, up to now."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    events: int = 0
    began: float = field(default_factory=time.perf_counter)

    @contextmanager
    def of(self, part: str) -> Any:
        """Count the time of a part."""
        began = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - began

    def snapshot(self) -> dict[str, float]:
        """All of it as numbers."""
        now = time.perf_counter() - self.began
        return {**self.seconds, "events": self.events, "wall": now}


@dataclass
class TimedPlan:
    """A plan under a stopwatch."""

    inner: SearchPlan
    clock: Clock

    def __call__(self, history: History) -> Decision:
        """Decide."""
        with self.clock.of("plan"):
            return self.inner(history)


class TimedJournal(SqliteJournal):
    """A journal under a stopwatch."""

    clock: Clock

    def append(self, lease: Any, events: Iterable[Event]) -> int:
        """Write."""
        rows = list(events)
        self.clock.events += len(rows)
        with self.clock.of("journal"):
            return super().append(lease, rows)


@dataclass
class TimedTracker:
    """A tracker under a stopwatch; it runs in a thread of its own, and writes batches when it can."""

    inner: Tracker
    marks: list[tuple[int, int, float]] = field(default_factory=lambda: [(0, 0, 0.0)])
    """After each batch: trials that ended, events, and seconds spent, all of them so far."""

    def begin(self, study: str, first: Event) -> int:
        """Find out where it stands."""
        return self.inner.begin(study, first)

    def sync(self, study: str, events: Sequence[Event]) -> None:
        """Write."""
        began = time.perf_counter()
        self.inner.sync(study, events)
        ends, count, seconds = self.marks[-1]
        ends += sum(event.kind is Kind.END for event in events)
        self.marks.append((ends, count + len(events), seconds + time.perf_counter() - began))

    def rate(self, size: int) -> float:
        """Milliseconds an event from half of so many trials on, or from the batch before that."""
        before = max(mark for mark in self.marks if mark[0] <= size // 2)
        after = min(mark for mark in self.marks if mark[0] >= size)
        return 1e3 * (after[2] - before[2]) / (after[1] - before[1])

    def close(self) -> None:
        """End."""
        self.inner.close()


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sampler", default="random")
    options = parser.parse_args()
    sizes = SIZES[:2] if options.quick else SIZES
    with tempfile.TemporaryDirectory(prefix="isoflop-growth-") as folder:
        found = grow(Path(folder), sizes, options.sampler)
    print(json.dumps(found) if options.json else lines(found))


def grow(folder: Path, sizes: Sequence[int], sampler: str) -> dict[int, dict[str, float]]:
    """Run one study of the largest size; what an event cost on the way to each."""
    home, clock = Home(folder).ensure(), Clock()
    journal = TimedJournal(home.journal)
    journal.clock = clock
    marks = {n for size in sizes for n in (size // 2, size)}
    taken: dict[int, dict[str, float]] = {}
    ends = 0

    def listen(event: Event) -> None:
        nonlocal ends
        if event.kind is Kind.END:
            ends += 1
            if ends in marks:
                taken[ends] = clock.snapshot() | {"bytes": _bytes(home.journal)}

    timed = list[TimedTracker]()

    def make() -> Tracker:
        inner = MlflowTracker(f"sqlite:///{home.mlflow}", artifacts=home.mlflow_artifacts, home=home.path)
        timed.append(TimedTracker(inner))
        return timed[-1]

    tracker = BackgroundTracker(journal, "toy", make)
    search = plan(budget={"trials": sizes[-1]}, look_ahead=8, sampler={"name": sampler})
    with (
        closing(RayExecutor(Resources(workers=2))) as executor,
        Recorder(journal, "toy", holder="growth:1", listeners=(tracker, listen)) as recorder,
    ):
        executor.run(TimedPlan(search, clock), recorder, ToyDesk(home.path / "x"), open_toy)
    left = tracker.drain(600)
    assert not left, left
    return {size: {"tracker": timed[0].rate(size)} | _rates(taken[size // 2], taken[size], size) for size in sizes}


def _rates(half: Mapping[str, float], whole: Mapping[str, float], size: int) -> dict[str, float]:
    """Milliseconds an event between two snapshots, and bytes a trial."""
    new = {name: whole[name] - half[name] for name in whole}
    found = {part: 1e3 * new[part] / new["events"] for part in PARTS}
    return found | {
        "wall a trial": 1e3 * new["wall"] / (size - size // 2),
        "events a trial": new["events"] / (size - size // 2),
        "journal bytes a trial": whole["bytes"] / size,
    }


def _bytes(path: Path) -> int:
    """Of the journal, what waits in its write-ahead log included."""
    return sum(file.stat().st_size for file in (path, path.with_name(f"{path.name}-wal")) if file.exists())


def lines(found: Mapping[int, Mapping[str, float]]) -> str:
    """For people."""
    names = list(next(iter(found.values())))
    head = ("trials", *(f"{n}, ms an event" if n in {*PARTS, "tracker"} else n for n in names))
    return table(head, [(f"{size:,}", *(f"{row[name]:.3g}" for name in names)) for size, row in found.items()])


if __name__ == "__main__":
    main()
