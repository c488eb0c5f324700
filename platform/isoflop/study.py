"""Studies: binds spec, plan, executor, journal and tracker; starts, resumes, extends and evaluates."""

from __future__ import annotations

import shutil
import time as clock
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from isoflop.config import parse
from isoflop.data import PreparedData, open_prepared
from isoflop.errors import Fault, InputError, LeaseError, UnknownError, did_you_mean
from isoflop.execution.inline import InlineExecutor
from isoflop.execution.protocol import Executor
from isoflop.execution.recorder import Listener, Recorder
from isoflop.home import Home
from isoflop.journal.event import Event, Kind
from isoflop.journal.sqlite import SqliteJournal
from isoflop.planning.finalists import FinalistsPlan, choose
from isoflop.provenance import code_version, holder, provenance
from isoflop.records import Job, Key, Trial
from isoflop.spec import Spec, load_spec, spec_from_tree
from isoflop.study_spec import StudySpec, seconds
from isoflop.tracking.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from isoflop.plan import Plan
    from isoflop.planning.search import SearchPlan

ExecutorName = Literal["inline", "ray"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """Where studies run: a state folder with its journal, an executor, a tracker, and who watches."""

    home: Home
    executor: ExecutorName = "ray"
    address: str | None = None
    """A Ray cluster to join; none means one on this machine."""
    tracking_uri: str | None = None
    """MLflow's server or database; none means the one in the state folder."""
    listeners: Sequence[Listener] = ()

    @classmethod
    def here(cls, **fields: Any) -> Self:
        """A bench in the state folder that the environment names. Raises `StateError` where it cannot be written."""
        return cls(home=Home.find().ensure(), **fields)

    @property
    def journal(self) -> SqliteJournal:
        """The journal of the state folder."""
        return SqliteJournal(self.home.ensure().journal)

    def build_executor(self, spec: StudySpec) -> Executor:
        """The executor that was asked for; Ray is imported only where it is used."""
        if self.executor == "inline":
            return InlineExecutor()
        from isoflop.execution.ray_executor import RayExecutor

        return RayExecutor(spec.resources, address=self.address)

    def tracker(self, study: str) -> AbstractContextManager[Listener]:
        """Writes a study's records to MLflow from a thread of its own while the context lasts."""
        from isoflop.tracking.background import tracked

        uri = self.tracking_uri or f"sqlite:///{self.home.mlflow}"
        return tracked(study, self.journal, uri=uri, artifacts=self.home.mlflow_artifacts)


@dataclass(frozen=True, slots=True)
class Study:
    """A study that stands in the journal, to be read."""

    id: str
    store: Store

    @property
    def trials(self) -> Sequence[Trial]:
        """Its trials, by number and replicate."""
        trials = self.store.history(self.id).trials.values()
        return sorted(trials, key=lambda t: (t.number, t.replicate))

    @property
    def spec(self) -> Spec:
        """The spec that it runs."""
        return spec_from_tree(self.store.history(self.id).study["spec"], where=f"study {self.id}")

    @property
    def best(self) -> Trial | None:
        """The best COMPLETE trial by the study's first objective, none while there is none."""
        return next(iter(choose(self.trials, self.spec.study.objectives[0], 1)), None)

    def to_frame(self) -> pd.DataFrame:
        """One row a trial: number, state, objective, FLOPs, parameters, and each sampled parameter by dotted key."""
        import pandas as pd

        metric = self.spec.study.objectives[0].metric
        rows = [
            {
                "number": trial.number,
                "replicate": trial.replicate,
                "state": str(trial.state),
                metric: trial.value(metric),
                "flops": trial.flops,
                "parameters": trial.parameters,
                "reports": trial.reports,
                **trial.params,
            }
            for trial in self.trials
        ]
        return pd.DataFrame(rows)


def load_study(study: str, *, home: Path | None = None) -> Study:
    """A study by its id. Raises `UnknownError` with the nearest id."""
    place = Home(home.absolute()) if home else Home.find()
    return known(study, Store(SqliteJournal(place.ensure().journal), place.path))


def known(study: str, store: Store) -> Study:
    """A study of a store. Raises `UnknownError` with the nearest id."""
    ids = store.journal.studies()
    if study not in ids:
        remedy = did_you_mean(study, ids) if ids else "there is no study yet: run isoflop search SPEC"
        raise UnknownError(Fault("study", f"unknown study {study!r}", remedy))
    return Study(study, store)


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
    bench: Bench | None = None,
) -> Study:
    """Run a spec and return its study; what is given by name goes over what the spec says.

    Where `study` names one that stands, it goes on: finished trials are not run again. Raises `SpecError` for a bad
    spec, `DataError` for data that was never prepared, `LeaseError` where another driver runs the study, and
    `InputError` where the study that stands has another space or other data.
    """
    bench = bench or Bench.here(executor=executor)
    loaded = spec if isinstance(spec, Spec) else load_spec(Path(spec))
    loaded = override(loaded, data=data, trials=trials, time=time, workers=workers, seed=seed)
    prepared = open_prepared(bench.home.data_set(data or loaded.study.data))
    store = Store(bench.journal, bench.home.path)
    name = study or fresh_id(loaded.study.name, store.journal.studies())
    _refuse_drift(name, loaded, prepared, store)
    plan = search_plan(loaded, prepared)
    _run(bench, name, plan, _payload("search", loaded, prepared), loaded.study)
    return Study(name, Store(bench.journal, bench.home.path))


