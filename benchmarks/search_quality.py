"""How good the configurations are that samplers find: regret after so many evaluations.

    python -m benchmarks.search_quality [--quick] [--json] [--table FILE.json] [--sampler NAME] [--seeds N]
        [--evaluations N] [--look-ahead N] [--problem NAME]

Regret is the best true score minus that of the recommended trial; true is the mean over all repeats of a table, and an
evaluation draws one of them. `default` recommends what `study.recommended` does: of the best eighth by their own
scores the trial that its model expects most of; the peers recommend their best single value. Two columns show the
other way round: what the peers' trials would come to with our recommendation, and our trials with the best single
value. At look-ahead 4 suggestion n sees trials up to n - 4 finished and the last three running.

Peers: Optuna's TPESampler(multivariate=True, group=True), Optuna's NSGAIISampler, regularized evolution as published,
random; all else at its own defaults.

Time: about 5 minutes for the tables with 40 seeds on 2 cores, 10 seconds with --quick.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks.peers import COMPARED, SEARCHERS, ended, modelled
from benchmarks.problems import MIXED, TABLES, Params, Problem, problem
from benchmarks.report import table
from isoflop.errors import InputError
from isoflop.planning.samplers.protocol import Observation
from isoflop.seeds import derive
from isoflop.statistics import interval
from isoflop.study_spec import StudySpec

REPORTS = (25, 50, 100, 200)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One search."""

    problem: str
    sampler: str
    look_ahead: int
    seed: int
    evaluations: int


@dataclass(frozen=True, kw_only=True)
class Found:
    """Regrets by the number of evaluations, for both ways to recommend."""

    task: Task
    modelled: Mapping[int, float]
    single: Mapping[int, float]

    def own(self) -> Mapping[int, float]:
        """As the sampler itself recommends."""
        return self.modelled if self.task.sampler == "default" else self.single


def main() -> None:
    """Measure and print."""
    options = arguments()
    try:
        found = run(tasks(options))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    if options.json:
        shown = tree(found)
        print(json.dumps(shown[options.table] if options.table else shown))
        return
    print("\n\n".join(lines(found)))


def arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 seeds and 50 evaluations of one table")
    parser.add_argument("--json", action="store_true", help="print {sampler: {evaluations: mean regret}}")
    parser.add_argument("--table", help="a JSON file with space, values and direction")
    parser.add_argument("--problem", action="append", choices=[*TABLES, "imagenet", *MIXED, "mixed"])
    parser.add_argument("--sampler", action="append", choices=list(SEARCHERS))
    parser.add_argument("--seeds", type=count)
    parser.add_argument("--evaluations", type=count)
    parser.add_argument("--look-ahead", type=count, action="append", help="1 and 4; with --table 1")
    options = parser.parse_args()
    if options.table and not Path(options.table).exists():
        parser.error(f"{options.table}: no such file")
    return options


def count(text: str) -> int:
    """A whole number above 0."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def tasks(options: argparse.Namespace) -> list[Task]:
    """Every search that is asked for."""
    problems = [options.table] if options.table else options.problem or (TABLES[1:] if options.quick else TABLES)
    problems = [name for chosen in problems for name in (MIXED if chosen == "mixed" else [chosen])]
    looks = options.look_ahead or ([1] if options.table or options.quick else [1, StudySpec(name="x").look_ahead])
    return [
        Task(problem=name, sampler=sampler, look_ahead=look, seed=seed, evaluations=evaluations)
        for name in problems
        for look in looks
        for sampler in options.sampler or COMPARED
        for evaluations in [options.evaluations or (50 if options.quick else 200)]
        for seed in range(options.seeds or (3 if options.quick else 20))
    ]


def run(wanted: Sequence[Task]) -> list[Found]:
    """Search, a process for each core, in the order asked for."""
    for name in {task.problem for task in wanted}:
        problem(name)  # so that what is wrong with a table is said before anything is started
    processes = min(len(os.sched_getaffinity(0)), len(wanted))
    os.environ["OMP_NUM_THREADS"] = "1"  # read by the processes when they start: they are as many as the cores
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return list(watched(pool.imap(search, wanted), len(wanted)))


def watched(found: Iterator[Found], total: int) -> Iterator[Found]:
    """The same, with a bar for a person who waits."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("searches", total=total)
        for one in found:
            yield one
            bar.advance(line)


