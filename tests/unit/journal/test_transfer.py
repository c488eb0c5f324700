"""Studies carried from one journal to another as lines of text."""

from __future__ import annotations

import json

import pytest

from isoflop.errors import StateError
from isoflop.journal.memory import MemoryJournal
from isoflop.journal.transfer import dump, load
from isoflop.records import State
from tests.made_up import Writer


@pytest.fixture
def lines():
    journal = MemoryJournal()
    writer = Writer(journal, "s")
    writer.trial(0, [0.5, float("nan")], State.COMPLETE)
    return list(dump(journal, "s"))


def test_a_study_arrives_whole_and_once(lines):
    other = MemoryJournal()
    assert load(other, "s", lines, holder="me") == len(lines) == 5
    assert list(dump(other, "s")) == lines
    assert load(other, "s", lines, holder="me") == 0
    assert other.running("s") is None


@pytest.mark.parametrize(
    "torn",
    [
        lambda line: line[:-5],
        lambda line: json.dumps({**json.loads(line), "kind": "dreamt"}),
        lambda line: json.dumps({**json.loads(line), "mood": "good"}),
        lambda line: "{}",
        lambda line: "[]",
        lambda line: "",
    ],
)
def test_of_a_torn_or_newer_copy_nothing_is_taken(lines, torn):
    lines[3] = torn(lines[3])
    other = MemoryJournal()
    with pytest.raises(StateError, match=r"line 4 is no event that this version knows .*upgrade isoflop") as error:
        load(other, "s", lines, holder="me")
    assert "\n" not in str(error.value)
    assert other.studies() == []
