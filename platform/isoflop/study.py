"""Studies: binds spec, plan, executor, journal and tracker; starts, resumes, extends and evaluates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from isoflop.bench import Bench as Bench  # noqa: PLC0414 - a name of this module too
from isoflop.bench import ExecutorName as ExecutorName  # noqa: PLC0414
from isoflop.choice import choose, distinct
from isoflop.config import STORED, TrialConfig, parse
from isoflop.data import PreparedData, open_prepared
from isoflop.data.balance import skew
from isoflop.drift import drift, widened
from isoflop.errors import Fault, InputError
from isoflop.execution.recorder import Recorder
from isoflop.home import Home
from isoflop.journal.event import Kind
from isoflop.journal.history import History
from isoflop.journal.sqlite import SqliteJournal
from isoflop.ledger import due
from isoflop.named import check_named
from isoflop.outcome import Study, known
from isoflop.planning.finalists import FinalistsPlan, fresh, numbered
from isoflop.provenance import code_version, holder
from isoflop.records import Key, Trial
from isoflop.running import FOLLOW_UPS, fresh_id, legal_id, payload, refuse, run
from isoflop.running import fitted as fitted  # noqa: PLC0414 - a name of this module too
from isoflop.searching import search_plan as search_plan  # noqa: PLC0414
from isoflop.spec import Spec, load_spec
from isoflop.study_spec import StudySpec
from isoflop.tasks import metric_of
from isoflop.tracking.rows import FINALISTS
from isoflop.tracking.store import Store


def search(
    spec: Spec | Path | str,
    *,
    data: str | None = None,
    trials: int | None = None,
    time: str | None = None,
    workers: int | None = None,
    seed: int | None = None,
    study: str | None = None,
    executor: ExecutorName = "ray",
    allow_drift: bool = False,
    bench: Bench | None = None,
) -> Study:
    """Run a spec and return its study; what is given by name goes over what the spec says.

    Where `study` names one that stands, it goes on: finished trials are not run again. Raises `SpecError` for a bad
    spec, `DataError` for data that was never prepared, `LeaseError` where another driver runs the study, `StudyError`
    where every trial failed, and `InputError` where the study that stands has another space, data, code or meaning;
    with `allow_drift` the differences are journalled instead.
    """
    bench = bench or Bench.here(executor=executor)
    loaded = spec if isinstance(spec, Spec) else load_spec(Path(spec))
    loaded = override(loaded, data=data, trials=trials, time=time, workers=workers, seed=seed)
    prepared = open_prepared(bench.home.data_set(data or loaded.study.data))
    loaded = fitted(loaded, prepared)
    check_named(loaded, bench.home, prepared)
    name = legal_id(study) if study else fresh_id(loaded.study.name, bench.journal.studies())
    plan = search_plan(loaded, prepared, bench.home)
    run(bench, name, plan, payload("search", loaded, prepared), loaded.study, allow_drift=allow_drift)
    return Study(name, Store(bench.journal, bench.home.path))


def resume(
    study: str,
    *,
    spec: Spec | None = None,
    trials: int | None = None,
    time: str | None = None,
    allow_drift: bool = False,
    bench: Bench | None = None,
) -> Study:
    """Go on with a study where it stopped, or further with a larger budget or a wider space.

    `spec` is a new version of the study's: its space may have more families, wider ranges and more choices, and the
    trials that are done count. Raises `InputError` where a trial of the study is not in it, and as `search` does.
    """
    bench = bench or Bench.here()
    found = known(study, Store(bench.journal, bench.home.path))
    facts = found.store.history(study).study
    if facts["plan"] == "scaling":
        from isoflop import compound

        return compound.resume(study, allow_drift=allow_drift, bench=bench)
    if facts["plan"] in FOLLOW_UPS:
        from isoflop import followup

        return followup.resume(study, allow_drift=allow_drift, bench=bench)
    if facts["plan"] == "finalists":
        return finalists(facts["parent"], top=facts["top"], seeds=facts["seeds"], allow_drift=allow_drift, bench=bench)
    loaded = override(spec or found.spec, trials=trials, time=time)
    prepared = open_prepared(Path(facts["data"]["path"]))
    loaded = fitted(loaded, prepared)
    check_named(loaded, bench.home, prepared)
    opening = payload("search", loaded, prepared)
    if spec is not None and not allow_drift:
        refuse(study, widened(spec.space, found.trials), "keep what was tried in the space")
        opening["widened"] = drift(facts, opening | {"spec": opening["spec"] | {"study": facts["spec"]["study"]}})
    run(bench, study, search_plan(loaded, prepared, bench.home), opening, loaded.study, allow_drift=allow_drift)
    return Study(study, Store(bench.journal, bench.home.path))


def finalists(
    study: str,
    *,
    top: int | None = None,
    seeds: int | None = None,
    fused: bool | None = None,
    open_test: bool = True,
    open_again: str = "",
    allow_drift: bool = False,
    bench: Bench | None = None,
) -> Study:
    """Train the best of a search again in full on fresh seeds, then open the test set, once.

    `top`, `seeds` and `fused` are the spec's where they are not given. Raises `UnknownError` for an unknown study and
    `InputError` where the search has no COMPLETE trial, where the study is no search but about one run, or where the
    test set was opened for this version of the study and there would be more trainings now; with `open_again`, which
    says why, that is recorded instead.
    """
    bench = bench or Bench.here()
    found = known(study, Store(bench.journal, bench.home.path))
    spec, facts = found.spec, found.store.history(study).study
    if facts["plan"] in FOLLOW_UPS:
        what = f"is about one run ({facts['plan']}) and judged on validation alone"
        raise InputError(Fault(f"study {study}", what, "name a search: isoflop studies"))
    top, seeds = top or spec.study.finalists.top, seeds or spec.study.finalists.seeds
    best = choose(found.trials, spec.study.objectives, spec.study.constraints, len(found.trials))
    chosen = distinct(best)[:top]
    if not chosen:
        raise InputError(Fault(f"study {study}", "has no COMPLETE trial to retrain", f"go on: isoflop resume {study}"))
    for key in STORED:
        bench.home.check_weights((str(trial.config.get(key, "")) for trial in chosen), key)
    prepared = open_prepared(Path(facts["data"]["path"]))
    name = finalists_of(study)
    opening = payload("finalists", spec, prepared) | {"parent": study, "top": top, "seeds": seeds}
    before = replace(found.store.history(name) if name in bench.journal.studies() else History(), study=opening)
    numbers = numbered(study, chosen, before.trials.values())
    plan = FinalistsPlan(study=study, chosen=numbers, seeds=seeds, seed=spec.study.seed, code=code_version())
    if open_test:
        fresh_keys = [key for key in plan.trainings() if key not in before.trials or key in before.unfinished]
        due(name, before, fresh_keys, again=open_again)  # so that it is refused before anything is trained
    wanted = spec.study.finalists.fused if fused is None else fused
    plan = replace(plan, programs=dict(_programs(plan, before.trials, prepared.path, measure=wanted and seeds > 1)))
    unlimited = spec.study.model_copy(update={"budget": spec.study.budget.model_copy(update={"time": None})})
    run(bench, name, plan, opening, unlimited, allow_drift=allow_drift, fellows=plan.fellows)
    if open_test:
        evaluate(name, open_again=open_again, bench=bench)
    return Study(name, Store(bench.journal, bench.home.path))


def _programs(
    plan: FinalistsPlan, begun: Mapping[Key, Trial], data: Path, *, measure: bool
) -> Iterator[tuple[int, Sequence[TrialConfig]]]:
    """The finalists whose seeds are one program: those that were begun so, and new ones where that is faster."""
    for number, trial in plan.chosen.items():
        first = begun.get(Key(trial=number))
        members = int(first.config.get("fused.members") or 1) if first else plan.seeds if measure else 1
        if members == 1:
            continue
        from isoflop.fellows import program  # with torch
        from isoflop.fused import members_of

        config, seeds = TrialConfig.from_params(trial.config), [fresh(plan.seed, n) for n in range(members)]
        found = members_of([config] * members, seeds) if first else program(config, seeds, data=data)
        if found:
            yield number, found


def finalists_of(study: str) -> str:
    """The id of the study that retrains a search's finalists."""
    return f"{study}-finalists"


