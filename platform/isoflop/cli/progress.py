"""Progress bars: on a terminal a bar, elsewhere a line for each trial that ends."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from isoflop.cli.output import amount
from isoflop.journal.event import Event, Kind
from isoflop.journal.history import History
from isoflop.records import COSTS, Key, State, Trial
from isoflop.study_spec import Objective, StudySpec


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar over a known number of items, shown on a terminal alone: call it with how many are done and of how many."""
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def watching(spec: StudySpec, total: int | None, before: Sequence[Event] = ()) -> Iterator[Callable[[Event], None]]:
    """Show a study as it runs: how many trials are done, the best so far, and each trial as it ends.

    `before` is what happened to it in earlier runs.
    """
    watch = Watch(spec.objectives, total, History.fold(before))
    if not sys.stderr.isatty():
        yield lambda event: watch.tell(event, lambda line: print(line, file=sys.stderr, flush=True))
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True, highlight=False)) as bar:
        task = bar.add_task("starting", total=total)

        def listen(event: Event) -> None:
            watch.tell(event, bar.console.print)
            bar.update(task, completed=watch.done, total=watch.total, description=watch.status())

        yield listen


def _silent(done: int, total: int) -> None:
    """Nobody looks."""
    del done, total


class Watch:
    """What a person wants to know of a running study."""

    def __init__(self, objectives: Sequence[Objective], total: int | None, history: History) -> None:
        self.objectives, self.total, self.history = objectives, total, history
        self.done = 0
        """Trials that are final and took from the budget."""
        self._best: dict[str, float] = {}
        for trial in history.trials.values():
            if trial.state.final:
                self._count(trial)

    def tell(self, event: Event, say: Callable[[str], None]) -> None:
        """Take in an event; say a line where a trial ended."""
        self.history.apply(event)
        if event.kind is Kind.END:
            trial = self.history.trials[Key(trial=event.trial, replicate=event.replicate)]
            self._count(trial)
            say(self.line(trial))

    def line(self, trial: Trial) -> str:
        """A trial that ended, in a line."""
        family = trial.params.get("model.family") or trial.config.get("model.family", "")
        head = f"[{self.done}/{self.total or '?'}] trial {trial.key}: {trial.state:<10} {family}"
        if trial.last is not None:
            values: dict[str, float] = {one.metric: trial.value(one.metric) for one in self.objectives}
            head += f", {figures(values)} after {trial.last.epoch:.3g} epochs"
        return head if trial.state in {State.COMPLETE, State.PRUNED} else f"{head}, {_first_line(trial.reason)}"

    def status(self) -> str:
        """What is open, and the best so far in each objective."""
        return f"{len(self.history.unfinished)} open" + (f", best {figures(self._best)}" if self._best else "")

    def _count(self, trial: Trial) -> None:
        self.done += not trial.free
        if trial.state is not State.COMPLETE:
            return
        for objective in self.objectives:
            values = (self._best.get(objective.metric, math.nan), trial.value(objective.metric))
            known = [value for value in values if not math.isnan(value)]
            if known:
                self._best[objective.metric] = objective.sign * max(objective.sign * value for value in known)


def figures(values: Mapping[str, float]) -> str:
    """Metrics and costs by name: val_accuracy 0.9815, flops 1.23 M."""
    return ", ".join(f"{name} {amount(x) if name in COSTS else format(x, '.4f')}" for name, x in values.items())


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