def resume(study: str, *, trials: int | None = None, time: str | None = None, bench: Bench | None = None) -> Study:
    """Go on with a study where it stopped, or further with a larger budget."""
    bench = bench or Bench.here()
    found = known(study, Store(bench.journal, bench.home.path))
    facts = found.store.history(study).study
    if facts["plan"] == "finalists":
        top, seeds = facts["top"], facts["seeds"]
        return finalists(facts["parent"], top=top, seeds=seeds, bench=bench)
    return search(found.spec, data=facts["data"]["path"], trials=trials, time=time, study=study, bench=bench)


def finalists(
    study: str, *, top: int | None = None, seeds: int | None = None, open_test: bool = True, bench: Bench | None = None
) -> Study:
    """Train the best of a search again in full on fresh seeds, then open the test set, once.

    `top` and `seeds` are the spec's where they are not given. Raises `UnknownError` for an unknown study and
    `InputError` where the search has no COMPLETE trial.
    """
    bench = bench or Bench.here()
    found = known(study, Store(bench.journal, bench.home.path))
    spec, facts = found.spec, found.store.history(study).study
    top, seeds = top or spec.study.finalists.top, seeds or spec.study.finalists.seeds
    chosen = choose(found.trials, spec.study.objectives[0], top)
    if not chosen:
        raise InputError(Fault(f"study {study}", "has no COMPLETE trial to retrain", f"go on: isoflop resume {study}"))
    prepared = open_prepared(Path(facts["data"]["path"]))
    plan = FinalistsPlan(study=study, chosen=chosen, seeds=seeds, seed=spec.study.seed)
    payload = _payload("finalists", spec, prepared) | {"parent": study, "top": top, "seeds": seeds}
    name = finalists_of(study)
    unlimited = spec.study.model_copy(update={"budget": spec.study.budget.model_copy(update={"time": None})})
    _run(bench, name, plan, payload, unlimited)
    if open_test:
        evaluate(name, bench=bench)
    return Study(name, Store(bench.journal, bench.home.path))


def finalists_of(study: str) -> str:
    """The id of the study that retrains a search's finalists."""
    return f"{study}-finalists"


def evaluate(study: str, *, bench: Bench | None = None) -> Study:
    """Open the test set for the finalists of a study; those it was opened for are left as they are."""
    from isoflop.trial import evaluate_test

    bench = bench or Bench.here()
    found = known(study, Store(bench.journal, bench.home.path))
    facts = found.store.history(study).study
    with (
        bench.tracker(study) as tell,
        Recorder(bench.journal, study, holder=holder(), listeners=(tell, *bench.listeners)) as recorder,
    ):
        for trial in found.trials:
            if (trial.key, "weights") in recorder.history.artifacts and trial.key not in recorder.history.opened:
                folder = bench.home.artifacts(study, trial.key)
                metrics, artifact = evaluate_test(folder, Path(facts["data"]["path"]))
                recorder.opened(trial.key, artifact, metrics, facts["data"]["digest"])
    return Study(study, Store(bench.journal, bench.home.path))


def leaderboard(study: str | None = None, *, home: Path | None = None) -> list[dict[str, Any]]:
    """The leaderboard's rows, best first, of one finalists study or of all; of several data sets, one after another."""
    from isoflop.ranking import boards

    place = Home(home.absolute()) if home else Home.find()
    results = Store(SqliteJournal.open_readonly(place.journal), place.path).results(study)
    return [row for rows in boards(results).values() for row in rows]


