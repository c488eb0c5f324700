"""Scaling studies: binds spec, plan, executor, journal and tracker."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from isoflop.bench import Bench
from isoflop.compound.findings import Findings, findings
from isoflop.compound.memory import Memory
from isoflop.compound.report import write_report
from isoflop.config import TEACHER, WEIGHTS
from isoflop.data import PreparedData, open_prepared
from isoflop.errors import Fault, SpecError
from isoflop.home import Home
from isoflop.journal.history import History
from isoflop.named import check_named, named_weights, teachers
from isoflop.outcome import Study, known
from isoflop.planning.scaling.plan import ScalingPlan
from isoflop.pricing import pricing
from isoflop.provenance import code_version
from isoflop.running import drifted, fitted, fresh_id, legal_id, payload, run
from isoflop.spec import Spec
from isoflop.tracking.store import Store

PLAN = "scaling"


def scale(
    spec: Spec,
    *,
    data: str | None = None,
    study: str | None = None,
    allow_drift: bool = False,
    bench: Bench | None = None,
) -> Study:
    """Fit how the families of a spec grow, climb to larger sizes, predict the largest and train them; then report.

    Where `study` names one that stands, it goes on: what was trained is not trained again. Raises what
    `isoflop.study.search` does.
    """
    bench = bench or Bench.here()
    prepared = open_prepared(bench.home.data_set(data or spec.study.data))
    loaded = fitted(spec, prepared)
    plan = scaling_plan(loaded, prepared, bench.home)
    name = legal_id(study) if study else fresh_id(loaded.study.name, bench.journal.studies())
    opening = payload(PLAN, loaded, prepared)
    drifted(name, History.fold(bench.journal.read(name)), opening, allow_drift=allow_drift)  # shapes take a minute
    plan.courses  # noqa: B018 - what cannot be is said before anything is journalled
    report = partial(reported, name, plan, bench)
    run(bench, name, plan, opening, loaded.study, allow_drift=allow_drift, report=report)
    return Study(name, Store(bench.journal, bench.home.path))


def resume(study: str, *, allow_drift: bool = False, bench: Bench | None = None) -> Study:
    """Go on with a scaling study where it stopped. Raises as `scale` does."""
    bench = bench or Bench.here()
    found = known(study, Store(bench.journal, bench.home.path))
    facts = found.store.history(study).study
    return scale(found.spec, data=facts["data"]["path"], study=study, allow_drift=allow_drift, bench=bench)


def plan_of(found: Study, home: Home) -> ScalingPlan:
    """The plan that a scaling study followed. Raises `InputError` for a study of another kind."""
    facts = found.store.history(found.id).study
    if facts["plan"] != PLAN:
        raise SpecError(Fault(f"study {found.id}", f"is no scaling study but {facts['plan']}", "run: isoflop scale"))
    prepared = open_prepared(Path(facts["data"]["path"]))
    return scaling_plan(fitted(found.spec, prepared), prepared, home)


def found_of(study: str, bench: Bench | None = None) -> Findings:
    """What a scaling study has found by now. Raises `UnknownError` for an unknown study, `InputError` for another."""
    bench = bench or Bench.here()
    found = known(study, Store(bench.journal, bench.home.path))
    return findings(study, plan_of(found, bench.home), found.store.history(study))


def scaling_plan(spec: Spec, prepared: PreparedData, home: Home | None = None) -> ScalingPlan:
    """The plan of a spec on prepared data. Raises `SpecError` where it says nothing of scaling.

    What nets were counted as is kept in the state folder, by default the one that the environment names.
    """
    from isoflop.models.extent import counter

    if spec.study.scale is None:
        raise SpecError(Fault("study.scale", "missing", "add the part scale: to the study, or name families instead"))
    if named := [str(name) for name in spec.space.values(WEIGHTS) if name]:
        what = f"{named[0]} fit one shape, and a scaling study trains many"
        raise SpecError(Fault(WEIGHTS, what, f"leave it out; a teacher can be named: {TEACHER}"))
    home = home or Home.find()
    check_named(spec, home, prepared)
    stored = named_weights(spec.space, home)
    count = counter(image=prepared.shape, classes=prepared.outputs)
    return ScalingPlan(
        spec=spec.study,
        space=spec.space,
        digest=prepared.digest,
        images=len(prepared.split("train")[1]),
        side=prepared.shape[-1],
        code=code_version(),
        price=pricing(prepared, stored),
        teachers=teachers(stored),
        count=Memory(count, home.counts, f"{code_version()} {prepared.shape} {prepared.outputs}"),
        floor=0.5 / len(prepared.split("val")[1]),
    )


def reported(study: str, plan: ScalingPlan, bench: Bench, history: History) -> dict[str, Any]:
    """Write what a study found to its reports; what the journal keeps of that."""
    found = findings(study, plan, history)
    files = write_report(found, bench.home.reports(study))
    return {"files": [str(file.relative_to(bench.home.path)) for file in files], "numbers": found.numbers}