def search(task: Task) -> Found:
    """One search, and its regrets on the way."""
    given = problem(task.problem)
    searcher = SEARCHERS[task.sampler](given.space, task.seed)
    chance = random.Random(derive(task.seed, "evaluations"))
    params: list[Params] = []
    scores: list[float | None] = []
    reports = sorted({*(n for n in REPORTS if n < task.evaluations), task.evaluations})
    best: dict[int, float] = {}
    expected: dict[int, float] = {}
    for number in range(task.evaluations):
        if number >= task.look_ahead:
            searcher.tell(number - task.look_ahead, scores[number - task.look_ahead])
        params.append(searcher.ask(number))
        scores.append(given.evaluate(params[-1], chance))
        if number + 1 in reports:
            finished = [ended(n, p, s) for n, (p, s) in enumerate(zip(params, scores, strict=True))]
            best[number + 1], expected[number + 1] = regrets(given, finished)
    return Found(task=task, modelled=expected, single=best)


def regrets(given: Problem, finished: Sequence[Observation]) -> tuple[float, float]:
    """Of the best single value, and of what the model expects most of; infinite where nothing could be had."""
    fine = [one for one in finished if one.scores]
    number = modelled(given.space, finished)
    if number is None:
        return float("inf"), float("inf")
    single = max(fine, key=lambda one: one.scores[1][0])
    return given.regret(single.params), given.regret(finished[number].params)


def tree(found: Sequence[Found]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean regrets: {problem: {sampler: {evaluations: regret}}}; the problem's look-ahead beside it where above 1."""
    shown: dict[str, dict[str, dict[str, float]]] = {}
    for (name, look, sampler), group in grouped(found).items():
        title = name if look == 1 else f"{name}, look-ahead {look}"
        means = {str(n): mean(group, Found.own, n) for n in group[0].single}
        shown.setdefault(title, {})[sampler] = means
    return shown


def lines(found: Sequence[Found]) -> Iterator[str]:
    """A table for each problem and look-ahead."""
    groups = grouped(found)
    for name, look in dict.fromkeys((name, look) for name, look, _ in groups):
        here = {sampler: group for (n, k, sampler), group in groups.items() if (n, k) == (name, look)}
        reports = list(next(iter(here.values()))[0].single)
        seeds = len(next(iter(here.values())))
        title = f"{name}, {'one at a time' if look == 1 else f'look-ahead {look}'}: mean regret of {seeds} seeds"
        head = ["sampler", *(f"{n} evaluations" for n in reports), f"by model at {reports[-1]}", "by best value"]
        rows = [
            [
                sampler,
                *(spread(group, Found.own, n) for n in reports),
                f"{mean(group, lambda one: one.modelled, reports[-1]):.3f}",
                f"{mean(group, lambda one: one.single, reports[-1]):.3f}",
            ]
            for sampler, group in here.items()
        ]
        yield f"{title}, 95 % intervals\n{table(head, rows)}"


def grouped(found: Sequence[Found]) -> dict[tuple[str, int, str], list[Found]]:
    """Searches that differ in their seed alone, by problem, look-ahead and sampler."""
    groups: dict[tuple[str, int, str], list[Found]] = {}
    for one in found:
        groups.setdefault((one.task.problem, one.task.look_ahead, one.task.sampler), []).append(one)
    return groups


def mean(group: Sequence[Found], regret: Callable[[Found], Mapping[int, float]], evaluations: int) -> float:
    """The mean over seeds."""
    return interval([regret(one)[evaluations] for one in group]).mean


def spread(group: Sequence[Found], regret: Callable[[Found], Mapping[int, float]], evaluations: int) -> str:
    """The mean with half its interval."""
    known = interval([regret(one)[evaluations] for one in group])
    return f"{known.mean:.3f} ± {known.high - known.mean:.3f}"


if __name__ == "__main__":
    main()
