"""A training repeats bit for bit on the CPU, whole, cut and resumed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from isoflop.config import TrialConfig
from isoflop.errors import DataError, DivergedError, TrialError
from isoflop.home import Home
from isoflop.trial import Facts, load_net, normalize, predict_split, run_trial

CPU = torch.device("cpu")
CONFIGS = {
    "lenet": {"model.dropout": 0.2, "optim.name": "adamw", "optim.lr": 2e-3},
    "resnet": {"model.depth": 0.5, "model.width": 0.125, "model.drop_path": 0.1, "optim.lr": 0.05},
    "efficientnet": {"model.depth": 0.25, "model.width": 0.25, "optim.name": "adamw", "optim.lr": 3e-3},
    "vit": {"model.stem": 2, "model.depth": 0.17, "model.width": 0.25, "optim.name": "adamw", "optim.lr": 2e-3},
}


def config(family: str, **params: object) -> TrialConfig:
    plain = {"data.name": "digits", "train.horizon": 1.5, "train.reports": 3, "augment.crop": 1, "augment.flip": True}
    return TrialConfig.from_params({"model.family": family, **plain, **CONFIGS[family], **params})  # type: ignore[arg-type]


def metrics(run: object) -> list[tuple[int, dict[str, float]]]:
    return [(record.step, dict(record.metrics)) for record in run]  # type: ignore[attr-defined]


@pytest.mark.parametrize("family", CONFIGS)
def test_equal_configuration_and_seed_give_equal_metrics_also_when_cut_at_any_report(
    family: str, home: Home, tmp_path: Path
):
    data = home.data / "digits"
    whole = metrics(run_trial(config(family), 3, data=data, device=CPU))
    assert len(whole) == 3
    for cut in (1, 2):
        folder = tmp_path / str(cut)
        first = run_trial(config(family), 3, data=data, checkpoints=folder, device=CPU)
        head = [next(first) for _ in range(cut)]
        first.save(cut)
        torch.rand(7)  # what a process does in between changes nothing
        rest = run_trial(config(family), 3, data=data, checkpoints=folder, device=CPU)
        assert metrics(head) + metrics(rest) == whole


def test_another_seed_gives_other_metrics(home: Home):
    runs = [metrics(run_trial(config("lenet"), seed, data=home.data / "digits", device=CPU)) for seed in (0, 1)]
    assert runs[0] != runs[1]


def test_a_training_learns(home: Home):
    long = config("resnet", **{"train.horizon": 5, "train.reports": 1, "augment.flip": False, "augment.crop": 0})
    (record,) = run_trial(long, 0, data=home.data / "digits", device=CPU)
    assert record.metrics["val_accuracy"] > 0.8
    assert record.epoch == 5
    assert record.flops > 0


def test_a_training_that_diverges_says_at_which_step(home: Home):
    wild = config("resnet", **{"optim.lr": 1e30, "schedule.warmup": 0.0})
    with pytest.raises(DivergedError) as caught:
        list(run_trial(wild, 0, data=home.data / "digits", device=CPU))
    assert 1 <= caught.value.step <= 30
    assert "train_loss" in str(caught.value)


def test_other_data_than_the_configuration_was_made_for_is_refused(home: Home):
    with pytest.raises(DataError, match="the configuration wants 0123"):
        run_trial(config("lenet", **{"data.digest": "0123"}), 0, data=home.data / "digits")


def test_a_horizon_shorter_than_its_reports_is_refused(home: Home):
    with pytest.raises(TrialError, match="fewer than its 9 reports"):
        run_trial(config("lenet", **{"train.horizon": 0.1, "train.reports": 9}), 0, data=home.data / "digits")


def test_what_a_training_leaves_predicts_as_it_did(home: Home, tmp_path: Path):
    run = run_trial(config("resnet"), 0, data=home.data / "digits", device=CPU)
    list(run)
    artifacts = {artifact.kind: artifact for artifact in run.finish(tmp_path)}
    assert set(artifacts) == {"weights", "val_predictions"}
    net, facts = load_net(tmp_path, CPU)
    assert isinstance(facts, Facts)
    assert facts.config == run.config
    logits, labels = predict_split(net, run.prepared, "val", CPU)
    expected, _ = predict_split(run.net, run.prepared, "val", CPU)
    assert (logits == expected).all()
    images, _ = run.prepared.split("val")
    with torch.inference_mode():
        again = net(normalize(images[:5], facts, net))
    assert torch.allclose(again, torch.from_numpy(logits[:5]), atol=1e-5)
    assert len(labels) == len(images)
