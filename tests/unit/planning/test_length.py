"""A plan counts what a training costs as the training does."""

from __future__ import annotations

import pytest

from isoflop.config import ModelConfig, TrialConfig
from isoflop.planning.length import Lengths
from tests.scripted import IMAGES, Price, plan


def price(model: ModelConfig, *, batch: int, states: int, share: float = 1.0, recompute: bool = False) -> Price:
    return Price(parameters=1, flops=round(1000 * share**2))


def test_a_fraction_and_growing_images_are_counted():
    params = {
        "model.family": "resnet",
        "data.name": "x",
        "train.horizon": 8,
        "train.reports": 1,
        "train.batch_size": 16,
    }
    lengths = Lengths(images=IMAGES, price=price, teachers={})
    whole, part, grown = (
        lengths.of(TrialConfig.from_params({**params, **more}), 1000)
        for more in ({}, {"data.fraction": 0.25}, {"resize.start": 0.5, "resize.stages": 2, "resize.until": 0.5})
    )
    assert (whole.epoch, part.epoch, grown.epoch) == (40, 10, 40)
    assert part.spent(part.steps) == whole.spent(whole.steps) / 4
    assert grown.spent(grown.steps) == pytest.approx(whole.spent(whole.steps) * (0.25 + 1) / 2)


def test_a_space_may_set_a_fraction_and_resizing_but_no_fold():
    space = {"model.family": "resnet", "data.fraction": {"choice": [0.02, 0.5]}, "resize.start": 0.5}
    made = plan(space=space)
    config = made.settled(0, {"data.fraction": 0.5}, source="test").config
    assert (config["data.fraction"], config["data.name"], config["data.folds"]) == (0.5, "digits", 0)
    with pytest.raises(
        ValueError, match=r"data.fold: is decided by the study; leave it out: a search validates on one"
    ):
        plan(space={"model.family": "resnet", "data.fold": 1})
    with pytest.raises(ValueError, match=r"resize.start: is a setting of .* alone"):
        plan(space={"model.family": {"choice": ["resnet", "vit"]}, "resize.start": 0.5})
