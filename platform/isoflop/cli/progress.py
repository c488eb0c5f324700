"""Progress bars: on a terminal a bar, elsewhere a line for each trial that ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from isoflop.journal.event import Event, Kind
from isoflop.journal.history import History
from isoflop.records import Key, State, Trial
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
    watch = Watch(spec.objectives[0], total, History.fold(before))
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

    def __init__(self, objective: Objective, total: int | None, history: History) -> None:
        self.objective, self.total, self.history = objective, total, history

    @property
    def done(self) -> int:
        """Trials that are final and took from the budget."""
        return sum(t.state.final and not t.state.free for t in self.history.trials.values())

    def tell(self, event: Event, say: Callable[[str], None]) -> None:
        """Take in an event; say a line where a trial ended."""
        self.history.apply(event)
        if event.kind is Kind.END:
            say(self.line(self.history.trials[Key(trial=event.trial, replicate=event.replicate)]))

    def line(self, trial: Trial) -> str:
        """A trial that ended, in a line."""
        family = trial.params.get("model.family") or trial.config.get("model.family", "")
        head = f"[{self.done}/{self.total or '?'}] trial {trial.key}: {trial.state:<10} {family}"
        if trial.last is not None:
            value = trial.value(self.objective.metric)
            head += f", {self.objective.metric} {value:.4f} after {trial.last.epoch:.3g} epochs"
        return head if trial.state in {State.COMPLETE, State.PRUNED} else f"{head}, {_first_line(trial.reason)}"

    def status(self) -> str:
        """What runs, and the best so far."""
        values = [t.value(self.objective.metric) for t in self.history.trials.values() if t.state is State.COMPLETE]
        best = max(values, key=lambda v: self.objective.sign * v, default=None)
        running = sum(not t.state.final for t in self.history.trials.values())
        return f"{running} open" + (f", best {self.objective.metric} {best:.4f}" if best is not None else "")


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
