"""What `isoflop trials` and `isoflop space check` show of what was solved."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from isoflop.cli import main
from isoflop.cli.listing import solved
from isoflop.home import VARIABLE, Home
from isoflop.journal.sqlite import SqliteJournal
from isoflop.records import State
from isoflop.spec import spec_from_tree
from tests.made_up import SPEC, Writer


def test_trials_show_what_was_solved_and_by_how_much_it_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    home = Home(tmp_path)
    study = {**SPEC["study"], "equal": {"flops": 2.5e6, "by": "depth"}}
    writer = Writer(SqliteJournal(home.ensure().journal), "s-1", spec={**SPEC, "study": study})
    writer.trial(0, [0.5], State.COMPLETE)
    writer.trial(1, state=State.INFEASIBLE, flops=0.0)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["isoflop", "trials", "s-1"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split()[5:9] == ["flops", "off", "solved", "model.depth"]
    assert "-20.0%  1.5" in first
    assert "INFEASIBLE" in second
    assert "%" not in second


def test_a_space_shows_what_is_solved_for_each_family():
    tree = {
        "space": {"model.family": {"choice": ["resnet", "vit"]}},
        "study": {"equal": {"flops": 6e6, "families": {"vit": "depth"}}},
    }
    rows = list(solved(spec_from_tree(tree, where="test", name="test")))
    assert [(row["key"], row["when"]) for row in rows] == [
        ("model.width", "model.family is resnet"),
        ("model.depth", "model.family is vit"),
    ]
    assert rows[0]["range"] == "6 M FLOPs within 5%"
    assert not list(solved(spec_from_tree({**tree, "study": None}, where="test", name="test")))
