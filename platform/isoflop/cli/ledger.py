"""`isoflop ledger`: every opening of a test set."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from isoflop.cli.output import Json, emit, table
from isoflop.cli.results import open_store

COLUMNS = ("opened", "run", "version", "seed", "data", "digest", "why", "read")


def ledger(
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="A data set's name, or the first digits of a digest.")
    ] = None,
    json: Json = False,
) -> None:
    """List every opening of a test set: when, for which training, for which version of its study, and why.

    Validation picks. The test set is opened by isoflop finalists alone, once for each version of a study, and every
    opening stands here for good: the more recipes have seen a test set, the less the best number on it means.
    """
    from isoflop.ledger import counts
    from isoflop.ledger import ledger as read

    found = read(open_store(), data)
    if json:
        emit([entry.to_dict() for entry in found])
        return
    rows = [entry.to_dict() | {"opened": _when(entry.time)} for entry in found]
    shown = [row | {"seed": str(row["seed"]), "why": _why(row["why"], again=row["again"])} for row in rows]
    table(shown, COLUMNS, empty="no test set was opened yet: validation picks, then isoflop finalists STUDY")
    for line in counts(found):
        typer.echo(str(line))


def _when(time: float) -> str:
    return datetime.fromtimestamp(time).astimezone().strftime("%Y-%m-%d %H:%M")


def _why(why: str, *, again: bool) -> str:
    return f"again: {why}" if again else why
