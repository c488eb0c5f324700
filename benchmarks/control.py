"""What a control arm says about a sampler, and how sure one study of it is: many studies, replicated by the simulator.

    python -m benchmarks.control [--quick] [--json] [--seeds N] [--trials N] [--problem NAME] [--sampler NAME]
        [--share SHARE]

Each study runs the product's own plan with `study.control`, four simulated workers and look-ahead 4, and is compared as
`isoflop analyze` does: the best of the control arm beside that of the sampler's first trials that are worth as much,
and, without halving, of its latest. Differences are in points of accuracy and above 0 where the sampler's arm is
better: as the study sees them, and of the true accuracies of the two trials that it would pick. 95 % intervals are
Student's t over seeds. With the random sampler both arms are drawn alike, so its intervals should hold 0.

`cifar10` and `cifar100` are the tables of NAS-Bench-201, without halving: a study sees one of up to three trainings of
a cell, and a cell costs what its training took on a GPU, for the table has no FLOPs. `toy` is a noisy function of four
parameters with halving by 3 over 9 reports.

Time: about 12 minutes on 2 shared cores, one with --quick.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks import tabled, toy
from benchmarks.report import table
from benchmarks.search_quality import count
from isoflop.analysis.arms import Arms, Part, arms
from isoflop.execution.recorder import Recorder
from isoflop.execution.simulator import Clock, Simulator
from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.records import Key, Trial
from isoflop.statistics import interval

PROBLEMS = ("cifar10", "cifar100", "toy")
SAMPLERS = ("additive", "random")
SHARES = (0.2, 0.5)
WORKERS = 4
PARTS = ("first", "latest")


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """A search with a control arm."""

    problem: str
    sampler: str
    share: float
    trials: int
    seed: int

    @property
    def row(self) -> tuple[str, str, float]:
        """What studies that differ in their seed alone have in common."""
        return self.problem, self.sampler, self.share


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """By how many points of accuracy the sampler's arm was better; none where one of both has no COMPLETE trial."""

    study: Study
    said: Mapping[str, float | None]
    """As the study itself compares, by part of the sampler's arm."""
    true: Mapping[str, float | None]
    """Of the true accuracies."""


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="4 seeds and 40 trials")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=count)
    parser.add_argument("--trials", type=count)
    parser.add_argument("--problem", action="append", choices=PROBLEMS)
    parser.add_argument("--sampler", action="append", choices=[*SAMPLERS, "tpe", "nsga2", "evolution", "gp", "sobol"])
    parser.add_argument("--share", action="append", type=float)
    options = parser.parse_args()
    seeds, trials = options.seeds or (4 if options.quick else 40), options.trials or (40 if options.quick else 100)
    chosen = product(options.problem or PROBLEMS, options.sampler or SAMPLERS, options.share or SHARES, range(seeds))
    wanted = [Study(problem=p, sampler=s, share=c, trials=trials, seed=seed) for p, s, c, seed in chosen]
    rows = list(summaries(run(wanted)))
    print(json.dumps(rows) if options.json else lines(rows, trials, seeds))


def run(wanted: Sequence[Study]) -> list[Found]:
    """Simulate, a process for each core, in the order asked for."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read by the processes when they start: they are as many as the cores
    processes = min(len(os.sched_getaffinity(0)), len(wanted))
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        found = pool.imap(simulate, wanted)
        return list(track(found, "studies", len(wanted), console=Console(stderr=True), transient=True))


def simulate(study: Study) -> Found:
    """One study, and what its arms came to."""
    wanted: dict[str, Any] = {
        "seed": study.seed,
        "control": study.share,
        "budget": {"trials": study.trials},
        "sampler": {"name": study.sampler},
        "look_ahead": WORKERS,
    }
    with tempfile.TemporaryDirectory() as folder:
        search = toy.plan(**wanted) if study.problem == "toy" else tabled.plan(study.problem, **wanted)
        clock = Clock()
        with Recorder(MemoryJournal(), "control", holder="simulator", clock=clock) as recorder:
            simulator = Simulator(workers=WORKERS, clock=clock)
            if study.problem == "toy":
                simulator.run(search, recorder, toy.ToyDesk(Path(folder)), toy.open_toy)
            else:
                simulator.run(search, recorder, tabled.TableDesk(study.problem, folder), tabled.open_cell)
            history = recorder.history
    compared = arms(history.trials.values(), search.spec)
    assert compared is not None, "a study with too few trials for its share"
    return _found(study, compared, history)


def _found(study: Study, compared: Arms, history: History) -> Found:
    scale = 100 if study.problem == "toy" else 1
    parts = {"first": compared.first} | ({"latest": compared.latest} if compared.latest else {})

    def gain(part: Part) -> float | None:
        if part.number is None or compared.control.number is None:
            return None
        own, other = (history.trials[Key(trial=number)] for number in (part.number, compared.control.number))
        return scale * (truth(study.problem, own) - truth(study.problem, other))

    said = {name: compared.gain(part) for name, part in parts.items()}
    return Found(
        study=study,
        said={name: None if value is None else scale * value for name, value in said.items()},
        true={name: gain(part) for name, part in parts.items()},
    )


def truth(problem: str, trial: Trial) -> float:
    """A trial's accuracy without noise."""
    if problem == "toy":
        speed = 0.35 + 0.1 * float(trial.config["model.width"])  # type: ignore[arg-type]
        return toy.height(trial.config) * (1 - speed**toy.REPORTS)
    return tabled.cells(problem).mean(trial.params)


def summaries(found: Sequence[Found]) -> Iterator[dict[str, Any]]:
    """Of each problem, sampler and share, what the studies came to."""
    for (problem, sampler, share), group in groupby(found, key=lambda one: one.study.row):
        studies = list(group)
        yield {
            "problem": problem,
            "sampler": sampler,
            "share": share,
            "seeds": len(studies),
            **{part: _summary(studies, part) for part in PARTS if part in studies[0].said},
        }


def _summary(studies: Sequence[Found], part: str) -> dict[str, Any]:
    said = [value for one in studies if (value := one.said[part]) is not None]
    return {
        "better": sum(value > 0 for value in said) / len(studies),
        "worse": sum(value < 0 for value in said) / len(studies),
        "compared": len(said),
        "said": _interval(said),
        "true": _interval([value for one in studies if (value := one.true[part]) is not None]),
    }


def _interval(values: Sequence[float]) -> dict[str, Any]:
    known = interval(values)
    return {"mean": known.mean, "low": known.low, "high": known.high, "holds_0": known.low <= 0 <= known.high}


def lines(rows: Sequence[Mapping[str, Any]], trials: int, seeds: int) -> str:
    """For people: a table for each part of the sampler's arm."""
    head = ("problem, sampler, control", "compared", "better", "worse", "by points, as seen", "by points, in truth")
    tables = []
    for part in PARTS:
        cells = [
            (
                f"{row['problem']}, {row['sampler']}, {row['share']:g}",
                str(row[part]["compared"]),
                f"{row[part]['better']:.0%}",
                f"{row[part]['worse']:.0%}",
                _text(row[part]["said"]),
                _text(row[part]["true"]),
            )
            for row in rows
            if part in row
        ]
        title = f"the sampler's {part} trials beside the control arm, {seeds} studies of {trials} trials, equal compute"
        tables.append(f"{title}\n{table(head, cells)}")
    return "\n\n".join(tables)


def _text(known: Mapping[str, Any]) -> str:
    return f"{known['mean']:.3f} [{known['low']:.3f}, {known['high']:.3f}]"


if __name__ == "__main__":
    main()
