"""How long a leaderboard takes to read when MLflow holds many runs: our cache beside MLflow's own client.

A store of searches of 1,000 trials with 23 parameters and 9 reports each, every tenth search with three finalists on
three seeds, on SQLite. Rows are put into the tables that MLflow made, and a small store of that kind is first held
against one that our writer wrote alone: they must be equal. Then, in one process:

- first sync: everything, into an empty cache;
- increment: 100 new runs of a search that goes on, written by our writer, until they are in the cache;
- nothing new: a sync that finds that out;
- leaderboard: all finalists read and ranked, and the list of studies;
- trials: the rows of one study, the first time with its curves, and again;
- search_runs: `MlflowClient.search_runs` on the same store, all pages of 1,000, no more than reading.

Exit code 1 where the leaderboard takes more than 0.1 s, or the increment more than 1 s.

Time: 10 minutes on one core, most of it MLflow's; 2 minutes with --quick (10,000 runs alone).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks.filled import Filler, unlike
from benchmarks.report import table
from isoflop.ranking import boards
from isoflop.tracking.cache.served import Served
from isoflop.tracking.cache.sql import SqlSource

SIZES = (10_000, 50_000)
FRESH, CHECKED, PAGE = 100, 20, 1_000
QUERY, INCREMENT = 0.1, 1.0
"""Seconds that a leaderboard and a sync of new runs may take."""
REPEATS = 5
Answer = TypeVar("Answer")


def main() -> None:
    """Fill, measure and print; exit code 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="isoflop-reads-") as folder:
        check(Path(folder))
        found = {size: measure(Path(folder) / str(size), size) for size in (SIZES[:1] if options.quick else SIZES)}
    print(json.dumps(found) if options.json else lines(found))
    broken = any(row["leaderboard"] > QUERY or row["increment"] > INCREMENT for row in found.values())
    sys.exit(1 if broken else 0)


def check(folder: Path) -> None:
    """Hold rows put into tables against what the writer writes. Raises `SystemExit` where they differ."""
    stores = [Filler(_made(folder / name), folder / name / "mlflow.sqlite") for name in ("bulk", "written")]
    for store, way in zip(stores, (Filler.bulk, Filler.write), strict=True):
        way(store, "s-0", store.events("s-0", CHECKED))
        way(store, "s-0-finalists", store.retrained("s-0"))
        store.tracker.close()
    if differ := unlike(stores[0].database, stores[1].database):
        raise SystemExit(f"the filled store is not what the writer writes: {', '.join(differ)}")


def measure(folder: Path, size: int) -> dict[str, float]:
    """Seconds of each read of a store with so many trial runs."""
    store = Filler(_made(folder), folder / "mlflow.sqlite")
    store.fill(size)
    going = store.events("t-0", FRESH, closed=False)
    store.write("t-0", going[:1])
    found: dict[str, float] = {}
    served, found["first sync"] = timed(lambda: Served(SqlSource(store.uri), folder / "reads"))
    store.write("t-0", going)
    _, found["increment"] = timed(served.version)
    assert served.counts("t-0") == {"COMPLETE": FRESH // 4, "PRUNED": FRESH - FRESH // 4}
    found["nothing new"] = best(served.version)
    found["leaderboard"] = best(lambda: (boards(served.results()), served.studies()))
    rows, found["trials, first"] = timed(lambda: served.trials("s-0"))
    found["trials"] = best(lambda: served.trials("s-0"))
    count, found["search_runs"] = timed(lambda: searched(store))
    finalists = sum(1 + len(one.seeds) for one in served.results())  # a finalist's run is above those of its seeds
    assert count == size + FRESH + finalists + len(served.studies()), "both read the same"
    assert len(rows) == min(size, 1_000)
    found["cache, MB"] = sum(path.stat().st_size for path in (folder / "reads").rglob("*.*")) / 1e6
    found["store, MB"] = store.database.stat().st_size / 1e6
    served.close()
    store.tracker.close()
    return found


def searched(store: Filler) -> int:
    """Read all runs as a user of MLflow does. Returns how many there are."""
    client = store.tracker.client
    ids, token, count = [one.experiment_id for one in client.search_experiments()], None, 0
    while True:
        page = client.search_runs(ids, max_results=PAGE, page_token=token)
        count, token = count + len(page), page.token
        if not token:
            return count


def timed(ask: Callable[[], Answer]) -> tuple[Answer, float]:
    """An answer and how many seconds it took."""
    began = time.perf_counter()
    answer = ask()
    return answer, time.perf_counter() - began


def best(ask: Callable[[], object]) -> float:
    """The least seconds of several times, since the machine has others to serve."""
    return min(timed(ask)[1] for _ in range(REPEATS))


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def lines(found: Mapping[int, Mapping[str, float]]) -> str:
    """For people."""
    head = ("", *(f"{size:,} runs" for size in found))
    rows: Sequence[Sequence[str]] = [
        (name if name.endswith("MB") else f"{name}, s", *(f"{row[name]:.3g}" for row in found.values()))
        for name in next(iter(found.values()))
    ]
    return table(head, rows)


if __name__ == "__main__":
    main()
