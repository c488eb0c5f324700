"""`isoflop show --follow`: a study that runs elsewhere, as it goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from isoflop.cli.opened import columns, open_rows, shown
from isoflop.cli.progress import Watch
from isoflop.control import news
from isoflop.journal.event import Event
from isoflop.journal.history import History
from isoflop.journal.protocol import Journal
from isoflop.study_spec import StudySpec

if TYPE_CHECKING:
    from rich.table import Table

ROWS = 20


def follow(journal: Journal, study: str, spec: StudySpec) -> None:
    """Show what happens until the study is closed, nobody runs it any more, or Ctrl-C.

    On a terminal a table of the trials that are open, elsewhere a line for each trial that ends, on the error stream,
    since the standard one has the study's summary. The journal is read, never locked.
    """
    watch = Watch(spec.objectives, spec.budget.trials, History.fold(journal.read(study)))
    batches = news(journal, study, watch.history.seq)
    with suppress(KeyboardInterrupt):  # leaving is no mistake
        (_table if sys.stdout.isatty() else _lines)(watch, batches)
    if watch.history.closed is None and journal.running(study) is None:
        typer.echo(f"nobody runs study {study}; go on: isoflop resume {study}", err=True)


def _lines(watch: Watch, batches: Iterable[Sequence[Event]]) -> None:
    def say(line: str) -> None:
        typer.echo(line, err=True)

    if watch.history.closed is None:
        say(f"{watch.done}/{watch.total or '?'} trials, {watch.status()}")
    for events in batches:
        for event in events:
            watch.tell(event, say)


def _table(watch: Watch, batches: Iterable[Sequence[Event]]) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        for events in batches:
            for event in events:
                watch.tell(event, console.print)
            live.update(open_trials(watch), refresh=True)


def open_trials(watch: Watch) -> Table:
    """The open trials as a table, the study's progress below."""
    from rich.table import Table

    metric = watch.objectives[0].metric
    rows = [*open_rows(watch.history, metric)]
    drawn = Table(box=None, pad_edge=False, header_style="bold", caption_justify="left")
    drawn.caption = f"{watch.done}/{watch.total or '?'} trials, {watch.status()}"
    names = columns(metric)
    for name in names:
        drawn.add_column(name)
    for row in rows[:ROWS]:
        said = shown(row, metric)
        drawn.add_row(*(said[name] for name in names))
    if len(rows) > ROWS:
        drawn.add_row("...", f"{len(rows) - ROWS} more")
    return drawn
