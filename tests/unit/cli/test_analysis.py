"""`isoflop analyze` and `errors` on a made-up study, called as the command line does."""

from __future__ import annotations

import json
from dataclasses import replace
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
from tests.made_up import CONFIG, Writer, record

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
    assert "no machine told its energy: isoflop doctor says why of this one" in text


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


def test_analyze_tells_what_the_sampler_earns_and_what_energy_is_known(home: Path) -> None:
    study = {**SPEC["study"], "control": 0.5, "halving": None}
    writer = Writer(SqliteJournal(home / "journal.sqlite"), "s-2", spec={"space": SPACE, "study": study})
    for number, value in enumerate([0.5, 0.6, 0.8, 0.55]):
        facts = {"config": CONFIG, "source": "control" if number % 2 else "additive"}
        writer.trial(number, [value], State.COMPLETE, **facts)
    metered = replace(record(1, 0.7), measured={"joules_cpu": 1500.0, "joules_gpu": 500.0})
    writer.trial(4, (), config=CONFIG, source="additive")
    writer.write(Kind.RECORD, 4, index=1, payload=metered.to_dict())
    writer.write(Kind.END, 4, payload={"state": "COMPLETE", "reason": ""})
    text = said("analyze", "s-2")
    assert "what the sampler earns beside the control arm" in text
    assert "of 2 trials drawn at random 0.6, of the first 2 trials of additive 0.8 (0.2 better)" in text
    assert "one study is one draw" in text
    assert "2 kJ" in text
    assert "energy: 1.5 kJ of processors and 500 J of GPUs; 1 of 5 trainings whose energy is known throughout" in text
    found = json.loads(said("analyze", "s-2", "--json"))
    assert found["arms"]["first"]["gain"] == pytest.approx(0.2)
    assert found["arms"]["latest"]["best"] == pytest.approx(0.8)
    assert found["cost"]["study"]["joules_cpu"] == 1500.0
    assert [row["joules_gpu"] for row in found["cost"]["trials"]] == [None] * 4 + [500.0]


@pytest.mark.usefixtures("home")
def test_a_front_wants_two_or_three_quantities() -> None:
    with pytest.raises(InputError, match="no front"):
        said("analyze", "s-1", "--over", "flops")


def test_errors_show_images_pairs_classes_and_slices(home: Path) -> None:
    slices = home / "slices.csv"
    slices.write_text("image,third,half\n" + "".join(f"{place},first,a\n" for place in range(20)))
    text = said("errors", "s-1/9", "--slices", str(slices), "--by", "third", "--top", "3")
    assert "s-1/9 on val: " in text
    assert "60 images, 1 seed" in text
    assert "hardest images" in text
    assert "taken for each other, over all seeds" in text
    assert "slices by third, the lowest first" in text
    assert "by half" not in text
    found = json.loads(said("errors", "s-1/9", "--slices", str(slices), "--json"))
    assert [(row["by"], row["name"], row["images"]) for row in found["slices"]] == [
        ("third", "first", 20),
        ("half", "a", 20),
    ]
    assert set(found["slices"][0]) == {"by", "name", "images", "mean", "low", "high", "p", "worse"}
    found = json.loads(said("errors", "s-1/9", "--top", "3", "--by", "class", "--json"))
    assert {row["name"] for row in found["slices"]} == {"even", "odd"}
    assert len(found["hardest"]) == 3
    assert found["hardest"][0]["key"] == str(found["hardest"][0]["image"])
    assert {row["name"] for row in found["classes"]} == {"even", "odd"}


@pytest.mark.usefixtures("home")
def test_a_run_without_logits_is_refused() -> None:
    with pytest.raises(InputError, match="left no logits on val"):
        said("errors", "s-1/3")
    with pytest.raises(UnknownError, match="unknown run"):
        said("errors", "s-1/99")


@pytest.mark.usefixtures("home")
def test_images_are_sliced_only_by_what_there_is() -> None:
    with pytest.raises(InputError, match="cannot be sliced by 'brigtness'; did you mean 'brightness'"):
        said("errors", "s-1/9", "--by", "brigtness")
    with pytest.raises(InputError, match="the images of s-1/9 are gone, or other ones by now"):
        said("errors", "s-1/9", "--by", "brightness")
