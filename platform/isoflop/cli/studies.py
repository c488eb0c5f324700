"""`isoflop search`, `resume`, `extend` and `finalists`: run studies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from isoflop.outcome import Study
    from isoflop.records import Trial
    from isoflop.spec import Spec
    from isoflop.study_spec import StudySpec

FRONT = 10
"""Trials of a front that are named at the end of a search."""
StudyId = Annotated[str, typer.Argument(metavar="STUDY", help="A study's id, as `isoflop studies` lists it.")]
ExecutorName = Literal["inline", "processes", "ray"]
Executor = Annotated[
    ExecutorName,
    typer.Option(
        help="ray: Ray Tune, here or on a cluster. processes: of this machine, on the CPU; they start sooner. "
        "inline: one trial after another, to debug."
    ),
]
Drift = Annotated[
    bool, typer.Option("--allow-drift", help="Go on though space, data or code changed; the differences are recorded.")
]
Time = Annotated[str | None, typer.Option(help="Wall time, such as 90s, 20m or 2h.")]


def search(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="A YAML file with `space:` and `study:`.")],
    data: Annotated[str | None, typer.Option(help="Prepared data set; default: the spec's.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Budget in trials.")] = None,
    time: Time = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Trials side by side; changes no number.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the search.")] = None,
    executor: Executor = "ray",
    address: Annotated[str | None, typer.Option(help="A Ray cluster to join; default: one on this machine.")] = None,
    study: Annotated[str | None, typer.Option(help="Id of the study; one that stands goes on.")] = None,
    allow_drift: Drift = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Estimate trials, hours and disk; run nothing.")] = False,
) -> None:
    """Search a space: every trial is journalled, nothing finished is ever lost."""
    from isoflop import study as studies
    from isoflop.cli.progress import watching
    from isoflop.home import Home
    from isoflop.spec import load_spec

    loaded = load_spec(spec)
    loaded = studies.override(loaded, data=data, trials=trials, time=time, workers=workers, seed=seed)
    if dry_run:
        from isoflop.data import open_prepared
        from isoflop.feasibility import estimate
        from isoflop.named import check_named

        home = Home.find()
        folder = home.data_set(data or loaded.study.data)
        check_named(loaded, home, open_prepared(folder))
        for line in estimate(loaded, folder).lines():
            typer.echo(line)
        return
    hint_workers(loaded.study, executor)
    bench = studies.Bench.here(executor=executor, address=address)
    loaded = say_skew(loaded, bench.home.data_set(data or loaded.study.data))
    before = bench.journal.read(study) if study else ()
    with watching(loaded.study, loaded.study.budget.trials, before) as listen:
        done = studies.search(
            loaded, data=data, study=study, allow_drift=allow_drift, bench=replace(bench, listeners=(listen,))
        )
    _conclude(done)


def resume(study: StudyId, time: Time = None, executor: Executor = "ray", allow_drift: Drift = False) -> None:
    """Go on with a study that was interrupted; nothing finished is run again."""
    _go_on(study, time=time, executor=executor, allow_drift=allow_drift)


def extend(
    study: StudyId,
    trials: Annotated[int, typer.Option(min=1, help="The new budget in trials, those that are done included.")],
    spec: Annotated[
        Path | None, typer.Option(help="A new version of the spec: families added, ranges widened.")
    ] = None,
    time: Time = None,
    executor: Executor = "ray",
) -> None:
    """Go further with a study that has ended; its trials count."""
    _go_on(study, trials=trials, spec=spec, time=time, executor=executor)


def finalists(
    study: StudyId,
    top: Annotated[int | None, typer.Option(min=1, help="How many of the best; default: the spec's.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Fresh seeds for each; default: the spec's.")] = None,
    fused: Annotated[
        bool | None,
        typer.Option(
            "--fused/--apart", help="Seeds of one as one program where that is faster here; default: the spec's."
        ),
    ] = None,
    executor: Executor = "ray",
    open_again: Annotated[
        str, typer.Option(metavar="WHY", help="Open the test set a second time for this version of the study.")
    ] = "",
) -> None:
    """Train the best trials again in full on fresh seeds, then open the test set, once (see isoflop ledger).

    After isoflop extend, finalists that stand are not trained again, and those that are new open the test set anew.
    """
    from isoflop import study as studies
    from isoflop.cli.progress import watching
    from isoflop.cli.results import print_board
    from isoflop.outcome import load_study

    spec = load_study(study).spec.study
    total = (top or spec.finalists.top) * (seeds or spec.finalists.seeds)
    bench = studies.Bench.here(executor=executor)
    with watching(spec, total, bench.journal.read(studies.finalists_of(study))) as listen:
        done = studies.finalists(
            study,
            top=top,
            seeds=seeds,
            fused=fused,
            open_again=open_again,
            bench=replace(bench, listeners=(listen,)),
        )
    print_board(done.store, done.id, ledger_of=done.store)


def say_skew(spec: Spec, data: Path) -> Spec:
    """The spec with its data set's objective where it names none; say where that hides small classes."""
    from isoflop.data import open_prepared
    from isoflop.study import fitted, hidden

    prepared = open_prepared(data)
    found = fitted(spec, prepared)
    for line in hidden(found.study, prepared):
        typer.echo(f"notice: {line}", err=True)
    return found


