"""Every executor does what the plan says, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from isoflop.execution.inline import InlineExecutor
from isoflop.execution.process_executor import ProcessExecutor
from isoflop.execution.protocol import Executor
from isoflop.execution.ray_executor import RayExecutor
from isoflop.execution.recorder import Recorder
from isoflop.execution.simulator import Simulator
from isoflop.execution.training import Open
from isoflop.journal.event import Event, Kind
from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.journal.request import RequestKind
from isoflop.records import CONTROL, Key, State
from isoflop.study_spec import Resources
from tests.scripted import (
    REPORTS,
    RUNGS,
    Desk,
    open_broken,
    open_deadly,
    open_hanging,
    open_hungry,
    open_noted,
    open_scripted,
    open_silent,
    plan,
    states,
    table,
)

PLAN = {"budget": {"trials": 40}, "sampler": {"name": "random"}}


@pytest.fixture(params=["inline", "simulator", "processes", "ray"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "inline":
        yield InlineExecutor()
    elif request.param == "simulator":
        yield Simulator(workers=3)
    elif request.param == "processes":
        yield ProcessExecutor(Resources(workers=2))
    else:
        request.getfixturevalue("ray_cluster")
        yield RayExecutor(Resources(workers=2))


@pytest.fixture(params=["processes", "ray"])
def build(request: pytest.FixtureRequest) -> Callable[[Resources], Executor]:
    """Makes executors that have worker processes."""
    if request.param == "processes":
        return ProcessExecutor
    request.getfixturevalue("ray_cluster")
    return RayExecutor


def run(
    executor: Executor,
    folder: Path,
    journal: MemoryJournal | None = None,
    *,
    keep: bool = False,
    opened: Open = open_scripted,
    **study: object,
) -> History:
    with closing(executor), Recorder(journal or MemoryJournal(), "s", holder="test") as recorder:
        executor.prepare()
        executor.run(plan(**{**PLAN, **study}), recorder, Desk(folder, keep=keep), opened)
        return recorder.history


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    return table(run(InlineExecutor(), tmp_path_factory.mktemp("expected")))


def test_every_trial_ends_in_the_state_that_the_plan_gives_it(
    executor: Executor, tmp_path: Path, expected: list[tuple[object, ...]]
):
    history = run(executor, tmp_path)
    assert table(history) == expected
    assert {trial.state for trial in history.trials.values()} == {
        State.COMPLETE,
        State.PRUNED,
        State.FAILED,
        State.INFEASIBLE,
    }


def test_states_agree_with_records(executor: Executor, tmp_path: Path):
    for trial in run(executor, tmp_path).trials.values():
        if trial.state is State.COMPLETE:
            assert trial.reports == REPORTS
        if trial.state is State.PRUNED:
            assert trial.reports in RUNGS
        if trial.state is State.INFEASIBLE:
            assert trial.reports == 0


def test_a_failed_trial_says_why_and_poisons_no_other(executor: Executor, tmp_path: Path):
    failed = [t for t in run(executor, tmp_path).trials.values() if t.state is State.FAILED]
    reasons = " ".join(t.reason for t in failed)
    assert "train_loss is not finite at step 20" in reasons
    assert "a bug in this configuration" in reasons
    assert len(failed) < 20


def test_artifacts_are_journalled_with_the_end(executor: Executor, tmp_path: Path):
    history = run(executor, tmp_path, keep=True)
    complete = {trial.key for trial in history.trials.values() if trial.state is State.COMPLETE}
    assert {key for key, _ in history.artifacts} == complete


@pytest.mark.parametrize("cut", [4, 20, 60])
def test_an_interrupted_study_goes_on_to_the_same_table(
    executor: Executor, tmp_path: Path, cut: int, expected: list[tuple[object, ...]]
):
    whole = MemoryJournal()
    run(InlineExecutor(), tmp_path / "whole", whole)
    torn = MemoryJournal()
    lease = torn.acquire("s", "test", 60)
    torn.append(lease, list(whole.read("s"))[:cut])
    before = len(torn.read("s"))
    history = run(executor, tmp_path / "torn", torn)
    assert table(history) == expected
    ends = [event for event in torn.read("s") if event.kind is Kind.END]
    assert len(ends) == len({(event.trial, event.replicate) for event in ends}) == len(expected)
    assert before < len(torn.read("s"))


def test_finished_trials_are_not_run_again(executor: Executor, tmp_path: Path):
    journal = MemoryJournal()
    run(InlineExecutor(), tmp_path, journal)
    told: list[Event] = []
    with Recorder(journal, "s", holder="test", listeners=(told.append,)) as recorder:
        executor.run(plan(**PLAN), recorder, Desk(tmp_path), open_scripted)
        assert recorder.history.trials[Key(trial=0)].state.final
    assert told == []


def test_a_control_arm_has_the_same_trials_everywhere(executor: Executor, tmp_path: Path):
    wanted = {"control": 0.4, "sampler": {"name": "additive", "startup": 4}}
    history = run(executor, tmp_path / "here", **wanted)
    assert table(history) == table(run(InlineExecutor(), tmp_path / "inline", **wanted))
    drawn = [trial.number for trial in history.trials.values() if trial.source == CONTROL]
    assert sorted(drawn)[:4] == [2, 4, 7, 9]


def test_latencies_are_measured_first_and_alone(executor: Executor, tmp_path: Path):
    study = {"objectives": ["val_accuracy", "latency"], "constraints": ["latency <= 5"], "budget": {"trials": 12}}
    history = run(executor, tmp_path, **study)
    slow = {n.trial for n, t in history.trials.items() if (t.latency or 0) > 5}
    assert slow == {n.trial for n, t in history.trials.items() if t.state is State.INFEASIBLE and t.tried}
    assert slow
    assert all(trial.latency is not None for trial in history.trials.values() if trial.tried)


def test_what_runs_out_of_memory_begins_again_smaller_once(executor: Executor, tmp_path: Path):
    history = run(executor, tmp_path, opened=open_hungry, budget={"trials": 20})
    again = {trial.number: trial for trial in history.trials.values() if trial.attempt}
    assert again.keys() == {n.trial for n, t in history.trials.items() if n.trial % 3 == 1 and not t.free}
    for number, trial in again.items():
        assert trial.config["train.micro_batch"] == 8
        assert trial.fingerprint != trial.proposed
        assert (trial.state is State.INFEASIBLE) == (number % 9 == 1)


def test_a_training_that_loses_one_of_its_processes_goes_on_from_its_checkpoint(
    executor: Executor, tmp_path: Path, expected: list[tuple[object, ...]]
):
    history = run(executor, tmp_path, opened=open_broken)
    assert table(history) == expected
    assert list(tmp_path.glob("*/lost"))


def test_a_trial_that_kills_its_workers_is_infeasible_and_the_others_go_on(
    build: Callable[[Resources], Executor], tmp_path: Path
):
    journal = MemoryJournal()
    history = run(build(Resources(workers=2)), tmp_path, journal, opened=open_deadly, budget={"trials": 4})
    deadly = [trial for trial in history.trials.values() if trial.number % 3 == 1 and not trial.free]
    assert deadly
    assert {trial.state for trial in deadly} == {State.INFEASIBLE}
    assert all("4 workers in a row were lost" in trial.reason for trial in deadly)
    faults = [event for event in journal.read("s") if event.kind is Kind.FAULT]
    assert len(faults) == 4 * len(deadly)
    assert State.COMPLETE in states(history)


def test_workers_start_once_and_stay(build: Callable[[Resources], Executor], tmp_path: Path):
    """Trainings are far shorter than the start of a worker, and with halving several wait for one now and then."""
    run(build(Resources(workers=4)), tmp_path, opened=open_noted)
    assert 2 <= len(list((tmp_path / "workers").iterdir())) <= 4


def test_a_worker_that_hangs_is_ended_and_its_trial_goes_on(build: Callable[[Resources], Executor], tmp_path: Path):
    """One that starts says nothing either, for some seconds where the machine has much else to do."""
    study = {"budget": {"trials": 4}}
    journal = MemoryJournal()
    executor = build(Resources(workers=2, silence="10s"))
    history = run(executor, tmp_path / "hung", journal, opened=open_hanging, **study)
    assert table(history) == table(run(InlineExecutor(), tmp_path / "calm", **study))
    assert len([event for event in journal.read("s") if event.kind is Kind.FAULT]) == 1


def test_a_trial_that_a_person_stops_gives_its_worker_back_at_once(
    build: Callable[[Resources], Executor], tmp_path: Path
):
    """Its worker says nothing any more, and would not be ended for half an hour."""
    journal, silent = MemoryJournal(), Key(trial=0)

    def ask(event: Event) -> None:
        if event.kind is Kind.RECORD and not recorder.history.trials[silent].state.final and not journal.requests("s"):
            journal.ask("s", RequestKind.KILL, silent, "a person")

    with (
        closing(build(Resources(workers=2))) as executor,
        Recorder(journal, "s", holder="test", listeners=(ask,)) as recorder,
    ):
        executor.run(plan(**PLAN | {"budget": {"trials": 4}, "constraints": []}), recorder, Desk(tmp_path), open_silent)
        trials = recorder.history.trials
    assert trials[silent].state is State.KILLED
    assert trials[silent].reason == "stopped by a person"
    assert all(trial.state.final and trial.state is not State.KILLED for key, trial in trials.items() if key != silent)
