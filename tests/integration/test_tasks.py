"""A study of several labels an image, from the data set to the leaderboard, and what a study may ask of a task."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from isoflop.cli import main
from isoflop.config import TrialConfig
from isoflop.data import open_prepared, prepare
from isoflop.errors import InputError
from isoflop.evaluation.predictions import load_predictions
from isoflop.evaluation.report import report_of
from isoflop.home import VARIABLE, Home
from isoflop.prediction import load_model
from isoflop.spec import Spec, spec_from_tree
from isoflop.study import Bench, finalists, fitted, hidden, override, search
from isoflop.tasks import MULTILABEL
from isoflop.trial import TrialRun, run_trial

CPU = torch.device("cpu")
SPACE = {"model.family": "lenet", "model.stem": 1, "optim.name": "adamw", "optim.lr": {"float": [1e-3, 1e-2]}}
STUDY = {
    "data": "digits_attributes",
    "fidelity": {"horizon": 1, "reports": 2},
    "halving": None,
    "budget": {"trials": 2},
    "finalists": {"top": 1, "seeds": 2},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A state folder of its own: a search here opens the test set."""
    place = Home(tmp_path_factory.mktemp("tasks"))
    for name in ("digits", "digits_attributes"):
        prepare(name, root=place.data)
    return place


def spec(**study: object) -> Spec:
    return spec_from_tree({"space": SPACE, "study": {**STUDY, **study}}, where="x", name="x")


