"""Stage `report`: the leaderboard as Markdown, what the sampler earned, and the points of the plots."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from isoflop.analysis.anytime import Point, anytime
from isoflop.analysis.arms import arms
from isoflop.outcome import Study, load_study
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
    write(RESULTS / "leaderboard.md", "\n\n".join([*tables, *earned(searched)]) + "\n")
    (pick,) = {row["pick"] for rows in boards(final.store.results(final.id)).values() for row in rows}
    # The column is what dvc.yaml plots: with another task or objective it has another name.
    write(RESULTS / "plots" / "trials.csv", lines(("family", "log10_flops", pick), points(searched.trials, pick)))
    write(RESULTS / "plots" / "curves.csv", lines(("run", "epoch", pick), curves(final.trials, pick)))
    head = ("arm", "log10_flops", searched.spec.study.objectives[0].metric)
    write(RESULTS / "plots" / "anytime.csv", lines(head, progress(searched)))


def earned(study: Study) -> Iterable[str]:
    """What the sampler earned beside the control arm, where the search has one."""
    compared = arms(study.trials, study.spec.study)
    if compared is not None:
        yield "\n".join(["## What the sampler earned", "", *(f"- {line}" for line in compared.lines())])


def progress(study: Study) -> Iterable[Sequence[object]]:
    """The best so far over the log of all training FLOPs so far, of the whole search and of each arm."""
    spec = study.spec.study
    compared = arms(study.trials, spec)
    curves: dict[str, Sequence[Point]] = {"search": anytime(study.trials, spec.objectives[0], spec.constraints)}
    if compared is not None:
        curves["control"], curves[compared.sampler] = compared.curves
    for name, curve in curves.items():
        for point in curve:
            if point.best is not None:
                yield name, math.log10(point.flops), point.best


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
