"""`isoflop studies`, `show`, `trials`, `leaderboard`, `export`, `metrics` and `predict`: look at what came out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from isoflop.cli.output import Json, amount, emit, table
from isoflop.cli.studies import StudyId

if TYPE_CHECKING:
    from isoflop.tracking.reads import Reads
    from isoflop.tracking.store import Store

FROM = "ISOFLOP_FROM"
"""The variable that says what --from says: an address may hold a password, and arguments are seen by all."""
From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="URI", envvar=FROM, help="Read an MLflow: sqlite:///FILE, postgresql://... or http://..."
    ),
]

SOLVED = "solved "
"""What stands before the key of a column that was solved, not sampled."""


def studies(source: From = None, json: Json = False) -> None:
    """List the studies of the state folder, or of an MLflow."""
    rows = open_reads(source).studies()
    if json:
        emit(rows)
        return
    shown = [{**row, "counts": _counts(row["counts"])} for row in rows]
    columns = ("id", "plan", "state", "trials", "best", "data", "counts")
    table(shown, columns, empty="no studies yet: run isoflop search search_spaces/smoke.yaml")


def show(
    study: StudyId,
    follow: Annotated[bool, typer.Option("--follow", help="Stay until the study is closed; Ctrl-C leaves it.")] = False,
    json: Json = False,
) -> None:
    """Show one study: state, counts, best trial, and what open ones are expected to come to, with 95 % bands."""
    from isoflop.cli.opened import columns, open_rows, shown
    from isoflop.outcome import known

    store = open_store()
    found = known(study, store)
    if follow:
        from isoflop.cli.follow import follow as look_on

        look_on(store.journal, study, found.spec.study)
    row = next(row for row in store.studies() if row["id"] == study)
    luck = store.luck(study) if row["plan"] == "search" else None  # elsewhere nothing was picked among many
    metric = found.spec.study.objectives[0].metric
    row |= {"luck": luck.to_dict() if luck else None, "open": [*open_rows(store.history(study), metric)]}
    if json:
        emit(row)
        return
    for key, value in row.items():
        if key not in {"luck", "open"}:
            typer.echo(f"{key:<10} {_counts(value) if isinstance(value, Mapping) else value}")
    if luck:
        from isoflop.cli.lucky import told

        typer.echo(f"{'luck':<10} {told(luck)}")
    if row["open"]:
        table([shown(one, metric) for one in row["open"]], columns(metric), empty="")


def trials(study: StudyId, source: From = None, json: Json = False) -> None:
    """List a study's trials with their states, parameters and values."""
    rows = open_reads(source).trials(study)
    if json:
        emit(rows)
        return
    shown = [{**_flat(row), "reports": len(row["records"]), "flops": amount(row["flops"])} for row in rows]
    varied = sorted({key for row in rows for key in row["params"]})
    solved = sorted({f"{SOLVED}{key}" for row in rows for key in row["solved"]})
    off = ["off"] if solved else []
    columns = ("number", "state", *rows[0]["values"], "reports", "parameters", "flops", *off) if rows else ()
    table(shown, (*columns, *solved, *varied), empty="no trials yet")


def leaderboard(
    study: Annotated[str | None, typer.Argument(metavar="STUDY", help="One finalists study; default: all.")] = None,
    source: From = None,
    json: Json = False,
) -> None:
    """Rank finalists: mean and 95 % interval over seeds and images; validation picks, the test set tells."""
    reads = open_reads(source)
    if json:
        from isoflop.ranking import boards

        emit([row for rows in boards(reads.results(study)).values() for row in rows])
    else:
        print_board(reads, study, ledger_of=None if source else open_store())


