"""`isoflop ledger`, and what the leaderboard says of openings."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from isoflop.cli import main
from isoflop.home import VARIABLE, Home
from isoflop.journal.event import Kind
from isoflop.journal.history import History
from isoflop.journal.sqlite import SqliteJournal
from isoflop.ledger import due
from isoflop.records import Key, State
from tests.made_up import Writer


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finalist on two seeds, of whose answers on the test set one stands."""
    journal = SqliteJournal(Home(tmp_path).ensure().journal)
    Writer(journal, "s").trial(4, [0.9], State.COMPLETE)
    writer = Writer(journal, "s-finalists", plan="finalists", parent="s")
    for replicate in range(2):
        writer.trial(0, [0.9], State.COMPLETE, replicate=replicate, source="s/4")
    both = [Key(trial=0), Key(trial=0, replicate=1)]
    opening = due("s-finalists", History.fold(journal.read("s-finalists")), both)
    assert opening is not None
    writer.write(Kind.OPENING, payload=opening)
    writer.opened(0, 0, 0.95)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["isoflop", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("words", [(), ("digits",), ("d1",)])
def test_the_ledger_lists_every_training_and_counts(
    home: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, "ledger", *words) == 0
    header, first, second, count = capsys.readouterr().out.splitlines()
    assert header.split() == ["opened", "run", "version", "seed", "data", "digest", "why", "read"]
    assert ("s-finalists/0.1" in first, first.split()[-1]) == (True, "no")
    assert ("s-finalists/0 " in second, second.split()[-1]) == (True, "yes")
    assert count == "test set of digits (d1): opened once, for 2 trainings of 1 recipe in 1 study"


def test_the_ledger_as_json(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert run(monkeypatch, "ledger", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["run"], row["seed"], row["read"]) for row in rows] == [
        ("s-finalists/0.1", 11, False),
        ("s-finalists/0", 10, True),
    ]


def test_unknown_data_is_one_line(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert run(monkeypatch, "ledger", "digit") == 2
    assert "did you mean 'digits'" in capsys.readouterr().err


def test_the_leaderboard_says_how_often_the_test_set_was_opened(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, "leaderboard") == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "test set of digits (d1): opened once, for 2 trainings of 1 recipe in 1 study; see: isoflop ledger"
    )
