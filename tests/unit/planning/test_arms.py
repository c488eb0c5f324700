"""The control arm: which trials belong to it, and that neither arm knows of the other."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.planning.arms import Arms
from isoflop.planning.recommendation import recommendation
from isoflop.records import CONTROL, Key, State, Trial
from tests.scripted import ScriptedTraining, plan, run, table

SHARE = 0.4
STUDIES: list[dict[str, object]] = [
    {},
    {"look_ahead": 1},
    {"sampler": {"name": "tpe", "startup": 4}},
    {"sampler": {"name": "sobol"}},
    {"halving": {"name": "hyperband"}},
    {"halving": {"name": "median"}},
    {"objectives": ["val_accuracy", "parameters"]},
    {"budget": {"trials": None, "epochs": 80}},
]


def shown(history: History, *, control: bool) -> list[tuple[object, ...]]:
    """An arm's trials without their numbers."""
    arms = Arms(SHARE)
    return [row[1:] for row in table(history) if arms.control(int(str(row[0]))) is control]


@given(share=st.floats(0, 0.99), first=st.integers(0, 500), size=st.integers(1, 200))
def test_any_run_of_trials_has_its_share(share: float, first: int, size: int):
    arms = Arms(share)
    assert abs(sum(map(arms.control, range(first, first + size))) - share * size) < 1 + 1e-6


@given(share=st.floats(0, 0.99), size=st.integers(1, 200))
def test_places_count_each_arm_from_0(share: float, size: int):
    arms, seen = Arms(share), Counter[bool]()
    for number in range(size):
        assert arms.place(number) == seen[arms.control(number)]
        seen[arms.control(number)] += 1


@pytest.mark.parametrize("share", [0.01, 0.07, 0.1, 0.2, 0.29, 0.3, 0.7])
def test_a_hundred_trials_have_the_share_that_is_written(share: float):
    assert sum(map(Arms(share).control, range(100))) == round(100 * share)


def test_without_a_share_there_is_one_arm():
    assert [Arms().control(n) for n in range(50)] == [False] * 50
    assert [Arms().place(n) for n in range(50)] == list(range(50))


@pytest.mark.parametrize("study", STUDIES, ids=str)
def test_workers_and_order_of_arrival_change_nothing(study: dict[str, object], tmp_path: Path):
    one = run(plan(control=SHARE, **study), tmp_path / "a", workers=1, order=0)
    other = run(plan(control=SHARE, **study), tmp_path / "b", workers=7, order=5)
    assert table(one) == table(other)
    assert {t.number for t in one.trials.values() if t.source == CONTROL} == {
        n for n in range(len(one.trials)) if Arms(SHARE).control(n)
    }


def test_the_sampler_never_sees_the_control_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The other arm's accuracies are turned over; the sampler's trials, verdicts included, stay as they are."""
    wanted = {"control": SHARE, "budget": {"trials": 60}}
    before = run(plan(**wanted), tmp_path / "a", workers=3, order=1)
    _turn(monkeypatch, control=True)
    after = run(plan(**wanted), tmp_path / "b", workers=3, order=1)
    assert _came(before, control=True) != _came(after, control=True)
    size = min(len(shown(before, control=False)), len(shown(after, control=False)))
    assert size > 30
    assert shown(before, control=False)[:size] == shown(after, control=False)[:size]


def test_the_control_arm_is_judged_among_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    wanted = {"control": SHARE, "budget": {"trials": 60}}
    before = run(plan(**wanted), tmp_path / "a", workers=3, order=1)
    _turn(monkeypatch, control=False)
    after = run(plan(**wanted), tmp_path / "b", workers=3, order=1)
    assert _came(before, control=False) != _came(after, control=False)
    size = min(len(shown(before, control=True)), len(shown(after, control=True)))
    assert size > 20
    assert shown(before, control=True)[:size] == shown(after, control=True)[:size]
    assert {row[0] for row in shown(before, control=True)} >= {State.COMPLETE, State.PRUNED}


def test_what_the_other_arm_tried_is_trained_again(tmp_path: Path):
    """A duplicate is free and shown to nobody: answered from the other arm it would be suggested for ever."""
    space = {"model.family": "lenet", "model.width": {"choice": [0.25, 0.5]}, "optim.lr": {"choice": [0.01, 0.02]}}
    wanted = plan(space=space, control=0.5, budget={"trials": 8}, halving=None, constraints=[])
    history = run(wanted, tmp_path, workers=1, order=0)
    trained = [t for t in history.trials.values() if t.state is not State.DUPLICATE]
    counts = Counter((t.source == CONTROL, t.proposed) for t in trained)
    assert set(counts.values()) == {1}
    assert Counter(t.source == CONTROL for t in trained) == {True: 4, False: 4}


def test_an_extended_study_keeps_its_arms(tmp_path: Path):
    journal = MemoryJournal()
    run(plan(control=SHARE, budget={"trials": 12}), tmp_path / "a", workers=2, order=0, journal=journal)
    extended = run(plan(control=SHARE), tmp_path / "a", workers=5, order=1, journal=journal)
    assert table(extended) == table(run(plan(control=SHARE), tmp_path / "b", workers=1, order=2))


def test_asynchronous_searches_have_arms_too(tmp_path: Path):
    history = run(plan(control=SHARE, asynchronous=True), tmp_path, workers=3, order=0)
    assert sum(t.source == CONTROL for t in history.trials.values()) == sum(
        map(Arms(SHARE).control, range(len(history.trials)))
    )


def test_a_random_sampler_draws_the_same_with_and_without_a_control_arm(tmp_path: Path):
    wanted = {"sampler": {"name": "random"}, "halving": None, "constraints": [], "space": SPACE}
    one = run(plan(**wanted), tmp_path / "a", workers=1, order=0)
    other = run(plan(control=SHARE, **wanted), tmp_path / "b", workers=1, order=0)
    default = len([t for t in one.trials.values() if t.source == "default"])
    drawn = [_params(history)[default:] for history in (one, other)]
    assert drawn[0] == drawn[1]


def test_trials_of_both_arms_may_be_recommended(tmp_path: Path):
    search = plan(control=0.9, budget={"trials": 60})
    history = run(search, tmp_path, workers=3, order=0)
    number = recommendation(search.spec, search.space, history)
    assert number is not None
    assert history.trials[Key(trial=number)].state is State.COMPLETE
    assert history.trials[Key(trial=number)].source == CONTROL


SPACE = {"model.family": "lenet", "optim.lr": {"float": [1e-4, 1e-1], "log": True}}


def _params(history: History) -> list[object]:
    trials: list[Trial] = sorted(history.trials.values(), key=lambda trial: trial.number)
    return [trial.params for trial in trials]


def _turn(monkeypatch: pytest.MonkeyPatch, *, control: bool) -> None:
    """What is good in one arm is bad from now on."""
    height = ScriptedTraining.drawn.fget
    assert height is not None

    def drawn(self: ScriptedTraining) -> float:
        found = height(self)
        return 1 - found if Arms(SHARE).control(self.job.key.trial) is control else found

    monkeypatch.setattr(ScriptedTraining, "drawn", property(drawn))


def _came(history: History, *, control: bool) -> list[object]:
    return [row[3] for row in table(history) if Arms(SHARE).control(int(str(row[0]))) is control]
