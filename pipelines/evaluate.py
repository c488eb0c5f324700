"""Stage `evaluate`: open the test set for the finalists, once, and write metrics.json."""

from __future__ import annotations

import shutil
from typing import Any

from isoflop.ranking import boards
from isoflop.study import evaluate
from isoflop.tasks import TEST, VAL
from isoflop.tracking.store import Store
from pipelines.stage import RESULTS, bench, main, study_of, write_json

FACTS = ("family", "shape", "parameters", "flops")


def run() -> None:
    """Evaluate; stored predictions are kept beside the metrics."""
    name = study_of("finalists")
    study = evaluate(name, bench=bench())
    write_json(RESULTS / "metrics.json", metrics(study.store, name))
    for folder in sorted((bench().home.path / "artifacts" / name).iterdir()):
        for file in folder.glob("*_predictions.npz"):
            (RESULTS / "predictions" / folder.name).mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, RESULTS / "predictions" / folder.name / file.name)


def metrics(store: Store, name: str) -> dict[str, Any]:
    """What a rerun must give again, byte for byte: nothing that was measured in time."""
    ((digest, rows),) = boards(store.results(name)).items()
    parent = rows[0]["source"].rsplit("/", 1)[0]
    picked = next(row for row in rows if row["picked"])
    names = (picked["pick"], TEST + picked["pick"].removeprefix(VAL))
    return {
        "data_digest": digest,
        "search": store.counts(parent),
        "picked": {name: picked[name] for name in FACTS} | {name: picked["metrics"][name] for name in names},
        "finalists": {
            str(place): {name: row["metrics"][name]["mean"] for name in names} for place, row in enumerate(rows)
        },
    }


if __name__ == "__main__":
    main(run)
