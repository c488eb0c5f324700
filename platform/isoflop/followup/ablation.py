"""Ablations as studies: what each choice of a run is worth, on fresh seeds and on validation alone."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from isoflop.bench import Bench
from isoflop.effects import Effect, effects
from isoflop.errors import Fault, InputError
from isoflop.followup.earned import Earned, numbers
from isoflop.followup.report import write_report
from isoflop.followup.subject import Subject, subject_of
from isoflop.followup.words import ablation_text
from isoflop.journal.history import History
from isoflop.outcome import Study
from isoflop.planning.ablation import AblationPlan, Row
from isoflop.running import ABLATION, payload, run
from isoflop.searching import search_plan
from isoflop.statistics import Floats
from isoflop.tracking.store import Store


def ablate(name: str, *, seeds: int = 3, allow_drift: bool = False, bench: Bench | None = None) -> Study:
    """Train a run as it is, and once for each of its choices with that choice set back to its default; then report.

    All on the same seeds, which nothing that led to the run was trained with, and judged on validation: the test set
    stays closed. What was trained before is not trained again, also where more seeds are asked for. Raises
    `UnknownError` for an unknown run, `InputError` for one that has nothing to set back, or of a study that is no
    search and no finalists' one, and what a search raises.
    """
    bench = bench or Bench.here()
    subject = subject_of(name, bench)
    plan = ablation_plan(subject, seeds, bench)
    if len(plan.rows) == 1:
        why = "; ".join(f"{one.key} {one.why}" for one in plan.untouched) or "its search varied nothing"
        raise InputError(Fault("run", f"{subject.run} has no choice that can be set back: {why}", "name another run"))
    opening = payload(ABLATION, subject.spec, subject.prepared) | subject.facts | {"seeds": seeds}
    study = subject.named(ABLATION)
    report = partial(reported, study, subject, plan, bench)
    run(bench, study, plan, opening, subject.unlimited, allow_drift=allow_drift, report=report)
    return Study(study, Store(bench.journal, bench.home.path))


def ablation_plan(subject: Subject, seeds: int, bench: Bench) -> AblationPlan:
    """The plan of a run's ablation on so many seeds."""
    search = search_plan(subject.spec, subject.prepared, bench.home)
    return AblationPlan(trial=subject.trial, search=search, seeds=seeds, seen=subject.seen)


def reported(study: str, subject: Subject, plan: AblationPlan, bench: Bench, history: History) -> dict[str, Any]:
    """Write what a study found to its report; what the journal keeps of that."""
    tree = found(subject, plan, history, bench)
    files = write_report(ABLATION, tree, ablation_text(tree), bench.home.reports(study))
    said = {f"gain.{one['key']}": one["gain"] | {"p": one["p"]} for one in tree["choices"] if one["gain"] is not None}
    flat = {f"{name}.{part}": value for name, parts in said.items() for part, value in parts.items()}
    return {
        "files": [str(file.relative_to(bench.home.path)) for file in files],
        "numbers": {name: value for name, value in flat.items() if value is not None},
    }


def found(subject: Subject, plan: AblationPlan, history: History, bench: Bench) -> dict[str, Any]:
    """What an ablation has found by now, as JSON values: choices by size of their gain, the largest first.

    A gain is by how much the run as it is is better than with the choice set back, in the metric's own units; `p` is
    corrected for all choices.
    """
    earned = Earned(history=history, home=bench.home.path, metric=subject.metric, task=subject.prepared.task)
    _, *changed = plan.rows
    differences = {row.number: _differences(earned, row.number, plan.seeds) for row in changed}
    paired = {number: one for number, one in differences.items() if len(one)}
    gains = dict(zip(paired, effects(list(paired.values())), strict=True))
    rows = [_row(earned, row, plan.seeds, gains.get(row.number)) for row in changed]
    return {
        "run": subject.run,
        "metric": earned.metric,
        "data": {"name": subject.prepared.name, "digest": subject.prepared.digest},
        "images": len(subject.prepared.split("val")[1]) if earned.by_image else None,
        "seeds": list(plan.fresh),
        "parameters": subject.trial.parameters,
        "flops": subject.trial.flops,
        "as_is": _earned(earned, 0, plan.seeds),
        "choices": sorted(rows, key=lambda row: -abs(row["gain"]["mean"]) if row["gain"] else math.inf),
        "untouched": [{"key": one.key, "value": one.value, "why": one.why} for one in plan.untouched],
    }


def _differences(earned: Earned, number: int, seeds: int) -> Floats:
    """By how much the run as it is is better on each seed and image; no row for a seed that one of both lost."""
    both = sorted(set(earned.done(0, seeds)) & set(earned.done(number, seeds)))
    return earned.sign * (earned.scores(0, both) - earned.scores(number, both))


def _row(earned: Earned, row: Row, seeds: int, gain: Effect | None) -> dict[str, Any]:
    choice = row.choice
    assert choice is not None, "the run as it is has a row of its own"
    return {
        "key": choice.key,
        "value": choice.value,
        "default": choice.default,
        "trial": row.number,
        "parameters": row.proposal.parameters,
        "flops": row.proposal.flops,
        "earned": _earned(earned, row.number, seeds),
        "gain": numbers(gain.interval) if gain else None,
        "p": gain.p if gain and math.isfinite(gain.p) else None,
        "told": gain is not None and gain.told,
        "seeds": gain.interval.n if gain else 0,
        "lost": row.proposal.reason or earned.lost(row.number, seeds),
    }


def _earned(earned: Earned, number: int, seeds: int) -> dict[str, Any] | None:
    """What a configuration came to over its seeds, none where it came to nothing."""
    done = earned.done(number, seeds)
    return numbers(earned.interval(number, done)) if done else None
