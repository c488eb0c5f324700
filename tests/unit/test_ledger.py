"""What the ledger keeps of test openings, and which it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from isoflop.errors import InputError, UnknownError
from isoflop.journal.event import Kind
from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.ledger import counts, due, entries, ledger, version_of
from isoflop.records import Key, State
from isoflop.tracking.store import Store
from tests.made_up import CONFIG, DATA, SPEC, Writer

STUDY = "s-finalists"
FIRST = [Key(trial=0), Key(trial=1)]


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def writer(journal: MemoryJournal) -> Writer:
    """Two finalists that were trained."""
    made = Writer(journal, STUDY, plan="finalists", parent="s")
    for number in range(2):
        made.trial(number, [0.9], State.COMPLETE, source=f"s/{number}", config=CONFIG | {"optim.lr": 0.1 + number})
    return made


def history(journal: MemoryJournal) -> History:
    return History.fold(journal.read(STUDY))


def announce(writer: Writer, payload: dict[str, Any] | None, index: int = 0) -> None:
    assert payload is not None
    writer.write(Kind.OPENING, index=index, payload=payload)


def spec(**study: Any) -> dict[str, Any]:
    return {**SPEC, "study": {**SPEC["study"], **study}}


def test_an_opening_is_announced_once_and_then_due_no_more(journal: MemoryJournal, writer: Writer):
    found = due(STUDY, history(journal), FIRST)
    assert found == {
        "version": version_of({"spec": SPEC}),
        "data_digest": "d1",
        "why": "finalists of the study",
        "again": False,
        "trainings": [{"trial": 0, "replicate": 0}, {"trial": 1, "replicate": 0}],
    }
    announce(writer, found)
    assert due(STUDY, history(journal), FIRST) is None, "it may have been broken off, and is finished"
    writer.opened(0, 0, 0.95)
    writer.opened(1, 0, 0.9)
    assert due(STUDY, history(journal), FIRST) is None


def test_a_second_opening_for_the_same_version_is_refused_with_the_remedy(journal: MemoryJournal, writer: Writer):
    announce(writer, due(STUDY, history(journal), FIRST))
    writer.trial(1, [0.9], State.COMPLETE, replicate=1, source="s/1")
    more = [*FIRST, Key(trial=1, replicate=1)]
    with pytest.raises(InputError) as refused:
        due(STUDY, history(journal), more)
    (fault,) = refused.value.faults
    version = version_of({"spec": SPEC})
    assert fault.where == f"study {STUDY}"
    assert f"its version {version} has opened the test set of digits (d1) on 1970-01-01 for 2 trainings" in fault.what
    assert "1 more would open it again" in fault.what
    assert "isoflop extend s;" in fault.remedy
    assert 'isoflop finalists s --open-again "WHY"' in fault.remedy


def test_a_second_opening_that_is_asked_for_is_recorded_with_its_reason(journal: MemoryJournal, writer: Writer):
    announce(writer, due(STUDY, history(journal), FIRST))
    writer.trial(1, [0.9], State.COMPLETE, replicate=1, source="s/1")
    found = due(STUDY, history(journal), [*FIRST, Key(trial=1, replicate=1)], again="a third seed")
    assert found is not None
    assert (found["again"], found["why"], found["trainings"]) == (True, "a third seed", [{"trial": 1, "replicate": 1}])
    announce(writer, found, index=1)
    rows = list(entries(STUDY, history(journal)))
    assert [(one.run, one.opening, one.again, one.why) for one in rows][-1] == (f"{STUDY}/1.1", 1, True, "a third seed")


def test_a_new_version_of_the_study_may_open_the_test_set_once_more(journal: MemoryJournal, writer: Writer):
    announce(writer, due(STUDY, history(journal), FIRST))
    facts = {"name": "digits", "plan": "finalists", "data": DATA, "parent": "s"}
    writer.write(Kind.STUDY, index=1, payload=facts | {"spec": spec(budget={"trials": 80})})
    writer.trial(2, [0.95], State.COMPLETE, source="s/60")
    found = due(STUDY, history(journal), [*FIRST, Key(trial=2)])
    assert found is not None
    assert (found["again"], found["trainings"]) == (False, [{"trial": 2, "replicate": 0}])


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"finalists": {"top": 9}}, True),
        ({"resources": {"workers": 4}}, True),
        ({"name": "other"}, True),
        ({"budget": {"trials": 80}}, False),
        ({"sampler": {"name": "random"}}, False),
    ],
)
def test_what_makes_a_new_version(change: dict[str, Any], *, same: bool):
    assert (version_of({"spec": spec(**change)}) == version_of({"spec": SPEC})) is same


def test_the_ledger_says_who_when_what_and_why(journal: MemoryJournal, writer: Writer, tmp_path: Path):
    announce(writer, due(STUDY, history(journal), FIRST))
    began = writer.clock
    writer.opened(0, 0, 0.95)
    first, second = ledger(Store(journal, tmp_path))
    assert first.to_dict() == {
        "study": STUDY,
        "version": version_of({"spec": SPEC}),
        "run": f"{STUDY}/1",
        "seed": 10,
        "source": "s/1",
        "recipe": first.recipe,
        "data": "digits",
        "digest": "d1",
        "why": "finalists of the study",
        "again": False,
        "opening": 0,
        "time": began,
        "read": False,
    }
    assert first.recipe != second.recipe
    assert (second.run, second.time, second.read) == (f"{STUDY}/0", began + 1, True)


def test_how_often_a_test_set_was_opened_by_how_many_recipes(journal: MemoryJournal, writer: Writer, tmp_path: Path):
    announce(writer, due(STUDY, history(journal), FIRST))
    other = Writer(journal, "t-finalists", plan="finalists", parent="t")
    for replicate in range(2):
        config = CONFIG | {"optim.lr": 0.1, "fused.members": 2, "fused.place": replicate, "train.micro_batch": 8}
        other.trial(0, [0.9], State.COMPLETE, replicate=replicate, source="t/4", config=config)
    asked = [Key(trial=0), Key(trial=0, replicate=1)]
    announce(other, due("t-finalists", History.fold(journal.read("t-finalists")), asked))
    store = Store(journal, tmp_path)
    (found,) = counts(ledger(store))
    assert str(found) == "test set of digits (d1): opened twice, for 4 trainings of 2 recipes in 2 studies"
    assert ledger(store, "digits") == ledger(store, "d1") == ledger(store)
    with pytest.raises(UnknownError, match="no study stands on data 'digit'; did you mean 'digits'"):
        ledger(store, "digit")


def test_an_opening_from_before_there_were_announcements_counts(journal: MemoryJournal, writer: Writer):
    writer.opened(0, 0, 0.95)
    (row,) = entries(STUDY, history(journal))
    assert (row.run, row.time, row.read, row.version) == (
        f"{STUDY}/0",
        writer.clock,
        True,
        version_of({"spec": SPEC}),
    )
    with pytest.raises(InputError, match="1 more would open it again"):
        due(STUDY, history(journal), FIRST)
