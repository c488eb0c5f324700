"""A training with mixed labels: it can be cut anywhere, and validation knows nothing of it."""

from __future__ import annotations

import numpy as np
import torch

from isoflop.config import TrialConfig
from isoflop.data.batches import Batches
from isoflop.length import Length
from isoflop.models import build
from isoflop.training.fit import Fit
from isoflop.training.objective import Supervised
from isoflop.training.task import Classification

IMAGES, BATCH = 48, 12
RECIPE = {
    "model.family": "lenet",
    "data.name": "x",
    "train.batch_size": BATCH,
    "train.horizon": 3,
    "train.reports": 3,
    "loss.label_smoothing": 0.1,
    "augment.flip": True,
    "augment.crop": 2,
    "augment.rotation": 10,
    "augment.policy": "trivialaugment",
    "augment.erasing": 0.5,
    "augment.mixup": 0.4,
    "augment.cutmix": 1.0,
}


def fit(**params: object) -> Fit:
    config = TrialConfig.from_params({**RECIPE, **params})  # type: ignore[arg-type]
    random = np.random.default_rng(0)
    pixels, labels = random.integers(0, 256, (IMAGES, 1, 28, 28), dtype=np.uint8), random.integers(0, 4, IMAGES)
    split = Batches(pixels, labels, mean=[0.5], std=[0.3], resolution=28, device=torch.device("cpu"), classes=4)
    net = build(config.model, image=(1, 28, 28), classes=4, seed=0)
    length = Length.of(config.train, images=IMAGES, flops=1.0)
    task = Classification(config.loss)
    return Fit(net, task, objective=Supervised(task), train=split, val=split, config=config, length=length, seed=3)


def test_a_training_that_is_cut_goes_on_bit_for_bit():
    whole, first, again = fit(), fit(), fit()
    expected = [record.metrics for record in whole]
    metrics = [next(iter(first)).metrics]
    again.load_state_dict(first.state_dict())
    metrics += [record.metrics for record in again]
    assert metrics == expected
    assert all(0 <= record["val_accuracy"] <= 1 for record in metrics)


def test_pieces_of_a_net_that_sees_each_image_by_itself_come_to_the_same_loss():
    whole, cut = fit(), fit(**{"train.micro_batch": 5})
    assert abs(whole.advance(2) - cut.advance(2)) < 1e-5
