"""Studies of one run, gone on with."""

from __future__ import annotations

from isoflop.bench import Bench
from isoflop.followup.ablation import ablate
from isoflop.followup.folds import cross_validate
from isoflop.outcome import Study, known
from isoflop.running import ABLATION
from isoflop.tracking.store import Store


def resume(study: str, *, allow_drift: bool = False, bench: Bench | None = None) -> Study:
    """Go on with a study of a run where it stopped. Raises as `ablate` and `cross_validate` do."""
    bench = bench or Bench.here()
    found = known(study, Store(bench.journal, bench.home.path))
    facts = found.store.history(study).study
    if facts["plan"] == ABLATION:
        return ablate(facts["run"], seeds=facts["seeds"], allow_drift=allow_drift, bench=bench)
    return cross_validate(facts["run"], folds=facts["folds"], allow_drift=allow_drift, bench=bench)
