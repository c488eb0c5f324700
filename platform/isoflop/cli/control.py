"""`isoflop stop`, `logs` and `gc`: what is asked of studies that run, and what is swept up behind them."""

from __future__ import annotations

from typing import Annotated

import typer

from isoflop.cli.output import Json, amount, emit, table


def stop(
    what: Annotated[
        str,
        typer.Argument(metavar="STUDY|RUN", help="A study, or one trial as STUDY/NUMBER[.REPLICATE]."),
    ],
    wait: Annotated[str, typer.Option(help="How long to wait for the answer, such as 30s.")] = "30s",
) -> None:
    """Stop a study that runs, as Ctrl-C does where it runs, or end one trial of it for good."""
    from isoflop.control import kill_trial, myself, stop_study
    from isoflop.home import Home
    from isoflop.journal.sqlite import SqliteJournal
    from isoflop.outcome import key_of, known
    from isoflop.study_spec import seconds
    from isoflop.tracking.store import Store

    study, key = key_of(what) if "/" in what else (what, None)
    patience = seconds(wait)
    home = Home.find()
    known(study, Store(SqliteJournal.open_readonly(home.journal), home.path))
    journal = SqliteJournal(home.journal)
    if key is None:
        done = stop_study(journal, study, by=myself(), wait=patience, say=typer.echo)
    else:
        done = kill_trial(journal, study, key, by=myself(), wait=patience, say=typer.echo)
    if not done:
        raise typer.Exit(1)


def logs(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A training, as STUDY/NUMBER or STUDY/NUMBER.REPLICATE.")],
    follow: Annotated[bool, typer.Option("--follow", help="Stay until the trial is over.")] = False,
) -> None:
    """Print what a trial printed, and why it ended as it did."""
    from isoflop.control import find_trial, tail
    from isoflop.home import Home
    from isoflop.journal.history import History
    from isoflop.journal.sqlite import SqliteJournal
    from isoflop.outcome import key_of, known
    from isoflop.tracking.store import Store

    home, (study, key) = Home.find(), key_of(run)
    journal = SqliteJournal.open_readonly(home.journal)
    known(study, Store(journal, home.path))
    history = History.fold(journal.read(study))
    find_trial(history, study, key)
    path = home.logs(study, key)

    def going() -> bool:
        for event in journal.read(study, history.seq):
            history.apply(event)
        return follow and not history.trials[key].state.final and journal.running(study) is not None

    for text in tail(path, going):
        typer.echo(text, nl=False)
    if not path.is_file():
        typer.echo(f"trial {key} of study {study} left no log")
    found = history.trials[key]
    typer.echo(f"trial {key}: {found.state}" + (f", {found.reason.strip()}" if found.reason.strip() else ""))


def gc(
    study: Annotated[str | None, typer.Argument(metavar="STUDY", help="One study; default: all.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; remove nothing.")] = False,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Checkpoints that stay of each open trial; default: all that stand.")
    ] = None,
    json: Json = False,
) -> None:
    """Remove what nobody needs: checkpoints of trials that are over, torn writes, old logs, scratch of dead drivers."""
    from isoflop.cleaning import Cleaning, remove
    from isoflop.home import Home
    from isoflop.journal.sqlite import SqliteJournal
    from isoflop.outcome import known
    from isoflop.tracking.store import Store

    home = Home.find()
    journal = SqliteJournal.open_readonly(home.journal)
    if study is not None and not (home.path / "checkpoints" / study).is_dir():
        known(study, Store(journal, home.path))
    found = Cleaning(home=home, journal=journal, study=study, keep=keep).find()
    rows = [one.to_dict() for one in (found if dry_run else remove(found))]
    if json:
        emit(rows)
        return
    shown = [{**row, "size": amount(row["size"], "B")} for row in rows]
    table(shown, ("what", "study", "size", "why", "path"), empty="nothing to remove")
    if rows:
        total = amount(sum(row["size"] for row in rows), "B")
        typer.echo(f"{'would remove' if dry_run else 'removed'} {len(rows)}, {total}")