def export(
    places: Annotated[list[str], typer.Argument(metavar="[STUDY] FILE", help="FILE ends in .csv or .parquet.")],
    every: Annotated[bool, typer.Option("--all", help="Every study, instead of one.")] = False,
    source: From = None,
) -> None:
    """Write trials to a table in a file: a row each, with its parameters and what it came to."""
    from isoflop.errors import Fault, InputError
    from isoflop.tracking.export import table_of, write

    if len(places) != (1 if every else 2):
        raise InputError(Fault("export", "one file is needed, and one study or --all", "isoflop export STUDY FILE.csv"))
    reads, target = open_reads(source), Path(places[-1])
    rows = list(table_of(reads, [row["id"] for row in reads.studies()] if every else places[:1]))
    write(rows, target)
    typer.echo(f"{target}: {len(rows)} rows")


def metrics(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A training, as STUDY/NUMBER or STUDY/NUMBER.REPLICATE.")],
    split: Annotated[Literal["val", "test"], typer.Option(help="The split; finalists have both.")] = "val",
    classes: Annotated[int, typer.Option(min=1, help="Classes to show, the worst first.")] = 20,
    json: Json = False,
) -> None:
    """Show a training class by class: precision, recall, F1, and which classes are taken for each other."""
    from isoflop.cli.metrics import head, tail, worst

    report = open_store().report(run, split)
    if json:
        emit(report)
        return
    for line in head(report):
        typer.echo(line)
    rows = worst(report, classes)
    table(rows, tuple(rows[0]), empty="")
    for line in tail(report, classes):
        typer.echo(line)


def predict(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A row of the leaderboard, as STUDY/NUMBER.")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    top: Annotated[int, typer.Option(min=1, help="Classes to show for each image.")] = 3,
    json: Json = False,
) -> None:
    """Classify images with a finalist."""
    from isoflop.prediction import load_model

    rows = load_model(run).predict_files(images, top=top)
    if json:
        emit(rows)
        return
    for row in rows:
        found = ", ".join(f"{guess['class']} {guess['probability']:.1%}" for guess in row["classes"])
        typer.echo(f"{row['image']}: {found}")


def print_board(reads: Reads, study: str | None = None, *, ledger_of: Store | None) -> None:
    """Print the leaderboard, one table for each data set's digest; how often each was opened, where a ledger is."""
    from isoflop.ledger import counts, ledger
    from isoflop.ranking import boards, columns

    found = boards(reads.results(study))
    if not found:
        typer.echo("no finalists yet: run isoflop finalists STUDY")
    for digest, rows in found.items():
        shown = [columns(row) for row in rows]
        table(shown, tuple(shown[0]), empty="", title=f"leaderboard on data {digest}")
        for searched in sorted({row["source"].rsplit("/", 1)[0] for row in rows}):
            typer.echo(f"search {searched}: {_counts(reads.counts(searched))}")
        picked = next(row for row in rows if row["picked"])
        typer.echo(f"validation picks {picked['run']}; the test set was opened for finalists alone")
        for line in counts(ledger(ledger_of, digest)) if ledger_of else ():
            typer.echo(f"{line}; see: isoflop ledger")


def open_reads(source: str | None) -> Reads:
    """The reads of the state folder that the environment names, or of an MLflow; what is left out of it is said."""
    from isoflop.home import Home
    from isoflop.tracking.cache.opening import open_reads as opened
    from isoflop.tracking.cache.served import Served

    reads = opened(Home.find(), source)
    for line in reads.notices() if isinstance(reads, Served) else ():
        typer.echo(line, err=True)
    return reads


def open_store() -> Store:
    """The reads of the state folder that the environment names."""
    from isoflop.home import Home
    from isoflop.journal.sqlite import SqliteJournal
    from isoflop.tracking.store import Store

    home = Home.find()
    return Store(SqliteJournal.open_readonly(home.journal), home.path)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in counts.items()) or "-"


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    solved = {f"{SOLVED}{key}": value for key, value in row["solved"].items()}
    off = None if row["residual"] is None else f"{row['residual']:+.1%}"
    return {**row, **row["values"], **row["params"], **solved, "off": off}