def isoflop(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["isoflop", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_a_study_of_several_labels(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv(VARIABLE, str(home.path))
    bench = Bench.here(executor="inline")
    done = search(spec(), study="several", bench=bench)
    (objective,) = done.spec.study.objectives
    assert (objective.metric, objective.sign) == ("val_map", 1)
    for trial in done.trials:
        assert all(record.metrics["val_map"] > 0.2 for record in trial.records), "an objective is in every report"
        assert ["val_auroc" in record.metrics for record in trial.records] == [False, True]
        folder = home.artifacts("several", trial.key)
        assert sorted(path.name for path in folder.iterdir()) == ["val_predictions.npz", "val_report.json"]
        found, classes = (
            load_predictions(folder / "val_predictions.npz"),
            open_prepared(home.data / STUDY["data"]).classes,
        )
        report = json.loads((folder / "val_report.json").read_bytes())
        assert report == report_of(found, classes)
        assert report["metrics"]["map"] == pytest.approx(trial.value("val_map"), abs=2e-3)
    final = finalists("several", bench=bench)
    (result,) = final.store.results(final.id)
    assert (result.task, result.pick, len(result.values["test_map"])) == (MULTILABEL, "val_map", 2)
    assert result.hits["test"].mean(axis=1).tolist() == pytest.approx(list(result.values["test_exact_match"]))

    assert isoflop(monkeypatch, "metrics", "several-finalists/0", "--split", "test", "--json") == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["map"] == pytest.approx(
        result.values["test_map"][0], abs=2e-3
    )
    assert isoflop(monkeypatch, "metrics", "several/1") == 0
    assert "average precision" in capsys.readouterr().out
    assert isoflop(monkeypatch, "leaderboard", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["pick"], set(row["metrics"]["test_map"])) == ("val_map", {"mean", "low", "high", "seeds", "images"})

    model = load_model("several-finalists/0")
    images, labels = open_prepared(home.data / STUDY["data"]).split("val")
    said = model.predict(images)
    assert said.shape == labels.shape
    stored = load_predictions(home.artifacts("several-finalists", final.trials[0].key) / "val_predictions.npz")
    assert (said == (stored.logits > 0)).all()
    assert ((model.probabilities(images) > 0.5) == said).all()
    file = home.path / "one.png"
    Image.fromarray(images[0, 0]).save(file)
    (answer,) = model.predict_files([file], top=4)
    assert {guess["class"] for guess in answer["classes"]} == set(model.classes)


def test_predictions_of_a_search_are_kept_within_bounds(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, str(home.path))
    done = search(spec(resources={"predictions": 0}), study="none", bench=Bench.here(executor="inline"))
    left = [path.name for trial in done.trials for path in home.artifacts("none", trial.key).iterdir()]
    assert left == ["val_report.json"] * 2


def test_what_a_task_does_not_have_is_refused_when_a_study_starts(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, str(home.path))
    wrong = spec(objectives=["val_accuracy", "flops"], constraints=["val_top5_accuracy >= 0.5"])
    with pytest.raises(InputError) as caught:
        search(wrong, study="wrong", bench=Bench.here(executor="inline"))
    first, second = map(str, caught.value.faults)
    assert first.startswith(
        "study.objectives.0: data set digits_attributes (multilabel, 4 classes) has no val_accuracy;"
    )
    assert "it has: val_map, " in first
    assert second.startswith("study.constraints.0: data set digits_attributes (multilabel, 4 classes) has no val_top5")
    with pytest.raises(InputError, match="has no val_map"):
        fitted(spec(objectives=["val_map"]), open_prepared(home.data / "digits"))


def test_only_a_spec_without_objectives_takes_the_task_s(home: Home):
    digits = open_prepared(home.data / "digits")
    assert [one.metric for one in fitted(spec(), digits).study.objectives] == ["val_accuracy"]
    several = open_prepared(home.data / "digits_attributes")
    changed = override(spec(), trials=9)
    assert changed.study.budget.trials == 9
    assert [one.metric for one in fitted(changed, several).study.objectives] == ["val_map"]
    again = spec_from_tree(fitted(changed, several).tree(), where="x", name="x")
    assert fitted(again, several).study == fitted(changed, several).study
    asked = spec(objectives=["val_macro_f1", "flops"], constraints=["val_loss <= 2", "parameters <= 1e6"])
    assert fitted(override(asked, seed=1), several).study.objectives == asked.study.objectives
    assert asked.study.asked == ("val_macro_f1", "val_loss")


def test_a_study_that_does_not_see_small_classes_is_told_so(tmp_path: Path):
    generator = np.random.default_rng(0)
    for name, count in (("a", 60), ("b", 12)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for place in range(count):
            pixels = generator.integers(0, 256, (8, 8), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{place}.png")
    prepared = open_prepared(prepare(str(tmp_path / "set"), root=tmp_path / "data").path)
    (line,) = hidden(spec().study, prepared)
    assert line == (
        "data set set: balance: 'a' has 42 training images, 'b' 8 (5.25 to 1), and accuracy hides small classes; "
        "use objectives: [val_balanced_accuracy], and loss.class_weights: balanced or data.balance: 1"
    )
    assert not list(hidden(spec(objectives=["val_balanced_accuracy"]).study, prepared))


@pytest.mark.parametrize("name", ["digits", "digits_attributes"])
def test_a_weighted_focal_training_that_is_cut_goes_on_bit_for_bit(home: Home, tmp_path: Path, name: str):
    made = {"model.family": "lenet", "data.name": name, "train.horizon": 1, "train.reports": 2, "train.micro_batch": 24}
    loss = {"loss.name": "focal", "loss.class_weights": "effective", "loss.label_smoothing": 0.1}
    config = TrialConfig.from_params(made | loss)

    def run() -> TrialRun:
        return run_trial(config, 3, data=home.data / name, checkpoints=tmp_path, device=CPU, asked=["val_auroc"])

    whole, cut = list(run()), run()
    head = next(cut)
    cut.save(1)
    again = run()
    assert [head.metrics, *(record.metrics for record in again)] == [record.metrics for record in whole]
    assert all("val_auroc" in record.metrics for record in whole)
    left = [{one.kind: one.sha256 for one in done.finish(tmp_path, weights=False)} for done in (again, resumed(run))]
    assert left[0] == left[1]
    assert set(left[0]) == {"val_predictions", "val_report"}


def resumed(run: Callable[[], TrialRun]) -> TrialRun:
    """A training that was cut after its last report: what it leaves is found again."""
    done = run()
    last = [record.report for record in done][-1]
    done.save(last)
    again = run()
    assert list(again) == []
    return again
