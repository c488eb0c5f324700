"""Stage `report`: the leaderboard as Markdown, and the points of its plots."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from isoflop.outcome import load_study
from isoflop.ranking import boards, columns
from isoflop.records import State, Trial
from isoflop.table import markdown
from pipelines.stage import RESULTS, main, study_of, write


def run() -> None:
    """Write what people look at."""
    searched, final = load_study(study_of("search")), load_study(study_of("finalists"))
    tables = [
        f"# Leaderboard\n\nData {digest}, search `{searched.id}`.\n\n{markdown([columns(row) for row in rows])}"
        for digest, rows in boards(final.store.results(final.id)).items()
    ]
    write(RESULTS / "leaderboard.md", "\n\n".join(tables) + "\n")
    (pick,) = {row["pick"] for rows in boards(final.store.results(final.id)).values() for row in rows}
    # The column is what dvc.yaml plots: with another task or objective it has another name.
    write(RESULTS / "plots" / "trials.csv", lines(("family", "log10_flops", pick), points(searched.trials, pick)))
    write(RESULTS / "plots" / "curves.csv", lines(("run", "epoch", pick), curves(final.trials, pick)))


def points(trials: Iterable[Trial], metric: str) -> Iterable[Sequence[object]]:
    """Family, log FLOPs and metric of every COMPLETE trial."""
    for trial in trials:
        if trial.state is State.COMPLETE:
            yield trial.config["model.family"], math.log10(trial.flops), trial.value(metric)


def curves(trials: Iterable[Trial], metric: str) -> Iterable[Sequence[object]]:
    """A metric over epochs, one line a replicate."""
    for trial in trials:
        for record in trial.records:
            yield f"{trial.config['model.family']} {trial.key}", record.epoch, record.metrics[metric]


def lines(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    main(run)
