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
from collections.abc import Callable, Iterable, Mapping, Sequence
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
PARTS = ("plan", "journal", "tracker")


@dataclass
class Clock:
    """Seconds spent in each part, and events, up to now."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    events: int = 0
    tracked: int = 0
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
        return {**self.seconds, "events": self.events, "tracked": self.tracked, "wall": now}


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
    """A tracker under a stopwatch; it runs in a thread of its own."""

    inner: Tracker
    clock: Clock

    def begin(self, study: str, first: Event) -> int:
        """Find out where it stands."""
        return self.inner.begin(study, first)

    def sync(self, study: str, events: Sequence[Event]) -> None:
        """Write."""
        with self.clock.of("tracker"):
            self.inner.sync(study, events)
        self.clock.tracked += len(events)

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

    tracker = BackgroundTracker(journal, "toy", _tracker(home, clock))
    search = plan(budget={"trials": sizes[-1]}, look_ahead=8, sampler={"name": sampler})
    with (
        closing(RayExecutor(Resources(workers=2))) as executor,
        Recorder(journal, "toy", holder="growth:1", listeners=(tracker, listen)) as recorder,
    ):
        executor.run(TimedPlan(search, clock), recorder, ToyDesk(home.path / "x"), open_toy)
    left = tracker.drain(600)
    assert not left, left
    return {size: _rates(taken[size // 2], taken[size], size) for size in sizes}


def _tracker(home: Home, clock: Clock) -> Callable[[], Tracker]:
    return lambda: TimedTracker(
        MlflowTracker(f"sqlite:///{home.mlflow}", artifacts=home.mlflow_artifacts, home=home.path), clock
    )


def _rates(half: Mapping[str, float], whole: Mapping[str, float], size: int) -> dict[str, float]:
    """Milliseconds an event between two snapshots, and bytes a trial."""
    new = {name: whole[name] - half[name] for name in whole}
    found = {part: 1e3 * new[part] / (new["tracked"] if part == "tracker" else new["events"]) for part in PARTS}
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
    head = ("trials", *(f"{n}, ms an event" if n in PARTS else n for n in names))
    return table(head, [(f"{size:,}", *(f"{row[name]:.3g}" for name in names)) for size, row in found.items()])


if __name__ == "__main__":
    main()
