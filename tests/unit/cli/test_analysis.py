"""`isoflop analyze` and `errors` on a made-up study, called as the command line does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from isoflop.cli.app import app
from isoflop.errors import InputError, UnknownError
from isoflop.evaluation.predictions import load_predictions
from isoflop.evaluation.report import report_of
from isoflop.journal.event import ARTIFACTS, Kind
from isoflop.journal.sqlite import SqliteJournal
from isoflop.records import State
from tests.made_up import CONFIG, Writer

SPACE = {"model.family": "resnet", "optim.lr": {"float": [1e-4, 1e-1], "log": True}}
SPEC = {"space": SPACE, "study": {"name": "digits", "data": "digits"}}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ISOFLOP_HOME", str(tmp_path))
    writer = Writer(SqliteJournal(tmp_path / "journal.sqlite"), "s-1", spec=SPEC)
    rng = np.random.default_rng(0)
    for number in range(12):
        facts = {"params": {"optim.lr": 1e-3 * (number + 1)}, "flops": 1e6 * (number + 1), "config": CONFIG}
        writer.trial(number, [0.5 + 0.03 * number], State.COMPLETE, **facts)
    writer.trial(12, [0.99], State.PRUNED)
    writer.stored(tmp_path, 9, 0, "val", rng.random(60) < 0.8)
    found = load_predictions(tmp_path / "s-1-9-0-val.npz")
    (tmp_path / "report.json").write_text(json.dumps(report_of(found, ("even", "odd"))))
    payload = {"path": "report.json", "sha256": ""}
    writer.write(Kind.ARTIFACT, 9, index=ARTIFACTS.index("val_report"), payload=payload)
    return tmp_path


def said(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.usefixtures("home")
def test_analyze_shows_front_importance_progress_and_cost() -> None:
    text = said("analyze", "s-1")
    assert "front over val_accuracy, flops: 12 of 12 trials, hypervolume 0." in text
    assert "optim.lr" in text
    assert "100.0%" in text
    assert "best val_accuracy so far" in text
    assert "gain of the last tenth of all trials, 2 trials, is 0.03" in text
    assert "PRUNED" in text


@pytest.mark.usefixtures("home")
def test_analyze_is_json_with_the_keys_of_the_contract() -> None:
    found = json.loads(said("analyze", "s-1", "--over", "val_accuracy", "--over", "parameters", "--json"))
    assert set(found) == {"study", "objective", "front", "importance", "anytime", "last_tenth", "arms", "cost"}
    assert found["front"]["quantities"] == {"val_accuracy": "maximize", "parameters": "minimize"}
    assert [row["number"] for row in found["front"]["front"]] == [11]
    assert found["front"]["hypervolume"] is None, "all have as many parameters"
    assert found["anytime"][-1]["trials"] == 13
    assert found["anytime"][-1]["best"] == pytest.approx(0.83)
    assert found["cost"]["study"]["flops"] == 13.0
    assert set(found["cost"]["states"]) == {"COMPLETE", "PRUNED"}
    assert len(found["cost"]["trials"]) == 13
    assert found["arms"] is None


@pytest.mark.usefixtures("home")
def test_a_front_wants_two_or_three_quantities() -> None:
    with pytest.raises(InputError, match="no front"):
        said("analyze", "s-1", "--over", "flops")


def test_errors_show_images_pairs_classes_and_slices(home: Path) -> None:
    slices = home / "slices.csv"
    slices.write_text("image,slice\n" + "".join(f"{place},first\n" for place in range(20)))
    text = said("errors", "s-1/9", "--slices", str(slices), "--top", "3")
    assert "s-1/9 on val: " in text
    assert "60 images, 1 seed" in text
    assert "hardest images" in text
    assert "taken for each other, over all seeds" in text
    assert "slices, the lowest first" in text
    found = json.loads(said("errors", "s-1/9", "--top", "3", "--json"))
    assert len(found["hardest"]) == 3
    assert found["hardest"][0]["key"] == str(found["hardest"][0]["image"])
    assert {row["name"] for row in found["classes"]} == {"even", "odd"}


@pytest.mark.usefixtures("home")
def test_a_run_without_logits_is_refused() -> None:
    with pytest.raises(InputError, match="left no logits on val"):
        said("errors", "s-1/3")
    with pytest.raises(UnknownError, match="unknown run"):
        said("errors", "s-1/99")
