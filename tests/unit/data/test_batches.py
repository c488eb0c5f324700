"""Batches are a function of seed and step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isoflop.config import AugmentConfig
from isoflop.data.batches import Batches

PLAIN = AugmentConfig()


def made(count: int = 50, resolution: int = 8) -> Batches:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 1, 8, 8), dtype=np.uint8)
    labels = np.arange(count, dtype=np.int64)
    mean, std = [pixels.mean() / 255], [pixels.std() / 255]
    return Batches(pixels, labels, mean=mean, std=std, resolution=resolution, device=torch.device("cpu"))


def test_an_epoch_sees_each_image_once_in_an_order_of_its_own():
    split = made()
    epochs = [torch.cat([split.at(e * 5 + k, size=10, seed=3, config=PLAIN)[1] for k in range(5)]) for e in range(2)]
    assert all(sorted(epoch.tolist()) == list(range(50)) for epoch in epochs)
    assert epochs[0].tolist() != epochs[1].tolist()


def test_a_step_can_be_asked_for_again_out_of_order():
    config = AugmentConfig(flip=True, crop=1)
    first, again = made(), made()
    expected = [first.at(step, size=7, seed=1, config=config) for step in range(20)]
    for step in (19, 3, 11):
        images, labels = again.at(step, size=7, seed=1, config=config)
        assert torch.equal(images, expected[step][0])
        assert torch.equal(labels, expected[step][1])


def test_images_are_normalized():
    images = torch.cat([images for images, _ in made().all(16)])
    assert images.mean().item() == pytest.approx(0, abs=1e-5)
    assert images.std().item() == pytest.approx(1, abs=1e-2)


def test_images_are_resized_to_the_models_resolution():
    images, _ = next(made(resolution=12).all(16))
    assert images.shape == (16, 1, 12, 12)


def test_pieces_are_the_batch_bit_for_bit():
    config = AugmentConfig(flip=True, crop=1)
    split = made(resolution=12)
    for step in (0, 3):
        images, labels = split.at(step, size=20, seed=1, config=config)
        pieces = list(split.pieces(step, size=20, piece=8, seed=1, config=config))
        assert [len(targets) for _, targets in pieces] == [8, 8, 4]
        assert torch.equal(torch.cat([part for part, _ in pieces]), images)
        assert torch.equal(torch.cat([targets for _, targets in pieces]), labels)


def test_tensors_that_are_there_are_not_copied():
    images, labels = torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64)
    split = Batches(images, labels, mean=[0.0], std=[1.0], resolution=8, device=torch.device("cpu"))
    assert split.images is images
    assert split.labels is labels
