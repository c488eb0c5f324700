"""Cross-validations as studies: what a run comes to on every fold of its data."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from isoflop.bench import Bench
from isoflop.config import STORED
from isoflop.data.portion import POOL, portion
from isoflop.errors import Fault, InputError
from isoflop.followup.earned import Earned, numbers
from isoflop.followup.report import write_report
from isoflop.followup.subject import Subject, subject_of
from isoflop.followup.words import folds_text
from isoflop.home import Home
from isoflop.journal.history import History
from isoflop.outcome import Study
from isoflop.planning.folding import FoldsPlan
from isoflop.provenance import code_version
from isoflop.ranking import clipped
from isoflop.records import Key, Trial
from isoflop.running import CROSS_VALIDATION, payload, run
from isoflop.statistics import interval
from isoflop.tracking.store import Store
from isoflop.weights import About, leak


def cross_validate(name: str, *, folds: int = 5, allow_drift: bool = False, bench: Bench | None = None) -> Study:
    """Train a run on every fold of the training and validation images, each on a fresh seed; then report.

    The test set stays closed. Folds are stratified, keep groups together, and are the same for every run on the same
    prepared data. What was trained before is not trained again. Raises `UnknownError` for an unknown run, `InputError`
    for one that is a fold itself or of a study that is no search and no finalists' one, `DataError` where the images
    cannot be cut so, and what a search raises.
    """
    bench = bench or Bench.here()
    subject = subject_of(name, bench)
    plan = folds_plan(subject, folds)
    _check(plan, subject, bench.home)
    opening = payload(CROSS_VALIDATION, subject.spec, subject.prepared) | subject.facts | {"folds": folds}
    study = named(subject, folds)
    report = partial(reported, study, subject, plan, bench)
    run(bench, study, plan, opening, subject.unlimited, allow_drift=allow_drift, report=report)
    return Study(study, Store(bench.journal, bench.home.path))


def named(subject: Subject, folds: int) -> str:
    """The id of the study that cross-validates a run on so many folds."""
    return subject.named(f"{folds}-fold")


def folds_plan(subject: Subject, folds: int) -> FoldsPlan:
    """The plan of a run's cross-validation."""
    return FoldsPlan(
        run=subject.run,
        trial=subject.trial,
        folds=folds,
        seed=subject.spec.study.seed,
        seen=subject.seen,
        code=code_version(),
    )


def _check(plan: FoldsPlan, subject: Subject, home: Home) -> None:
    """Say before anything is journalled what cannot be."""
    if subject.trial.config.get("data.folds"):
        what = f"{subject.run} is one fold of {subject.trial.config['data.folds']} already"
        raise InputError(Fault("run", what, "name a run that was trained on all training images"))
    portion(subject.prepared, "train", plan.config(0).data)
    request = subject.prepared.manifest.origin()["request"]
    for key in STORED:
        if name := str(subject.trial.config.get(key, "")):
            about = About.read(home.weights_file(name))
            if fault := leak(about, name, key, digest=subject.prepared.digest, request=request, folded=True):
                raise InputError(fault)


def reported(study: str, subject: Subject, plan: FoldsPlan, bench: Bench, history: History) -> dict[str, Any]:
    """Write what a study found to its report; what the journal keeps of that."""
    tree = found(subject, plan, history, bench)
    files = write_report(CROSS_VALIDATION, tree, folds_text(tree), bench.home.reports(study))
    means = {f"folds.{part}": value for part, value in tree["mean"].items() if value is not None}
    return {"files": [str(file.relative_to(bench.home.path)) for file in files], "numbers": means}


def found(subject: Subject, plan: FoldsPlan, history: History, bench: Bench) -> dict[str, Any]:
    """What a cross-validation has found by now, as JSON values.

    The mean over folds has Student's t-interval with the correction of Nadeau & Bengio (2003, Machine Learning 52) for
    what folds share, see `isoflop.cross_validation`. Each fold having a seed of its own, it covers seeds too.
    """
    earned = Earned(history=history, home=bench.home.path, metric=subject.metric, task=subject.prepared.task)
    keys = [Key(trial=0, replicate=fold) for fold in range(plan.folds)]
    values = [value for key in keys if math.isfinite(value := earned.value(key))]
    overlap = 1 / (plan.folds - 1)
    return {
        "run": subject.run,
        "metric": earned.metric,
        "data": {"name": subject.prepared.name, "digest": subject.prepared.digest},
        "folds": plan.folds,
        "images": sum(subject.prepared.manifest.sizes[split] for split in POOL),
        "mean": numbers(clipped(interval(values, overlap=overlap), earned.metric)),
        "wider": math.sqrt(1 + len(values) * overlap),
        "values": values,
        "rows": [_row(subject, plan, fold, history.trials.get(key), earned) for fold, key in enumerate(keys)],
    }


def _row(subject: Subject, plan: FoldsPlan, fold: int, trial: Trial | None, earned: Earned) -> dict[str, Any]:
    value = earned.value(Key(trial=0, replicate=fold))
    return {
        "fold": fold,
        "images": len(portion(subject.prepared, "val", plan.config(fold).data)),
        "value": value if math.isfinite(value) else None,
        "seed": plan.fresh[fold],
        "state": str(trial.state) if trial is not None else "",
    }
