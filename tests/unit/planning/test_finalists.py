"""Which trainings finalists are, and what counts of those that stand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.planning.finalists import FinalistsPlan, numbered
from isoflop.records import State, Trial
from tests.made_up import CONFIG, Writer


def trial(number: int) -> Trial:
    fields = {"params": {}, "config": CONFIG, "seed": 1, "parameters": 1, "flops": 1.0, "source": "tpe"}
    return Trial(number=number, fingerprint=f"f{number}", proposed=f"f{number}", **fields)


Asked = Callable[[History], FinalistsPlan]


def plan(*numbers: int, seeds: int = 2) -> Asked:
    """A plan as it is made when the study goes on with what it has."""

    def made(history: History) -> FinalistsPlan:
        chosen = numbered("s", [trial(number) for number in numbers], history.trials.values())
        return FinalistsPlan(study="s", chosen=chosen, seeds=seeds, seed=0)

    return made


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


def trained(journal: MemoryJournal, asked: Asked, writer: Writer, limit: int = 99) -> list[str]:
    """What a plan starts, one after another, as KEY:SOURCE."""
    started: list[str] = []
    decide = asked(History.fold(journal.read("s-finalists")))
    while len(started) < limit:
        decision = decide(History.fold(journal.read("s-finalists")))
        if decision.start is None:
            assert decision.finished
            break
        key, source = decision.start.key, decision.start.source
        writer.trial(key.trial, [0.9], State.COMPLETE, replicate=key.replicate, source=source)
        started.append(f"{key}:{source}")
    return started


def test_every_finalist_has_its_first_seed_before_any_has_its_second(journal: MemoryJournal):
    writer = Writer(journal, "s-finalists")
    assert trained(journal, plan(7, 3), writer) == ["0:s/7", "1:s/3", "0.1:s/7", "1.1:s/3"]


@pytest.mark.parametrize("broken_off", [0, 1, 2, 3])
def test_a_plan_that_was_broken_off_goes_on_with_the_same_numbers(journal: MemoryJournal, broken_off: int):
    writer = Writer(journal, "s-finalists")
    begun = trained(journal, plan(7, 3), writer, limit=broken_off)
    assert [*begun, *trained(journal, plan(7, 3), writer)] == ["0:s/7", "1:s/3", "0.1:s/7", "1.1:s/3"]


def test_more_finalists_and_more_seeds_leave_what_was_trained_alone(journal: MemoryJournal):
    writer = Writer(journal, "s-finalists")
    trained(journal, plan(7, 3, seeds=1), writer)
    assert trained(journal, plan(7, 3, 5, seeds=2), writer) == ["2:s/5", "0.1:s/7", "1.1:s/3", "2.1:s/5"]
    assert trained(journal, plan(7, seeds=1), writer) == []


def test_a_trial_that_came_to_the_front_later_gets_a_number_of_its_own(journal: MemoryJournal):
    writer = Writer(journal, "s-finalists")
    trained(journal, plan(7, 3, seeds=1), writer)
    assert trained(journal, plan(9, 7, seeds=1), writer) == ["2:s/9"]
