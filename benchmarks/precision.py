"""What a training step takes by the numbers that it is computed in, and compiled: four nets, by turns in one run.

Beside float32 stands bf16, on a GPU fp16 too; with --compile each of them compiled as well, the first step apart.
Time: about two minutes on one CPU core, five with --compile.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import asdict, dataclass, replace

import torch

from benchmarks.report import table
from benchmarks.throughput import CASES, Case, made
from isoflop.training.fit import Fit

STEPS = 3
"""Steps that are timed together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A net's step in one way."""

    family: str
    precision: str
    compiled: bool
    first_seconds: float
    """Of the first step, in which a net is compiled."""
    milliseconds: float
    to_float32: float
    """Time over that of the plain step."""


def measure(case: Case, ways: list[tuple[str, bool]], device: torch.device, rounds: int) -> list[Found]:
    """Take steps in each way by turns."""
    fits = {way: made(_in(case, *way), device) for way in ways}
    firsts = {way: _timed(fit, 1) for way, fit in fits.items()}
    taken: dict[tuple[str, bool], list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, fit in fits.items():
            taken[way].append(_timed(fit, STEPS) / STEPS)
    plain = taken[ways[0]]
    return [
        Found(
            family=case.family,
            precision=precision,
            compiled=compiled,
            first_seconds=firsts[precision, compiled],
            milliseconds=1000 * statistics.median(times),
            to_float32=statistics.median(mine / other for mine, other in zip(times, plain, strict=True)),
        )
        for (precision, compiled), times in taken.items()
    ]


def _in(case: Case, precision: str, compiled: bool) -> Case:  # noqa: FBT001 - one of two ways
    return replace(case, more={"train.precision": precision, "train.compile": compiled})


def _timed(fit: Fit, steps: int) -> float:
    began = time.perf_counter()
    fit.advance(fit.step + steps)
    if fit.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(options.device)
    numbers = ["float32", "bf16", *(["fp16"] if device.type == "cuda" else [])]
    ways = [(one, compiled) for compiled in ([False, True] if options.compile else [False]) for one in numbers]
    found = [row for case in CASES for row in measure(case, ways, device, 2 if options.quick else 7)]
    if options.json:
        print(json.dumps([asdict(row) for row in found]))
        return
    head = ("family", "numbers", "compiled", "first step, s", "ms a step", "to float32")
    rows = [
        (
            row.family,
            row.precision,
            "yes" if row.compiled else "",
            f"{row.first_seconds:.1f}",
            f"{row.milliseconds:.1f}",
            f"{row.to_float32:.2f}",
        )
        for row in found
    ]
    print(table(head, rows))


if __name__ == "__main__":
    main()
