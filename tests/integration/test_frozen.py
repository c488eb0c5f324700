"""Trainings that begin with pretrained weights, and those that train the head alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from isoflop.cli import main
from isoflop.config import TrainConfig, TrialConfig
from isoflop.data import prepare
from isoflop.errors import DataError, UnknownError
from isoflop.home import VARIABLE, Home
from isoflop.length import Length
from isoflop.models.net import Net
from isoflop.models.pretrained.store import add
from isoflop.models.reference import reference
from isoflop.outcome import load_study
from isoflop.records import State
from isoflop.trained import load_net, predict_split
from isoflop.trial import TrialRun, run_trial
from isoflop.weights import listed

CPU = torch.device("cpu")
SPEC = """
space:
  model: {{family: mobilenet_v3, variant: small, stem: 2, resolution: 32, weights: {name}}}
  optim.lr: {{float: [0.01, 0.1], log: true}}
  train.freeze: {freeze}
study:
  data: digits
  fidelity: {{horizon: 0.4, reports: 2}}
  halving: null
  budget: {{trials: 2}}
  finalists: {{top: 1, seeds: 1}}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of torchvision's net, in a file of theirs."""
    path = tmp_path_factory.mktemp("weights") / "mobilenet_v3_small.pth"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(reference("mobilenet_v3", "small").state_dict(), path)
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A state folder of its own: a search here opens the test set of the digits too."""
    place = Home(tmp_path_factory.mktemp("frozen"))
    prepare("digits", root=place.data)
    return place


@pytest.fixture(scope="module")
def weights(home: Home, file: Path) -> Path:
    return add("mobilenet_v3", "small", folder=home.weights, file=file)


def begun(home: Home, weights: Path, **params: Any) -> TrialRun:
    where = {key: params.pop(key) for key in ("checkpoints",) if key in params}
    plain = {
        "model.family": "mobilenet_v3",
        "model.variant": "small",
        "model.stem": 2,
        "model.resolution": 32,
        "model.weights": weights.stem,
        "data.name": "digits",
        "train.horizon": 0.4,
        "train.reports": 2,
        "train.freeze": True,
    }
    config = TrialConfig.from_params({**plain, **params})
    files = {config.model.weights: weights}
    return run_trial(config, 3, data=home.data / "digits", weights=files, device=CPU, **where)


def copied(net: Net) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in net.state_dict().items()}


def metrics(records: Any) -> list[tuple[int, dict[str, float]]]:
    return [(record.step, dict(record.metrics)) for record in records]


def test_a_frozen_training_changes_the_head_and_nothing_else(home: Home, weights: Path):
    run = begun(home, weights, **{"model.drop_path": 0.2, "train.micro_batch": 40})
    before = copied(run.net)
    assert torch.equal(
        before["body.stages.0.0.block.0.0.weight"], load_file(weights)["body.stages.0.0.block.0.0.weight"]
    )
    next(run)
    changed = {key for key, value in run.net.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == {"head.1.weight", "head.1.bias"}
    assert sum(len(group["params"]) for group in run.fit.optimizer.param_groups) == 2
    assert run.net.train().head.training
    assert not any(module.training for module in run.net.body.modules())


def test_without_freezing_all_weights_go_on_from_the_pretrained_ones(home: Home, weights: Path):
    run = begun(home, weights, **{"train.freeze": False})
    stored, before = load_file(weights), copied(run.net)
    same = {
        key for key, value in before.items() if value.shape == stored[key].shape and torch.equal(value, stored[key])
    }
    assert {key for key in before if key.startswith("body.")} - same == {"body.stem.0.weight"}  # images are grey
    assert torch.equal(before["body.stem.0.weight"], stored["body.stem.0.weight"].sum(1, keepdim=True))
    next(run)
    assert all(not torch.equal(value, before[key]) for key, value in run.net.named_parameters())


@pytest.mark.parametrize("freeze", [True, False])
def test_equal_weights_and_seed_give_equal_metrics_also_when_cut(
    home: Home, weights: Path, tmp_path: Path, freeze: bool
):
    params = {"train.freeze": freeze, "optim.lr": 0.02}
    whole = metrics(begun(home, weights, **params))
    first = begun(home, weights, **params, checkpoints=tmp_path)
    head = [next(first)]
    first.save(1)
    assert metrics(head) + metrics(begun(home, weights, **params, checkpoints=tmp_path)) == whole


def test_a_finished_training_needs_no_pretrained_file_to_be_used(home: Home, weights: Path, tmp_path: Path):
    run = begun(home, weights)
    list(run)
    run.finish(tmp_path)
    net, _ = load_net(tmp_path, CPU)
    expected, _ = predict_split(run.net, run.prepared, "val", CPU, size=64)
    assert (predict_split(net, run.prepared, "val", CPU, size=64)[0] == expected).all()


def test_other_weights_than_the_configurations_are_refused(home: Home, weights: Path, tmp_path: Path):
    other = "mobilenet_v3-small-01234567"
    with pytest.raises(DataError, match=f"weights '{other}' do not"):
        begun(home, weights, **{"model.weights": other})
    with pytest.raises(UnknownError, match="no weights"):
        begun(home, tmp_path / weights.name, **{"model.weights": weights.stem})


def test_a_frozen_step_costs_its_forward_pass():
    frozen, whole = (TrainConfig(batch_size=10, axis="flops", horizon=3e6, freeze=freeze) for freeze in (True, False))
    lengths = [Length.of(train, images=1000, flops=1000) for train in (frozen, whole)]
    assert [length.steps for length in lengths] == [300, 100]
    assert [length.spent(1) for length in lengths] == [10_000, 30_000]


def test_a_frozen_net_with_auxiliary_heads_answers_by_one():
    from isoflop.config import ModelConfig
    from isoflop.models import build

    net = build(ModelConfig(family="googlenet", width=0.125), image=(1, 16, 16), classes=3, seed=0).train()
    images = torch.zeros(2, 1, 16, 16)
    assert len(net(images)) == 3
    net.freeze()
    logits = net(images)
    assert isinstance(logits, torch.Tensor)
    logits.sum().backward()
    assert {name for name, weight in net.named_parameters() if weight.grad is not None} == {
        "head.1.weight",
        "head.1.bias",
    }


def isoflop(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    """The command line in this process, which has torch already; its exit code."""
    monkeypatch.setattr(sys, "argv", ["isoflop", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(str(caught.value.code))


def test_a_study_begins_with_weights_and_is_extended_bit_for_bit(
    home: Home, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv(VARIABLE, str(home.path))
    assert isoflop(monkeypatch, "weights", "add", "mobilenet_v3", "--variant", "small", "--file", file) == 0
    name = capsys.readouterr().out.split(":")[0]
    assert isoflop(monkeypatch, "weights", "list", "--json") == 0
    assert name in capsys.readouterr().out
    assert name in {row["name"] for row in listed(home.weights)}
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.format(name=name, freeze="true"))
    search = ("search", spec, "--executor", "inline", "--study")
    assert isoflop(monkeypatch, *search, "frozen-whole") == 0
    assert isoflop(monkeypatch, *search, "frozen-cut", "--trials", "1") == 0
    assert isoflop(monkeypatch, "extend", "frozen-cut", "--trials", "2", "--executor", "inline") == 0
    whole, cut = (load_study(study).trials for study in ("frozen-whole", "frozen-cut"))
    assert [trial.state for trial in whole] == [State.COMPLETE] * 2
    assert [metrics(trial.records) for trial in whole] == [metrics(trial.records) for trial in cut]
    assert whole[0].config["model.weights"] == name
    assert isoflop(monkeypatch, "finalists", "frozen-cut", "--executor", "inline") == 0
    (final,) = load_study("frozen-cut-finalists").trials
    assert final.state is State.COMPLETE


def test_a_study_with_weights_that_were_never_added_is_refused_before_anything_is_written(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv(VARIABLE, str(home.path))
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.format(name="mobilenet_v3-small-01234567", freeze="false"))
    before = sorted(home.path.rglob("*"))
    for words in (("search", spec), ("search", spec, "--dry-run"), ("space", "check", spec)):
        assert isoflop(monkeypatch, *words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: model.weights: there are no weights 'mobilenet_v3-small-01234567' here; run: ")
    assert sorted(home.path.rglob("*")) == before
