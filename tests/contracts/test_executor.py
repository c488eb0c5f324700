"""Every executor does what the plan says, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from isoflop.errors import StateError
from isoflop.execution.inline import InlineExecutor
from isoflop.execution.protocol import Executor
from isoflop.execution.ray_executor import RayExecutor
from isoflop.execution.recorder import Recorder
from isoflop.journal.event import Event, Kind
from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.records import Job, Key, State, Trial
from isoflop.study_spec import Resources
from tests.contracts.scripted import REPORTS, RUNGS, ScriptedPlan, open_deadly, open_scripted, table

TRIALS = 40


@pytest.fixture(params=["inline", "ray"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "inline":
        yield InlineExecutor()
    else:
        request.getfixturevalue("ray_cluster")
        yield RayExecutor(Resources(workers=2))


class Desk:
    def __init__(self, folder: Path, *, keep: bool = False) -> None:
        self.folder, self.keep = folder, keep

    def __call__(self, trial: Trial) -> Job:
        place = self.folder / str(trial.key)
        return Job(
            study="s",
            key=trial.key,
            config=trial.config,
            seed=trial.seed,
            data="",
            checkpoints=str(place),
            artifacts=str(place) if self.keep else None,
        )


def run(executor: Executor, folder: Path, journal: MemoryJournal | None = None, *, keep: bool = False) -> History:
    with Recorder(journal or MemoryJournal(), "s", holder="test") as recorder:
        executor.run(ScriptedPlan(TRIALS), recorder, Desk(folder, keep=keep), open_scripted)
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
    assert len(failed) < TRIALS / 2


def test_artifacts_are_journalled_with_the_end(executor: Executor, tmp_path: Path):
    history = run(executor, tmp_path, keep=True)
    complete = {trial.key for trial in history.trials.values() if trial.state is State.COMPLETE}
    assert {key for key, _ in history.artifacts} == complete


@pytest.mark.parametrize("cut", [3, 20, 60])
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
    assert len(ends) == len({(event.trial, event.replicate) for event in ends}) == TRIALS
    assert before < len(torn.read("s"))


def test_finished_trials_are_not_run_again(executor: Executor, tmp_path: Path):
    journal = MemoryJournal()
    run(InlineExecutor(), tmp_path, journal)
    told: list[Event] = []
    with Recorder(journal, "s", holder="test", listeners=(told.append,)) as recorder:
        executor.run(ScriptedPlan(TRIALS), recorder, Desk(tmp_path), open_scripted)
        assert recorder.history.trials[Key(trial=0)].state.final
    assert told == []


@pytest.mark.usefixtures("ray_cluster")
def test_workers_that_die_end_the_run_and_fail_no_trial(tmp_path: Path):
    journal = MemoryJournal()
    with Recorder(journal, "s", holder="test") as recorder, pytest.raises(StateError, match="workers died 4 times"):
        RayExecutor(Resources(workers=1)).run(ScriptedPlan(3), recorder, Desk(tmp_path), open_deadly)
    assert {trial.state for trial in History.fold(journal.read("s")).trials.values()} == {State.INTERRUPTED}
