"""Which images a training sees, and how large: every way repeats bit for bit, whole, cut and resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from isoflop import cross_validate
from isoflop.config import TrialConfig
from isoflop.data import difficulty, prepare
from isoflop.data.order import Balanced, Curriculum, Windowed
from isoflop.data.rows import Rows
from isoflop.errors import DataError, SpecError, UnknownError
from isoflop.evaluation.predictions import load_predictions
from isoflop.home import Home
from isoflop.models import cost
from isoflop.trained import predict_split
from isoflop.trial import run_trial

CPU = torch.device("cpu")
PLAIN = {"model.family": "resnet", "model.depth": 0.25, "model.width": 0.125, "optim.lr": 0.05, "data.name": "digits"}
WAYS = {
    "fraction": {"data.fraction": 0.5},
    "fold": {"data.folds": 3, "data.fold": 1},
    "balance": {"data.balance": 0.7},
    "window": {"data.window": 300},
    "curriculum": {"curriculum.start": 0.3, "curriculum.until": 0.8},
    "resize": {"resize.start": 0.5, "model.resolution": 16},
    "fraction of a fold, resized": {"data.folds": 3, "data.fraction": 0.5, "resize.start": 0.5, "model.resolution": 16},
}


def config(**params: object) -> TrialConfig:
    return TrialConfig.from_params({**PLAIN, "train.horizon": 1.5, "train.reports": 3, **params})  # type: ignore[arg-type]


def metrics(run: object) -> list[tuple[int, float, dict[str, float]]]:
    return [(record.step, record.flops, dict(record.metrics)) for record in run]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def plain(home: Home) -> list[tuple[int, float, dict[str, float]]]:
    return metrics(run_trial(config(), 3, data=home.data / "digits", device=CPU))


@pytest.mark.parametrize("way", WAYS)
def test_equal_configuration_and_seed_give_equal_metrics_also_when_cut(way: str, plain, home: Home, tmp_path: Path):
    data, made = home.data / "digits", config(**WAYS[way])
    whole = metrics(run_trial(made, 3, data=data, device=CPU))
    assert whole != plain
    first = run_trial(made, 3, data=data, checkpoints=tmp_path, device=CPU)
    head = [next(first)]
    first.save(1)
    rest = run_trial(made, 3, data=data, checkpoints=tmp_path, device=CPU)
    assert metrics(head) + metrics(rest) == whole


@pytest.mark.parametrize(
    ("params", "kind"),
    [(WAYS["balance"], Balanced), (WAYS["window"], Windowed), (WAYS["curriculum"], Curriculum)],
)
def test_the_configuration_decides_the_order(params: dict[str, object], kind: type, home: Home):
    assert isinstance(run_trial(config(**params), 0, data=home.data / "digits", device=CPU).fit.train.order, kind)


def test_steps_are_counted_on_what_is_trained_on(home: Home):
    run = run_trial(config(**{"data.fraction": 0.5}), 0, data=home.data / "digits", device=CPU)
    assert run.fit.length.epoch == 629 // 64
    assert len(run.fit.val) == 270


def test_images_grow_to_the_models_resolution_and_every_step_is_paid_for_as_it_is(home: Home):
    made = config(**WAYS["resize"])
    run = run_trial(made, 0, data=home.data / "digits", device=CPU)
    length, image = run.fit.length, run.prepared.shape
    paid = 0.0
    seen = []
    for step in range(length.steps):
        images, _ = run.fit.train.at(step, size=64, seed=0, config=made.augment)
        seen.append(images.shape[-1])
        paid += 3 * 64 * cost(made.model, image=image, classes=10, share=seen[-1] / 16).flops
        assert length.spent(step + 1) == paid
    assert sorted(set(seen)) == [8, 11, 13, 16]
    assert seen == sorted(seen)
    assert next(run.fit.val.all(5))[0].shape[-1] == 16
    assert list(run)[-1].flops == paid


def test_a_horizon_in_flops_buys_more_steps_where_images_grow(home: Home):
    flops = {"train.axis": "flops", "train.horizon": 2e10, "train.reports": 1, "model.resolution": 16}
    lengths = [
        run_trial(config(**flops, **params), 0, data=home.data / "digits", device=CPU).fit.length
        for params in ({}, {"resize.start": 0.5})
    ]
    assert lengths[1].steps > 1.2 * lengths[0].steps
    for length in lengths:
        assert 2e10 - length.spent(1) * 4 < length.spent(length.steps) <= 2e10


def test_what_a_fold_leaves_are_the_predictions_of_its_validation(home: Home, tmp_path: Path):
    made = config(**WAYS["fold"])
    run = run_trial(made, 0, data=home.data / "digits", device=CPU)
    (*_, last) = run
    run.finish(tmp_path)
    stored = load_predictions(tmp_path / "val_predictions.npz")
    assert stored.split == "val, fold 1 of 3"
    assert stored.hits.mean() == pytest.approx(last.metrics["val_accuracy"])
    assert len(stored.labels) == (1257 + 270) / 3


def test_cross_validation_validates_each_image_once_and_widens_the_interval(home: Home):
    quick = config(**{"train.horizon": 1, "train.reports": 1})
    found = cross_validate(quick, 1, folds=3, data=home.data / "digits", device=CPU)
    assert len(found.records) == 3
    alone = run_trial(config(**{**quick.params(), "data.folds": 3, "data.fold": 2}), 1, data=home.data / "digits")
    assert found.records[2].metrics == list(alone)[-1].metrics
    values = np.array(found.values["val_accuracy"])
    assert len(set(values)) > 1
    interval = found.interval("val_accuracy")
    assert interval.mean == pytest.approx(values.mean())
    half = 4.302653 * values.std(ddof=1) * (1 / 3 + 1 / 2) ** 0.5  # Student's t at 2 degrees of freedom
    assert (interval.low, interval.high) == pytest.approx((values.mean() - half, values.mean() + half), rel=1e-6)
    with pytest.raises(SpecError, match=r"is one fold of 3 already; leave data.folds and data.fold out"):
        cross_validate(config(**WAYS["fold"]), data=home.data / "digits")


def test_shards_are_read_window_by_window(home: Home, tmp_path: Path):
    made = prepare("digits", root=tmp_path, shard=40).path
    run = run_trial(config(), 0, data=made, device=CPU)
    order = run.fit.train.order
    assert isinstance(order, Windowed)
    assert (order.block, order.blocks) == (40, 8)
    assert tuple(record.step for record in run) == run.fit.length.reports
    whole = run_trial(config(**{"data.window": 0, "data.balance": 1}), 0, data=made, device=CPU)
    assert isinstance(whole.fit.train.order, Balanced)
    with pytest.raises(DataError, match=r"data set digits: is read in shards, and .* anywhere; set data.window: 0"):
        run_trial(config(**{"data.balance": 1}), 0, data=made, device=CPU)


def test_a_curriculum_by_the_losses_of_an_earlier_training(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ISOFLOP_HOME", str(home.path))
    teacher = run_trial(config(), 0, data=home.data / "digits", device=CPU)
    list(teacher)
    losses = difficulty.losses(*predict_split(teacher.net, teacher.prepared, "train", CPU, size=64))
    settings = {"curriculum.start": 0.2, "curriculum.by": "given"}
    name = difficulty.keep(losses, home.difficulties)
    run = run_trial(config(**settings, **{"curriculum.given": name}), 0, data=home.data / "digits", device=CPU)
    seen = run.fit.train.order.at(0, size=64, seed=0)
    assert losses[seen].mean() < np.quantile(losses, 0.25)
    with pytest.raises(UnknownError, match="no difficulties"):
        run_trial(config(**settings, **{"curriculum.given": "0" * 16}), 0, data=home.data / "digits", device=CPU)
    short = difficulty.keep(losses[:-1], home.difficulties)
    with pytest.raises(DataError, match="are of 1256 images, and 1257 are stored; give one for each of train"):
        run_trial(config(**settings, **{"curriculum.given": short}), 0, data=home.data / "digits", device=CPU)


def test_a_set_kept_on_the_host_trains_as_one_on_the_device(home: Home, plain):
    """What a GPU cannot hold is gathered ahead in a thread; here host and device are one, so only that differs."""
    run = run_trial(config(), 3, data=home.data / "digits", device=CPU)
    rows = Rows([run.fit.train.images], None, CPU)
    rows.away = True
    run.fit.train.images = rows
    assert metrics(run) == plain
