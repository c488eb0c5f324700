"""`isoflop ablate` and `cross-validate`: what the choices of a run are worth, and what it comes to on every fold."""

from __future__ import annotations

import json as text
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from isoflop.cli.output import Json, amount, table
from isoflop.cli.studies import Drift, Executor, told

if TYPE_CHECKING:
    from isoflop.outcome import Study
    from isoflop.planning.ablation import AblationPlan

Run = Annotated[
    str, typer.Argument(metavar="RUN", help="A finalist, or a COMPLETE trial of a search, as STUDY/NUMBER.")
]


def ablate(
    run: Run,
    seeds: Annotated[int, typer.Option(min=1, help="Fresh seeds for each; more later go on with fewer.")] = 3,
    executor: Executor = "ray",
    allow_drift: Drift = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained; train nothing.")] = False,
    json: Json = False,
) -> None:
    """Set each choice of a run back to its default, train all on the same fresh seeds, and say what each is worth.

    Judged on validation; the test set stays closed.
    """
    from isoflop import followup
    from isoflop.cli.progress import watching
    from isoflop.followup.ablation import ablation_plan
    from isoflop.followup.subject import subject_of
    from isoflop.running import ABLATION
    from isoflop.study import Bench

    bench = Bench.here(executor=executor)
    subject = subject_of(run, bench)
    plan = ablation_plan(subject, seeds, bench)
    if dry_run:
        _outlook(plan)
        return
    before = bench.journal.read(subject.named(ABLATION))
    with watching(subject.spec.study, plan.trainings, before) as listen:
        done = followup.ablate(run, seeds=seeds, allow_drift=allow_drift, bench=replace(bench, listeners=(listen,)))
    _say(done, json=json)


def cross_validate(
    run: Run,
    folds: Annotated[int, typer.Option(min=2, max=100, help="Parts that the images are cut into.")] = 5,
    executor: Executor = "ray",
    allow_drift: Drift = False,
    json: Json = False,
) -> None:
    """Train a run on every fold of the training and validation images: its mean, and how sure that is.

    Each fold validates once and has a fresh seed; the test set stays closed.
    """
    from isoflop import followup
    from isoflop.cli.progress import watching
    from isoflop.followup.folds import named
    from isoflop.followup.subject import subject_of
    from isoflop.study import Bench

    bench = Bench.here(executor=executor)
    subject = subject_of(run, bench)
    with watching(subject.spec.study, folds, bench.journal.read(named(subject, folds))) as listen:
        done = followup.cross_validate(
            run, folds=folds, allow_drift=allow_drift, bench=replace(bench, listeners=(listen,))
        )
    _say(done, json=json)


def _outlook(plan: AblationPlan) -> None:
    """What would be trained."""
    rows = [
        {
            "choice": row.choice.key,
            "value": row.choice.value,
            "default": row.choice.default,
            "parameters": row.proposal.parameters,
            "FLOPs": amount(row.proposal.flops),
            "not trained": row.proposal.reason,
        }
        for row in plan.rows
        if row.choice is not None
    ]
    table(rows, ("choice", "value", "default", "parameters", "FLOPs", "not trained"), empty="no choice can be set back")
    for one in plan.untouched:
        typer.echo(f"not set back: {one.key} {one.value}, {one.why}")
    typer.echo(f"{plan.trainings} trainings on {plan.seeds} seeds, the run as it is among them")


def _say(done: Study, *, json: bool) -> None:
    """The report of a study: as it stands, or as JSON."""
    if not json:
        typer.echo(told(done))
        return
    reported = done.store.history(done.id).reported
    assert reported is not None, "a study that came to its end has reported"
    file = next(done.store.home / name for name in reported["files"] if name.endswith(".json"))
    typer.echo(text.dumps({"study": done.id} | text.loads(file.read_bytes()), indent=2, ensure_ascii=False))