def hint_workers(spec: StudySpec, executor: ExecutorName) -> None:
    """Say where the look-ahead leaves workers idle."""
    from isoflop.execution.capacity import workers

    count = workers(spec.resources)
    if executor != "inline" and count > spec.look_ahead and not spec.asynchronous:
        typer.echo(
            f"hint: {count} workers and a look_ahead of {spec.look_ahead}: some will often wait; "
            f"set study.look_ahead to {count}, it decides what suggestions see",
            err=True,
        )


def _go_on(
    study: str,
    *,
    trials: int | None = None,
    spec: Path | None = None,
    time: str | None,
    executor: ExecutorName,
    allow_drift: bool = False,
) -> None:
    from isoflop import study as studies
    from isoflop.cli.progress import watching
    from isoflop.outcome import load_study
    from isoflop.spec import load_spec

    newer = load_spec(spec) if spec is not None else None
    stands = load_study(study)
    about, searched = (newer or stands.spec).study, stands.store.history(study).study["plan"] == "search"
    bench = studies.Bench.here(executor=executor)
    total = trials or about.budget.trials if searched else None
    with watching(about, total, bench.journal.read(study)) as listen:
        done = studies.resume(
            study,
            spec=newer,
            trials=trials,
            time=time,
            allow_drift=allow_drift,
            bench=replace(bench, listeners=(listen,)),
        )
    _conclude(done)


def _conclude(done: Study) -> None:
    """Say how a study ended and what to do next."""
    if (report := told(done)) is not None:
        typer.echo(report)
        return
    counts = ", ".join(f"{n} {state}" for state, n in done.store.counts(done.id).items())
    typer.echo(f"study {done.id}: {counts}")
    lines = list(_front(done) if len(done.spec.study.objectives) > 1 else _best(done))
    for line in lines:
        typer.echo(line)
    if lines:
        typer.echo(f"next: isoflop finalists {done.id}")


def told(done: Study) -> str | None:
    """What a study reported in words, with the folder that it stands in; none where it is of a kind that does not."""
    reported = done.store.history(done.id).reported
    if reported is None:
        return None
    report = next(done.store.home / file for file in reported["files"] if file.endswith(".md"))
    return f"{report.read_text(encoding='utf-8')}\nreport: {report.parent}"


def _best(done: Study) -> Iterator[str]:
    """The best trial, and the one that the sampler's model takes for it where that is another."""
    best = done.best
    if best is None:
        return
    yield f"best: {_named(done, best)} (picked among many: optimistic)"
    if done.spec.study.sampler.name != "additive":
        return  # it has no such model, and importing one takes half a second
    expected = done.recommended
    if expected is not None and expected.key != best.key:
        yield f"model: {_named(done, expected)} (what the sampler's model expects most of)"


def _front(done: Study) -> Iterator[str]:
    """The trials that no other beats in every objective."""
    front = done.front
    for trial in front[:FRONT]:
        yield f"front: {_named(done, trial)} (picked among many: optimistic)"
    if len(front) > FRONT:
        yield f"front: {len(front) - FRONT} more; see: isoflop trials {done.id}"


def _named(done: Study, trial: Trial) -> str:
    from isoflop.cli.progress import figures

    values: dict[str, float] = {one.metric: trial.value(one.metric) for one in done.spec.study.objectives}
    return f"trial {trial.number}, {trial.config['model.family']}, {figures(values)}"
