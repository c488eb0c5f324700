"""Stage `scale`: fit how families grow, climb, predict and check; scaling.json, tables and plots."""

from __future__ import annotations

import shutil
from pathlib import Path

from isoflop import compound
from isoflop.cli.progress import watching
from isoflop.data import open_prepared
from isoflop.spec import load_spec
from isoflop.study import fitted, override
from pipelines.search import study_id
from pipelines.stage import RESULTS, bench, data_folder, keep, main, params


def run() -> None:
    """Scale, or go on with a study of the same spec, data and code that was cut off."""
    values, folder = params()["scale"], data_folder()
    spec = override(
        load_spec(Path(values["spec"])), data=str(folder), trials=None, time=None, workers=None, seed=values["seed"]
    )
    prepared = open_prepared(folder)
    spec = fitted(spec, prepared)
    name = study_id(spec, folder)
    plan = compound.scaling_plan(spec, prepared, bench().home)
    with watching(spec.study, plan.trainings, bench().journal.read(name)) as listen:
        study = compound.scale(spec, data=str(folder), study=name, bench=bench(values["executor"], listen))
    keep("scale", study)
    for file in bench().home.reports(name).iterdir():
        shutil.copy2(file, RESULTS / "scale" / file.name)


if __name__ == "__main__":
    main(run)
