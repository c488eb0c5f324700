"""Trainings that begin with, or learn from, what others left."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from isoflop.cli import main
from isoflop.compound.study import scaling_plan
from isoflop.config import AdversaryConfig, TrialConfig
from isoflop.data import open_prepared, prepare
from isoflop.errors import DataError, InputError, SpecError, UnknownError
from isoflop.home import VARIABLE, Home
from isoflop.models.pretrained.store import add_own
from isoflop.outcome import load_study
from isoflop.planning.scaling.plan import ScalingPlan
from isoflop.records import State
from isoflop.spec import spec_from_tree
from isoflop.starts import add_trained
from isoflop.trained import predict_attacked, predict_split
from isoflop.trial import TrialRun, run_trial
from isoflop.weights import About, Origin, listed

CPU = torch.device("cpu")
RESNET = {"model.family": "resnet", "model.depth": 0.5, "model.width": 0.125, "optim.lr": 0.05}
PLAIN = {"data.name": "digits", "train.horizon": 0.6, "train.reports": 2, "augment.crop": 1}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A state folder of its own: a search here opens the test set of the digits too."""
    place = Home(tmp_path_factory.mktemp("starts"))
    prepare("digits", root=place.data)
    return place


def begun(home: Home, weights: Path | None = None, **params: Any) -> TrialRun:
    where = {key: params.pop(key) for key in ("checkpoints",) if key in params}
    config = TrialConfig.from_params({**RESNET, **PLAIN, **params})
    files = {weights.stem: weights} if weights else None
    return run_trial(config, 3, data=home.data / "digits", weights=files, device=CPU, **where)


def stored(run: TrialRun, folder: Path) -> Path:
    """The weights of a run that is finished first."""
    spent = [record.flops for record in run][-1]
    run.finish(folder / "trained")
    return add_trained(folder / "trained", spent=spent, folder=folder)


