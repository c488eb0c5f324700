"""What a trial costs that does no work: worker-seconds on Ray with two workers, beside plain Ray Tune in the same run.

Ours is the whole path: plan, TPE sampler, prices on the meta device, journal with an fsync an event, MLflow. Plain is a
function trainable that imports torch, `OptunaSearch` with TPE and `MLflowLoggerCallback`, all else Ray's default. Both
have a sqlite MLflow and report once a trial; `halving` is ours again with up to 9 reports and halving by 3.

Marginal cost = workers x (time the search returned - time trial k ended) / (trials - k), k trials being warm-up: an
upper bound, since writing MLflow to the end and stopping Ray count as the trials'. `between ends` leaves both out.

Time: about 10 minutes, 3 with --quick (200 trials of ours alone, 6 + 12 of plain).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.process import python
from benchmarks.report import table

WORKERS, WARMUP = 2, 20
AIM_SECONDS, AIM_RATIO = 0.10, 20.0
LIMIT_SECONDS = 3600.0
SHOWN = 14


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Of one search: worker-seconds a trial, beyond its warm-up."""

    trials: int
    marginal: float
    between_ends: float
    cpu: Mapping[str, float]
    """CPU seconds a trial by kind of process."""
    places: Mapping[str, float]
    """Seconds of wall clock a trial by thread and place in the driver."""
    drain: Mapping[str, float]
    """Seconds in all by thread and place after the last trial had ended."""


def main() -> None:
    """Run all and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200 trials of ours, fewer of plain")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--trials", type=int, nargs="*", default=None, help="how many of ours, one search for each")
    parser.add_argument("--sampler", default="tpe")
    options = parser.parse_args()
    counts = options.trials or ([200] if options.quick else [200, 2000])
    known = {str(count): ours(count, options.sampler) for count in counts}
    known["halving"] = ours(200, options.sampler, reports=9)
    found = {"plain": asdict(plain(6, 12) if options.quick else plain(10, 24))}
    found |= {name: asdict(cost) for name, cost in known.items()}
    print(json.dumps(found | {"load": os.getloadavg()}) if options.json else lines(found))


def ours(trials: int, sampler: str, *, reports: int = 1) -> Cost:
    """A search of Isoflop."""
    options = [str(trials), "--warmup", str(WARMUP), "--reports", str(reports), "--sampler", sampler]
    return _run("benchmarks.idle", options, WARMUP, trials)


def plain(warmup: int, trials: int) -> Cost:
    """A search of plain Ray Tune, so many trials after so many of warm-up."""
    return _run("benchmarks.stock.idle", [str(warmup + trials)], warmup, warmup + trials)


def _run(module: str, options: list[str], warmup: int, trials: int) -> Cost:
    with tempfile.TemporaryDirectory(prefix="isoflop-overhead-") as folder:
        done = python("-m", module, folder, *options, timeout=LIMIT_SECONDS)
    found: dict[str, Any] = json.loads(done.output.splitlines()[-1])
    ends, counted = found["ends"], trials - warmup
    assert len(ends) == trials, f"{len(ends)} trials ended, not {trials}"
    return Cost(
        trials=counted,
        marginal=WORKERS * (found["over"] - ends[warmup - 1]) / counted,
        between_ends=WORKERS * (ends[-1] - ends[warmup - 1]) / counted,
        cpu={name: seconds / counted for name, seconds in found.get("cpu", {}).items()},
        places={name: seconds / counted for name, seconds in found.get("places", {}).items()},
        drain=found.get("drain", {}),
    )


def lines(found: Mapping[str, Mapping[str, Any]]) -> str:
    """What a person reads."""
    base = found["plain"]["marginal"]
    rows = [
        [
            _named(name),
            str(cost["trials"]),
            f"{cost['marginal']:.3f}",
            f"{cost['between_ends']:.3f}",
            _times(base, cost),
        ]
        for name, cost in found.items()
    ]
    text = [
        f"worker-seconds a trial that does no work, {WORKERS} workers",
        table(["", "trials", "marginal", "between ends", "plain is"], rows),
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
