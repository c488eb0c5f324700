"""What a trial costs that does no work: worker-seconds on Ray with two workers, beside plain Ray Tune in the same run.

Ours is the whole path: plan, default sampler, prices on the meta device, journal with an fsync an event, MLflow. Plain
is a function trainable that imports torch, `OptunaSearch` with TPE and `MLflowLoggerCallback`, all else Ray's default.
Both have a sqlite MLflow and report once a trial; `halving` is ours again with up to 9 reports and halving by 3.

Marginal cost = workers x (wall clock of a search of n trials - that of one of k) / (n - k), both from the start of
Python to its end: all that a trial adds, writing MLflow to the end included, and nothing that comes once. `between
ends` is from the end of trial k to that of trial n within the longer search.

Time: about 10 minutes, 4 with --quick (200 trials of ours alone, 6 and 18 of plain).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.process import python
from benchmarks.report import table
from isoflop.study_spec import Sampler

WORKERS, SHORT = 2, 20
AIM_SECONDS, AIM_RATIO = 0.10, 20.0
LIMIT_SECONDS = 3600.0
SHOWN = 14


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One search."""

    trials: int
    seconds: float
    """From the start of Python to its end."""
    ends: Sequence[float]
    """When each trial ended."""
    cpu: Mapping[str, float]
    """CPU seconds by kind of process between the ends of trial `SHORT` and the last."""
    places: Mapping[str, float]
    """Seconds of wall clock between the same by thread and place in the driver."""
    drain: Mapping[str, float]
    """Seconds by thread and place after the last trial had ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What a trial adds to a search, from a short one and a long one."""

    trials: int
    marginal: float
    """Worker-seconds."""
    between_ends: float
    once: float
    """Seconds of wall clock that the search takes whatever the trials."""
    cpu: Mapping[str, float]
    places: Mapping[str, float]
    drain: Mapping[str, float]

    @classmethod
    def of(cls, short: Run, long: Run) -> Cost:
        """The slope between two searches."""
        counted = long.trials - short.trials
        slope = (long.seconds - short.seconds) / counted
        return cls(
            trials=long.trials,
            marginal=WORKERS * slope,
            between_ends=WORKERS * (long.ends[-1] - long.ends[short.trials - 1]) / counted,
            once=short.seconds - slope * short.trials,
            cpu={name: seconds / counted for name, seconds in long.cpu.items()},
            places={name: seconds / counted for name, seconds in long.places.items()},
            drain=long.drain,
        )


def main() -> None:
    """Run all and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="200 trials of ours, fewer of plain")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--trials", type=int, nargs="*", default=None, help="how many of ours, one search for each")
    parser.add_argument("--sampler", default=None, help="of ours; the default sampler unless given")
    options = parser.parse_args()
    sampler = options.sampler or Sampler().name
    counts = options.trials or ([200] if options.quick else [200, 2000])
    plains = [plain(count) for count in ((6, 18) if options.quick else (10, 34))]
    short = ours(SHORT, sampler)
    found = {"plain": Cost.of(*plains)}
    found |= {str(count): Cost.of(short, ours(count, sampler)) for count in counts}
    found["halving"] = Cost.of(ours(SHORT, sampler, reports=9), ours(200, sampler, reports=9))
    shown = {name: asdict(cost) for name, cost in found.items()}
    print(json.dumps(shown | {"sampler": sampler, "load": os.getloadavg()}) if options.json else lines(shown, sampler))


def ours(trials: int, sampler: str, *, reports: int = 1) -> Run:
    """A search of Isoflop."""
    return _run("benchmarks.idle", trials, "--warmup", str(SHORT - 1), "--reports", str(reports), "--sampler", sampler)


def plain(trials: int) -> Run:
    """A search of plain Ray Tune."""
    return _run("benchmarks.stock.idle", trials)


def _run(module: str, trials: int, *options: str) -> Run:
    with tempfile.TemporaryDirectory(prefix="isoflop-overhead-") as folder:
        done = python("-m", module, folder, str(trials), *options, timeout=LIMIT_SECONDS)
    found: dict[str, Any] = json.loads(done.output.splitlines()[-1])
    assert len(found["ends"]) >= trials, f"{len(found['ends'])} trials ended, not {trials}"
    return Run(
        trials=trials,
        seconds=done.seconds,
        ends=found["ends"],
        cpu=found.get("cpu", {}),
        places=found.get("places", {}),
        drain=found.get("drain", {}),
    )


def lines(found: Mapping[str, Mapping[str, Any]], sampler: str) -> str:
    """What a person reads."""
    base = found["plain"]["marginal"]
    rows = [
        [
            _named(name),
            str(cost["trials"]),
            f"{cost['marginal']:.3f}",
            f"{cost['between_ends']:.3f}",
            f"{cost['once']:.1f}",
            _times(base, cost),
        ]
        for name, cost in found.items()
    ]
    text = [
        f"worker-seconds a trial that does no work, {WORKERS} workers, our sampler {sampler}",
        table(["", "trials", "marginal", "between ends", "seconds once", "plain is"], rows),
    ]
    for name, cost in found.items():
        if cost["places"]:
            text += ["", f"{_named(name)}: CPU milliseconds a trial", _milliseconds(cost["cpu"])]
            text += ["", f"{_named(name)}: where the driver's threads stood, ms of wall clock a trial"]
            text += [_milliseconds(cost["places"])]
            text += ["", f"{_named(name)}: after the last trial, ms in all", _milliseconds(cost["drain"])]
    searches = [cost for name, cost in found.items() if name.isdigit()]
    met = all(c["marginal"] <= AIM_SECONDS and base / c["marginal"] >= AIM_RATIO for c in searches)
    aim = f"aim: at most {AIM_SECONDS:.2f} worker-seconds and {AIM_RATIO:g} times below plain"
    return "\n".join([*text, "", f"{aim}: {'met' if met else 'missed'}"])


def _named(name: str) -> str:
    known = {"plain": "plain Ray Tune", "halving": "Isoflop, halving to 9 reports"}
    return known.get(name, f"Isoflop, {name} trials")


def _times(base: float, cost: Mapping[str, Any]) -> str:
    return f"{base / cost['marginal']:.1f} x"


def _milliseconds(values: Mapping[str, float]) -> str:
    most = sorted(values.items(), key=lambda pair: -pair[1])[:SHOWN]
    return table(["", "ms"], [[name, f"{1000 * seconds:.2f}"] for name, seconds in most if seconds >= 1e-5])


if __name__ == "__main__":
    main()
