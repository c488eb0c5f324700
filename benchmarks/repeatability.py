"""Is a search the same on any number of workers, and what does that cost beside asynchronous halving?

First the tables of trials of one spec with random delays, inline, on processes and on Ray with 1, 2 and 4 workers: they
are equal, or this exits with 1. Then the simulator with 8, 16 and 64 workers, look-ahead equal to them, 60 trials a
worker whose costs spread over 1 to 10: utilization (share of the workers' time spent training) and regret of the
recommended trial at equal worker-hours, in canonical order and asynchronously, over many seeds, with 95 % intervals.

Time: about 25 minutes, 2 with --quick (fewer seeds, 8 and 16 workers).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.report import table
from benchmarks.toy import ToyDesk, height, open_late, open_toy, plan
from isoflop.execution.inline import InlineExecutor
from isoflop.execution.process_executor import ProcessExecutor
from isoflop.execution.protocol import Executor
from isoflop.execution.ray_executor import RayExecutor
from isoflop.execution.recorder import Recorder
from isoflop.execution.simulator import Clock, Simulator
from isoflop.journal.event import Event, Kind
from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.records import Key, State
from isoflop.study_spec import Resources

MOMENTS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the canonical run's time at which regrets are compared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One simulated search."""

    utilization: float
    ends: Sequence[tuple[float, float, float]]
    """Of each COMPLETE trial: when, its noisy accuracy, and its true one."""

    def regret(self, at: float) -> float:
        """Of the trial that one would recommend at a time: the best by its noisy accuracy."""
        known = [(noisy, true) for when, noisy, true in self.ends if when <= at]
        return 1.0 - max(known)[1] if known else 1.0


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=int, default=None)
    parser.add_argument("--workers", type=int, nargs="*", default=None)
    parser.add_argument("--each", type=int, default=60, help="trials a worker")
    parser.add_argument("--sampler", default="random")
    options = parser.parse_args()
    hashes = tables(trials=20 if options.quick else 60)
    seeds = options.seeds or (4 if options.quick else 20)
    workers = options.workers or ([8, 16] if options.quick else [8, 16, 64])
    simulated = [compare(count, seeds, options.each, options.sampler) for count in workers]
    equal = len(set(hashes.values())) == 1
    if options.json:
        print(json.dumps({"tables": hashes, "equal": equal, "simulated": simulated}))
    else:
        print(table(("executor", "hash of the trial table"), list(hashes.items())))
        print("equal" if equal else "NOT EQUAL", end="\n\n")
        print(_lines(simulated))
    sys.exit(0 if equal else 1)


def tables(*, trials: int) -> dict[str, str]:
    """Hashes of the tables of one spec on several executors, with random delays."""
    runs: dict[str, Executor] = {"inline": InlineExecutor()}
    runs |= {f"processes, {n} workers": ProcessExecutor(Resources(workers=n)) for n in (1, 2, 4)}
    runs |= {f"ray, {n} workers": RayExecutor(Resources(workers=n)) for n in (1, 2, 4)}
    return {name: _hash(_execute(executor, trials)) for name, executor in runs.items()}


def compare(workers: int, seeds: int, each: int, sampler: str) -> dict[str, Any]:
    """Canonical order beside asynchronous halving at one number of workers."""
    with ProcessPoolExecutor() as pool:
        jobs = [(workers, seed, late, each, sampler) for seed, late in product(range(seeds), (False, True))]
        runs = list(pool.map(simulate, *zip(*jobs, strict=True)))
    ours, late = runs[::2], runs[1::2]
    horizons = [max(when for when, _, _ in run.ends) for run in ours]
    regrets = {
        str(share): {
            "canonical": _interval([run.regret(share * end) for run, end in zip(ours, horizons, strict=True)]),
            "asynchronous": _interval([run.regret(share * end) for run, end in zip(late, horizons, strict=True)]),
            "difference": _interval(
                [a.regret(share * end) - b.regret(share * end) for a, b, end in zip(ours, late, horizons, strict=True)]
            ),
        }
        for share in MOMENTS
    }
    shares = [run.utilization for run in ours], [run.utilization for run in late]
    return {
        "workers": workers,
        "utilization": {"canonical": _interval(shares[0]), "asynchronous": _interval(shares[1])},
        "ratio": float(np.mean(shares[0]) / np.mean(shares[1])),
        "regret": regrets,
    }


def simulate(workers: int, seed: int, asynchronous: bool, each: int, sampler: str) -> Run:  # noqa: FBT001 - mapped over
    """One search under a virtual clock."""
    clock, ends = Clock(), list[tuple[float, int]]()

    def listen(event: Event) -> None:
        if event.kind is Kind.END and event.payload["state"] == State.COMPLETE:
            ends.append((clock.now, event.trial))

    search = plan(
        seed=seed,
        budget={"trials": each * workers},
        look_ahead=workers,
        asynchronous=asynchronous,
        sampler={"name": sampler},
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        Recorder(MemoryJournal(), "toy", holder="simulator", clock=clock, listeners=(listen,)) as recorder,
    ):
        simulator = Simulator(workers=workers, clock=clock)
        simulator.run(search, recorder, ToyDesk(Path(folder)), open_toy)
        trials = recorder.history.trials
    found = [(when, trials[Key(trial=n)]) for when, n in ends]
    return Run(
        utilization=simulator.utilization,
        ends=[(when, trial.value("val_accuracy"), height(trial.config)) for when, trial in found],
    )


def _execute(executor: Executor, trials: int) -> History:
    with (
        closing(executor),
        tempfile.TemporaryDirectory() as folder,
        Recorder(MemoryJournal(), "toy", holder="here") as recorder,
    ):
        executor.run(plan(budget={"trials": trials}), recorder, ToyDesk(Path(folder)), open_late)
        return recorder.history


def _hash(history: History) -> str:
    rows = [
        (key.trial, str(trial.state), sorted(trial.params.items()), [dict(r.metrics) for r in trial.records])
        for key, trial in sorted(history.trials.items(), key=lambda item: item[0].trial)
    ]
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]


def _interval(values: Sequence[float]) -> dict[str, float]:
    """Mean and half the width of its 95 % interval."""
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)) if len(values) > 1 else float("nan")
    return {"mean": float(np.mean(values)), "half": half}


def _lines(simulated: Sequence[Mapping[str, Any]]) -> str:
    head = ("workers", "utilization", "asynchronous", "ratio", *(f"regret at {m:g}" for m in MOMENTS))
    rows = [
        (
            str(one["workers"]),
            _text(one["utilization"]["canonical"]),
            _text(one["utilization"]["asynchronous"]),
            f"{one['ratio']:.3f}",
            *(f"{r['canonical']['mean']:.4f}, {_text(r['difference'])}" for r in one["regret"].values()),
        )
        for one in simulated
    ]
    note = "Of regrets: canonical, and by how much it is above asynchronous at the same worker-hours."
    return f"{table(head, rows)}\n{note}"


def _text(interval: Mapping[str, float]) -> str:
    return f"{interval['mean']:.4f} +- {interval['half']:.4f}"


if __name__ == "__main__":
    main()