def search_plan(spec: Spec, prepared: PreparedData) -> SearchPlan:
    """The plan of a spec on prepared data; models are priced on the meta device."""
    from isoflop.models import cost
    from isoflop.planning.search import SearchPlan

    return SearchPlan(
        spec=spec.study,
        space=spec.space,
        digest=prepared.digest,
        images=len(prepared.split("train")[1]),
        code=code_version(),
        price=partial(cost, image=prepared.shape, classes=len(prepared.classes)),
    )


def override(
    spec: Spec, *, data: str | None, trials: int | None, time: str | None, workers: int | None, seed: int | None
) -> Spec:
    """A spec with what a person said at the command line. Raises `SpecError` for values that cannot be."""
    tree = spec.study.model_dump(mode="json")
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
                node = node[step]
            node[path[-1]] = value
    return replace(spec, study=parse(StudySpec, tree, "study"))


def fresh_id(name: str, taken: Sequence[str]) -> str:
    """The first of NAME-1, NAME-2, ... that no study has."""
    number = 1
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"


def _payload(plan: str, spec: Spec, prepared: PreparedData) -> dict[str, Any]:
    """What a STUDY event says."""
    return {
        "name": spec.study.name,
        "plan": plan,
        "spec": spec.tree(),
        "data": {
            "name": prepared.name,
            "digest": prepared.digest,
            "path": str(prepared.path),
            "shape": list(prepared.shape),
        },
        "provenance": provenance(),
        "parent": None,
    }


def _refuse_drift(study: str, spec: Spec, prepared: PreparedData, store: Store) -> None:
    """Raise where a study that stands was about another space or other data."""
    if study not in store.journal.studies():
        return
    before = store.history(study).study
    if before["data"]["digest"] != prepared.digest:
        what = f"was run on data {before['data']['digest']}, this is {prepared.digest}"
        raise InputError(Fault(f"study {study}", what, "start a new study without --study"))
    if before["spec"]["space"] != spec.tree()["space"]:
        raise InputError(Fault(f"study {study}", "was run on another space", "start a new study without --study"))


def _run(bench: Bench, study: str, plan: Plan, payload: dict[str, Any], spec: StudySpec) -> None:
    """Run a plan to its end under the study's lease."""
    deadline = clock.time() + seconds(spec.budget.time) if spec.budget.time else None
    desk = partial(_job, bench.home, study, payload)
    with (
        bench.tracker(study) as tell,
        Recorder(
            bench.journal,
            study,
            holder=holder(),
            listeners=(tell, _forget_checkpoints(bench.home, study), *bench.listeners),
            deadline=deadline,
        ) as recorder,
    ):
        recorder.note(Kind.STUDY, payload, index=recorder.history.segment + 1)
        from isoflop.trial import open_job

        with _closed(recorder):
            bench.build_executor(spec).run(plan, recorder, desk, open_job)


@contextmanager
def _closed(recorder: Recorder) -> Iterator[None]:
    """Write how a run of a study ended, whatever ended it."""
    try:
        yield
    except KeyboardInterrupt:
        recorder.note(Kind.CLOSED, {"state": "STOPPED", "reason": "interrupted"})
        raise
    except LeaseError:
        raise  # another driver writes now
    except Exception as error:
        recorder.note(Kind.CLOSED, {"state": "FAILED", "reason": f"{type(error).__name__}: {error}"})
        raise
    recorder.note(Kind.CLOSED, {"state": "COMPLETE", "reason": "time" if recorder.history.deadline else "budget"})


def _job(home: Home, study: str, facts: Mapping[str, Any], trial: Trial) -> Job:
    """What a worker is given to train a trial."""
    kept = facts["plan"] == "finalists"
    return Job(
        study=study,
        key=trial.key,
        config=trial.config,
        seed=trial.seed,
        data=facts["data"]["path"],
        checkpoints=str(home.checkpoints(study, trial.key)),
        artifacts=str(home.artifacts(study, trial.key)) if kept else None,
    )


def _forget_checkpoints(home: Home, study: str) -> Callable[[Event], None]:
    """Checkpoints of trials that are final are of no more use."""

    def listen(event: Event) -> None:
        if event.kind is Kind.END:
            key = Key(trial=event.trial, replicate=event.replicate)
            shutil.rmtree(home.checkpoints(study, key), ignore_errors=True)

    return listen
