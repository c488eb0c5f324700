"""Stage `search`: run a spec on the prepared data."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from isoflop.cli.progress import watching
from isoflop.data import open_prepared
from isoflop.provenance import code_version
from isoflop.spec import Spec, load_spec
from isoflop.study import fitted, hidden, override, search
from pipelines.stage import bench, data_folder, keep, main, params


def run() -> None:
    """Search, or go on with a search of the same spec, data and code that was cut off."""
    values, folder = params()["search"], data_folder()
    spec = override(
        load_spec(Path(values["spec"])), data=str(folder), trials=None, time=None, workers=None, seed=values["seed"]
    )
    spec = fitted(spec, open_prepared(folder))
    for line in hidden(spec.study, open_prepared(folder)):
        print(f"notice: {line}", file=sys.stderr)
    name = study_id(spec, folder)
    with watching(spec.study, spec.study.budget.trials, bench().journal.read(name)) as listen:
        study = search(spec, data=str(folder), study=name, bench=bench(values["executor"], listen))
    keep("search", study)


def study_id(spec: Spec, folder: Path) -> str:
    """The spec's name, and a hash of what decides the study's numbers."""
    about = json.dumps([spec.tree(), open_prepared(folder).digest, code_version()], sort_keys=True)
    return f"{spec.study.name}-{hashlib.sha256(about.encode()).hexdigest()[:8]}"


if __name__ == "__main__":
    main(run)