def evaluate(study: str, *, open_again: str = "", bench: Bench | None = None) -> Study:
    """Open the test set for the finalists of a study; those it was opened for are left as they are.

    The opening is written to the journal before an image is read (`isoflop ledger`). Raises `InputError` where the
    study is no finalists' study, where some of them have not ended, and where the test set was opened for this version
    of the study already; with `open_again`, which says why, the further opening is recorded instead. At the end the
    first seed of each finalist is logged to MLflow as a model.
    """
    from isoflop.portable.shelf import log_finalists
    from isoflop.trained import evaluate_test

    bench = bench or Bench.here()
    facts = known(study, Store(bench.journal, bench.home.path)).store.history(study).study
    with (
        bench.tracker(study) as tell,
        Recorder(bench.journal, study, holder=holder(), listeners=(tell, *bench.listeners)) as recorder,
    ):
        history = recorder.history
        _check_finalists(study, history)
        trained = sorted(key for key in history.trials if (key, "weights") in history.artifacts)
        if opening := due(study, history, trained, again=open_again):
            recorder.note(Kind.OPENING, opening, index=len(history.openings))
        for key in trained:
            if key not in history.opened:
                metrics, artifacts = evaluate_test(bench.home.artifacts(study, key), Path(facts["data"]["path"]))
                recorder.opened(key, artifacts, metrics, facts["data"]["digest"])
    log_finalists(study, bench)
    return Study(study, Store(bench.journal, bench.home.path))


