"""Stage `finalists`: the best of the search, trained again in full on fresh seeds."""

from __future__ import annotations

from isoflop.cli.progress import watching
from isoflop.outcome import load_study
from isoflop.study import finalists, finalists_of
from pipelines.stage import bench, keep, main, params, study_of


def run() -> None:
    """Retrain; the test set stays closed."""
    values, searched = params()["finalists"], study_of("search")
    spec, before = load_study(searched).spec.study, bench().journal.read(finalists_of(searched))
    with watching(spec, values["top"] * values["seeds"], before) as listen:
        study = finalists(
            searched,
            top=values["top"],
            seeds=values["seeds"],
            open_test=False,
            bench=bench(values["executor"], listen),
        )
    keep("finalists", study)


if __name__ == "__main__":
    main(run)