@pytest.fixture(scope="module")
def teacher(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(begun(home, **{"train.horizon": 2.0}), tmp_path_factory.mktemp("teacher"))


def metrics(records: Any) -> list[tuple[int, dict[str, float]]]:
    return [(record.step, dict(record.metrics)) for record in records]


def other_classes(path: Path, folder: Path, labels: tuple[str, ...]) -> Path:
    """The same weights as if they told other classes apart."""
    about = About.read(path)
    assert about.origin is not None
    weights = load_file(path)
    for key in ("head.1.weight", "head.1.bias"):
        weights[key] = weights[key][: len(labels)]
    return add_own(weights, replace(about.origin, labels=labels), folder=folder, source="test")


def test_a_run_is_stored_by_its_content_with_what_it_took(teacher: Path, home: Home, tmp_path: Path):
    again = stored(begun(home, **{"train.horizon": 2.0}), tmp_path)
    assert again.name == teacher.name
    assert teacher.stem.startswith("resnet-run-")
    (row,) = listed(teacher.parent)
    assert (row["method"], row["channels"], row["classes"], row["pixels"]) == ("run", 1, 10, 8)
    run = begun(home, **{"train.horizon": 2.0})
    assert row["spent"] == run.fit.length.spent(run.fit.length.steps)
    origin = About.read(teacher).origin
    assert origin is not None
    assert origin.forward == run.fit.length.flops
    assert TrialConfig.model_validate(origin.config) == run.config
    assert origin.labels == run.prepared.classes


def test_a_training_goes_on_from_all_weights_of_a_run_on_the_same_classes(teacher: Path, home: Home):
    free = {"model.dropout": 0.1, "model.drop_path": 0.1}
    run = begun(home, teacher, **{"model.weights": teacher.stem, **free})
    found, expected = run.net.state_dict(), load_file(teacher)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    first, fresh = next(run).metrics["val_loss"], next(begun(home)).metrics["val_loss"]
    assert first < fresh


@pytest.mark.parametrize("labels", [tuple("abcdefghij"), tuple("abcd")])
def test_the_head_is_drawn_from_the_seed_where_classes_differ_in_number_or_names(
    teacher: Path, home: Home, tmp_path: Path, labels: tuple[str, ...]
):
    other = other_classes(teacher, tmp_path, labels)
    run, fresh = begun(home, other, **{"model.weights": other.stem}), begun(home)
    expected = load_file(teacher)
    for key, value in run.net.state_dict().items():
        assert torch.equal(value, fresh.net.state_dict()[key] if key.startswith("head.") else expected[key])


def test_size_and_channels_adapt(teacher: Path, home: Home):
    run = begun(home, teacher, **{"model.weights": teacher.stem, "model.resolution": 16})
    assert all(torch.equal(value, load_file(teacher)[key]) for key, value in run.net.state_dict().items())
    from isoflop.models import build
    from isoflop.models.pretrained.load import load

    model = TrialConfig.from_params({**RESNET, "data.name": "x", "model.weights": teacher.stem}).model
    net = build(model, image=(3, 8, 8), classes=10, seed=0)
    load(net, teacher, model, labels=run.prepared.classes)
    first = next(key for key, value in net.state_dict().items() if value.ndim == 4)
    torch.testing.assert_close(net.state_dict()[first].sum(1, keepdim=True), load_file(teacher)[first])


@pytest.mark.parametrize(
    ("params", "line"),
    [
        (
            {"model.width": 0.25},
            r"^model.weights: .*-run-\S+ fit a net of the same settings alone, and model.width is 0.25; set",
        ),
        (
            {"model.norm": "group", "model.stem": 2},
            r"model.stem is 2, model.norm is group; set model.stem: 1, model.norm: batch",
        ),
        ({"model.family": "vit", "model.depth": 0.1, "model.stem": 2}, r"are not weights of vit ti"),
    ],
)
def test_a_net_of_other_settings_is_refused_in_one_line(teacher: Path, home: Home, params: dict[str, Any], line: str):
    with pytest.raises(SpecError, match=line) as caught:
        begun(home, teacher, **{"model.weights": teacher.stem, **params})
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize("key", ["model.weights", "distill.teacher"])
def test_a_missing_or_damaged_file_is_refused(teacher: Path, home: Home, tmp_path: Path, key: str):
    copy = tmp_path / teacher.name
    with pytest.raises(UnknownError, match="there are no weights"):
        begun(home, copy, **{key: teacher.stem})
    copy.write_bytes(teacher.read_bytes()[:-9])
    with pytest.raises(DataError, match="is torn"):
        begun(home, copy, **{key: teacher.stem})


OTHERWISE: dict[str, dict[str, Any]] = {"finer": {"resolution": 16}, "other": {"seed": 1}}
RECIPES: dict[str, dict[str, Any]] = {
    "distill": {"loss.label_smoothing": 0.1},
    "distill, other settings": {"model.resolution": 16, "train.micro_batch": 24, "train.freeze": True},
    "fgsm": {"adversary.name": "fgsm", "adversary.share": 0.5, "model.dropout": 0.2},
    "pgd": {"adversary.name": "pgd", "adversary.steps": 2, "train.micro_batch": 24},
    "both": {"adversary.name": "fgsm", "model.drop_path": 0.1},
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_objective_repeats_and_goes_on_bit_for_bit(recipe: str, teacher: Path, home: Home, tmp_path: Path):
    taught = {"distill.teacher": teacher.stem} if recipe.startswith(("distill", "both")) else {}
    params = {**RECIPES[recipe], **taught, "train.horizon": 0.3}
    whole = metrics(begun(home, teacher, **params))
    first = begun(home, teacher, **params, checkpoints=tmp_path)
    head = [next(first)]
    first.save(1)
    torch.rand(3)
    assert metrics(head) + metrics(begun(home, teacher, **params, checkpoints=tmp_path)) == whole
    without = {key: value for key, value in params.items() if not key.startswith(("distill", "adversary"))}
    assert metrics(begun(home, **without)) != whole


def test_what_a_teacher_and_attacks_cost_is_counted(teacher: Path, home: Home):
    length = begun(home).fit.length
    taught = begun(home, teacher, **{"distill.teacher": teacher.stem, "train.freeze": True}).fit.length
    attacked = begun(home, **{"adversary.name": "pgd", "adversary.steps": 3}).fit.length
    images = length.flops * length.batch
    assert [one.spent(1) / images for one in (length, taught, attacked)] == [3, 1 + 1, 3 + 6]


@pytest.mark.parametrize(
    ("labels", "line"), [(tuple("abcd"), "tell 4 classes apart, the data 10: '0'"), ((), "not trained on")]
)
def test_a_teacher_of_other_classes_is_refused(
    teacher: Path, home: Home, tmp_path: Path, labels: tuple[str, ...], line: str
):
    other = other_classes(teacher, tmp_path, labels)
    with pytest.raises(SpecError, match=f"^distill.teacher: .*{line}"):
        begun(home, other, **{"distill.teacher": other.stem})


@pytest.mark.parametrize("key", ["model.weights", "distill.teacher"])
def test_weights_that_know_what_validates_are_refused(teacher: Path, home: Home, tmp_path: Path, key: str):
    known, manifest = About.read(teacher).origin, open_prepared(home.data / "digits").manifest
    assert known is not None
    older = replace(known, data=manifest.digest)
    finer, other = (prepare("digits", root=tmp_path / name, **how).path for name, how in OTHERWISE.items())

    def train(data: Path, origin: Origin, **params: Any) -> None:
        weights = add_own(load_file(teacher), origin, folder=tmp_path, source="test")
        config = TrialConfig.from_params({**RESNET, **PLAIN, key: weights.stem, **params})
        run_trial(config, 3, data=data, weights={weights.stem: weights}, device=CPU)

    with pytest.raises(SpecError, match=rf"^{key}: resnet-.* learned on images of this set, which validate in turn"):
        train(home.data / "digits", older, **{"data.folds": 3})
    newer = replace(older, request=manifest.origin()["request"])
    train(finer, newer)
    train(other, older)  # nothing tells
    with pytest.raises(
        SpecError, match=rf"^{key}: resnet-.* in other splits: some of them validate or test here; train"
    ):
        train(other, newer)
    with pytest.raises(SpecError, match="validate in turn"):
        train(finer, newer, **{"data.folds": 3})


def test_accuracy_under_attack_falls_and_repeats(teacher: Path, home: Home):
    run = begun(home, teacher, **{"model.weights": teacher.stem})
    clean, labels = predict_split(run.net, run.prepared, "val", CPU, size=64)
    config = AdversaryConfig(name="pgd", epsilon=0.2, steps=5)
    attacked = [
        predict_attacked(run.net, run.prepared, "val", CPU, size=64, adversary=config, seed=seed)[0]
        for seed in (0, 0, 1)
    ]
    assert (attacked[0] == attacked[1]).all()
    assert (attacked[0] != attacked[2]).any()
    hits = [(logits.argmax(1) == labels).mean() for logits in (clean, attacked[0])]
    assert hits[1] < hits[0] - 0.2


SPEC = """
space:
  model: {{family: resnet, depth: 0.5, width: {width}, weights: {name}}}
  distill.teacher: {teacher}
  optim.lr: {{float: [0.01, 0.1], log: true}}
study:
  data: digits
  fidelity: {{axis: flops, horizon: 2e9, reports: 2}}
  halving: null
  budget: {{trials: 1, flops: 1e12}}
  finalists: {{top: 1, seeds: 1}}
"""


def isoflop(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    """The command line in this process, which has torch already; its exit code."""
    monkeypatch.setattr(sys, "argv", ["isoflop", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(str(caught.value.code))


def test_a_finalist_is_added_and_a_study_begins_with_it_and_learns_from_it(
    home: Home, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv(VARIABLE, str(home.path))
    home.weights.mkdir(exist_ok=True)
    shutil.copy(teacher, home.weights)
    spec = tmp_path / "spec.yaml"

    def search(study: str, **named: Any) -> int:
        spec.write_text(SPEC.format(**{"name": '""', "teacher": '""', "width": 0.125, **named}))
        return isoflop(monkeypatch, "search", spec, "--executor", "inline", "--study", study)

    assert search("taught", teacher=teacher.stem) == 0
    trials = load_study("taught").trials
    assert [trial.state for trial in trials] == [State.COMPLETE]
    last = trials[0].last
    assert last is not None
    assert last.flops / last.images == 3 * trials[0].flops + trials[0].flops
    assert last.flops <= 2e9
    assert isoflop(monkeypatch, "finalists", "taught", "--executor", "inline") == 0
    capsys.readouterr()
    number = load_study("taught-finalists").trials[0].number
    assert isoflop(monkeypatch, "weights", "add", f"taught-finalists/{number}") == 0
    name = capsys.readouterr().out.split(":")[0]
    assert name.startswith("resnet-run-")
    assert next(row for row in listed(home.weights) if row["name"] == name)["spent"] == last.flops
    assert isoflop(monkeypatch, "weights", "list") == 0
    assert name in capsys.readouterr().out
    assert search("begun", name=name) == 0
    assert load_study("begun").trials[0].config["model.weights"] == name
    capsys.readouterr()
    assert isoflop(monkeypatch, "cross-validate", "begun/0", "--executor", "inline") == 2
    assert f"model.weights: {name} learned on images of this set" in capsys.readouterr().err
    assert search("misfit", name=name, width=0.25) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(
        f"error: model.weights: {name} fit a net of the same settings alone, and model.width is 0.25"
    )
    assert isoflop(monkeypatch, "weights", "add", "taught-finalists/99") == 2
    assert "holds no weights" in capsys.readouterr().err
    (
        home.artifacts("taught-finalists", load_study("taught-finalists").trials[0].key) / "weights.safetensors"
    ).write_bytes(b"x")
    assert isoflop(monkeypatch, "weights", "add", f"taught-finalists/{number}") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_scaling_study_learns_from_a_teacher_and_begins_with_no_weights(home: Home, teacher: Path):
    home.weights.mkdir(exist_ok=True)
    shutil.copy(teacher, home.weights)
    data = open_prepared(home.data_set("digits"))

    def plan(key: str, name: str) -> ScalingPlan:
        tree = {
            "space": {"model.family": "resnet", key: name},
            "study": {"data": "digits", "fidelity": {"axis": "images"}, "halving": None, "scale": {}},
        }
        return scaling_plan(spec_from_tree(tree, where="test", name="test"), data, home)

    origin = About.read(teacher).origin
    assert origin is not None
    assert plan("distill.teacher", teacher.stem).teachers == {teacher.stem: origin.forward}
    with pytest.raises(UnknownError, match=r"distill.teacher: there are no weights 'resnet-run-01234567' here"):
        plan("distill.teacher", "resnet-run-01234567")
    with pytest.raises(SpecError, match=r"model.weights: resnet-.* fit one shape, .*; leave it out"):
        plan("model.weights", teacher.stem)


def test_a_run_has_no_variant(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv(VARIABLE, str(home.path))
    assert isoflop(monkeypatch, "weights", "add", "some/1", "--variant", "50") == 2
    assert "a run has no variant" in capsys.readouterr().err


def test_names_of_weights_that_are_not_here_say_how_they_are_made(tmp_path: Path):
    for name, way in {
        "vit-run-01234567": "isoflop weights add STUDY/NUMBER",
        "vit-simclr-01234567": "isoflop pretrain vit",
    }.items():
        with pytest.raises(InputError, match=way):
            Home(tmp_path).check_weights([name])