def _check_finalists(study: str, history: History) -> None:
    """Raise `InputError` where the test set must stay shut whatever the ledger says."""
    if history.study["plan"] != FINALISTS:
        what, remedy = "the test set is opened for finalists alone", f"run: isoflop finalists {study}"
        raise InputError(Fault(f"study {study}", what, remedy))
    if left := len(history.unfinished):
        what = f"{left} of its {len(history.trials)} trainings have not ended, and the test set is opened once"
        raise InputError(Fault(f"study {study}", what, f"go on first: isoflop resume {study}"))


def leaderboard(study: str | None = None, *, home: Path | None = None) -> list[dict[str, Any]]:
    """The leaderboard's rows, best first, of one finalists study or of all; of several data sets, one after another."""
    from isoflop.ranking import boards

    place = Home(home.absolute()) if home else Home.find()
    results = Store(SqliteJournal.open_readonly(place.journal), place.path).results(study)
    return [row for rows in boards(results).values() for row in rows]


def hidden(study: StudySpec, prepared: PreparedData) -> Iterator[str]:
    """A line where classes are unlike in size and no objective weighs them alike, with the remedy."""
    fair = any((metric := metric_of(one.metric)) is not None and metric.fair for one in study.objectives)
    unlike = skew(prepared.task, prepared.classes, prepared.manifest.counts["train"])
    if unlike is not None and not fair:
        yield f"data set {prepared.name}: {unlike}"


def override(
    spec: Spec,
    *,
    data: str | None = None,
    trials: int | None = None,
    time: str | None = None,
    workers: int | None = None,
    seed: int | None = None,
) -> Spec:
    """A spec with what a person said at the command line. Raises `SpecError` for values that cannot be."""
    tree = spec.study.model_dump(mode="json", exclude_unset=True)
    given: Mapping[tuple[str, ...], Any] = {
        ("data",): data and Path(data).name,
        ("budget", "trials"): trials,
        ("budget", "time"): time,
        ("resources", "workers"): workers,
        ("seed",): seed,
    }
    for path, value in given.items():
        if value is not None:
            node = tree
            for step in path[:-1]:
                node = node.setdefault(step, {})
            node[path[-1]] = value
    return replace(spec, study=parse(StudySpec, tree, "study"))
