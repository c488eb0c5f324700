"""What a journal says of a run, and what a file of it says again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isoflop.errors import InputError, UnknownError
from isoflop.journal.event import Kind
from isoflop.journal.memory import MemoryJournal
from isoflop.records import Key, State
from isoflop.reproduction.circumstances import circumstances
from isoflop.reproduction.recorded import Recorded, recorded
from tests.made_up import DATA, Writer, record

ORIGIN = {"code": "c1", "git_commit": "abc", "hardware": "a machine", "versions": {"torch": "2.15.0"}}


@pytest.fixture
def journal() -> MemoryJournal:
    """Finalists 0, with two seeds and a lost one, and 1; trial 2 is PRUNED, 3 and 4 did not end by training."""
    journal = MemoryJournal()
    writer = Writer(journal, "s", provenance=ORIGIN)
    config = {"model.family": "lenet", "optim.lr": 0.1, "train.reports": 2, "data.fold": None}
    for replicate, state in enumerate((State.COMPLETE, State.COMPLETE, State.FAILED)):
        writer.trial(0, [0.5, 0.6], state, replicate=replicate, config=config | {"optim.lr": 0.1 * (1 + replicate)})
    writer.trial(1, [0.5, 0.6], State.COMPLETE, config=config)
    writer.trial(2, [0.5], State.PRUNED, config=config)
    writer.trial(3, [], State.INFEASIBLE, config=config)
    writer.trial(4, [0.5], config=config)
    return journal


def read(journal: MemoryJournal, run: str, home: Path = Path("/nowhere")) -> Recorded:
    return recorded(run, journal.read("s"), home)


def test_a_row_is_all_its_seeds_and_a_replicate_one(journal: MemoryJournal):
    row = read(journal, "s/0")
    assert [(one.key, one.seed) for one in row.trainings] == [(Key(trial=0), 10), (Key(trial=0, replicate=1), 11)]
    assert (row.study, row.data["digest"], row.origin) == ("s", DATA["digest"], ORIGIN)
    assert [one.key for one in read(journal, "s/0.1").trainings] == [Key(trial=0, replicate=1)]
    assert [one.key for one in read(journal, "s/0.0").trainings] == [Key(trial=0)]
    (pruned,) = read(journal, "s/2").trainings
    assert (pruned.state, len(pruned.records)) == (State.PRUNED, 1)
    assert pruned.asked == ["train_loss", "val_accuracy", "val_loss"]


@pytest.mark.parametrize(
    ("run", "said"), [("s/0.2", "FAILED"), ("s/3", "INFEASIBLE"), ("s/4", "WAITING"), ("s/9", "is no run")]
)
def test_what_did_not_end_by_training_cannot_be_compared(journal: MemoryJournal, run: str, said: str):
    with pytest.raises(UnknownError, match=f"{run}: .*{said}.*isoflop trials s"):
        read(journal, run)


def test_a_training_comes_from_the_code_that_it_was_trained_with_last(journal: MemoryJournal):
    writer = Writer(journal, "t", provenance=ORIGIN)
    writer.trial(0, [0.5], State.COMPLETE, config={})
    writer.trial(1, [0.5], config={})
    writer.write(Kind.STUDY, index=1, payload={"spec": {}, "data": DATA, "provenance": ORIGIN | {"code": "c2"}})
    writer.write(Kind.RECORD, 1, index=2, payload=record(2, 0.6).to_dict())
    writer.write(Kind.END, 1, payload={"state": "COMPLETE"})
    first, second = (recorded(f"t/{number}", journal.read("t"), Path()) for number in (0, 1))
    assert (first.origin["code"], first.trainings[0].notes) == ("c1", ())
    assert second.origin["code"] == "c2"
    assert "c1 then c2" in second.trainings[0].notes[0]


def test_reports_of_a_larger_micro_batch_are_noted(journal: MemoryJournal):
    writer = Writer(journal, "t")
    writer.trial(0, [0.5], config={})
    retry = {"config": {"train.micro_batch": 8}, "fingerprint": "g", "reason": "memory"}
    writer.write(Kind.RETRY, 0, index=1, payload=retry)
    writer.write(Kind.END, 0, payload={"state": "PRUNED"})
    (found,) = recorded("t/0", journal.read("t"), Path()).trainings
    assert found.config == {"train.micro_batch": 8}
    assert "its first 1 reports are those of a larger micro-batch" in found.notes[0]


def test_stored_answers_are_found_where_they_are_kept(journal: MemoryJournal, tmp_path: Path):
    writer = Writer(journal, "t")
    for replicate in (0, 1):
        writer.trial(0, [0.5], State.COMPLETE, replicate=replicate, config={})
        writer.stored(tmp_path, 0, replicate, "val", np.array([True, False]))
    (tmp_path / "t-0-1-val.npz").unlink()  # thinned
    kept = [one.answers for one in recorded("t/0", journal.read("t"), tmp_path).trainings]
    assert kept == [tmp_path / "t-0-0-val.npz", None]


def test_a_file_says_what_the_journal_said_but_for_paths(journal: MemoryJournal, tmp_path: Path):
    row = read(journal, "s/0")
    again = Recorded.read(row.write(tmp_path / "run.json"))
    assert again == replace(row, study="", data={name: value for name, value in DATA.items() if name != "path"})
    assert json.loads((tmp_path / "run.json").read_text())["config"]["optim"] == {"lr": 0.1}
    assert "/data/digits" not in (tmp_path / "run.json").read_text()


@pytest.mark.parametrize("text", ["{}", "[1]", "no JSON", '{"schema": 99}'])
def test_what_is_no_record_is_refused_in_a_line(tmp_path: Path, text: str):
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"run\.json: (is no record of a run|has schema 99)") as error:
        Recorded.read(path)
    assert len(error.value.faults) == 1


def test_what_is_other_is_said_a_line_each_and_what_is_not_known_is_none():
    then = ORIGIN | {"lock_hash": "l1"}
    now = {
        "code": "c2",
        "hardware": "another",
        "lock_hash": "",
        "versions": {"torch": "2.16.0", "timm": "1.0"},
    }
    assert list(circumstances(then, now)) == [
        "code of the training core: was c1, is c2",
        "hardware: was a machine, is another",
        "torch: was 2.15.0, is 2.16.0",
    ]
    assert list(circumstances(then, then)) == []
    assert list(circumstances({}, now)) == []
