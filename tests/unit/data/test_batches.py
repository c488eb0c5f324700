"""Batches are a function of seed and step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isoflop.config import AugmentConfig
from isoflop.data.batches import Batches

PLAIN = AugmentConfig()
MIXED = AugmentConfig(flip=True, crop=1, erasing=0.5, mixup=0.4, cutmix=1.0)
EVERYTHING = AugmentConfig(
    flip=True,
    flip_vertical=True,
    crop=1,
    resized_crop=0.5,
    rotation=10,
    scale=0.1,
    shear=5,
    translation=0.1,
    elastic=20,
    policy="randaugment",
    brightness=0.2,
    contrast=0.2,
    saturation=0.2,
    hue=0.1,
    erasing=0.5,
    mixup=0.2,
    cutmix=1.0,
    mix_chance=0.8,
)


def made(count: int = 50, resolution: int = 8, channels: int = 1) -> Batches:
    pixels = np.random.default_rng(0).integers(0, 256, (count, channels, 8, 8), dtype=np.uint8)
    labels = np.arange(count, dtype=np.int64)
    mean, std = pixels.mean((0, 2, 3)) / 255, pixels.std((0, 2, 3)) / 255
    return Batches(pixels, labels, mean=mean, std=std, resolution=resolution, device=torch.device("cpu"), classes=count)


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


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_normalized(channels: int):
    images = torch.cat([images for images, _ in made(channels=channels).all(16)])
    assert images.mean((0, 2, 3)).abs().max() < 1e-5
    assert (images.std((0, 2, 3)) - 1).abs().max() < 1e-2


@pytest.mark.parametrize("channels", [1, 3])
def test_normalizing_rounds_as_the_plain_formula_does(channels: int):
    split = made(channels=channels)
    mean, std = ([0.1, 0.5, 0.9][:channels], [0.2, 0.3, 1e-9][:channels])
    again = Batches(split.images, split.labels, mean=mean, std=std, resolution=8, device=torch.device("cpu"))
    before = split.images.clone()
    shift, scale = (torch.tensor(numbers)[None, :, None, None] * 255 for numbers in (mean, std))
    found = again.normalized(split.images)
    assert torch.equal(found, (before.float() - shift) / scale.clamp_min(1e-3))
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(split.images, before)
    floats = before.float()
    assert torch.equal(again.normalized(floats), found)
    assert torch.equal(floats, before.float())


def test_images_are_resized_to_the_models_resolution():
    images, _ = next(made(resolution=12).all(16))
    assert images.shape == (16, 1, 12, 12)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("config", [AugmentConfig(flip=True, crop=1), MIXED, EVERYTHING], ids=["crop", "mix", "all"])
def test_pieces_are_the_batch_bit_for_bit(config: AugmentConfig, channels: int):
    split = made(resolution=12, channels=channels)
    for step in (0, 3):
        images, labels = split.at(step, size=20, seed=1, config=config)
        pieces = list(split.pieces(step, size=20, piece=8, seed=1, config=config))
        assert [len(targets) for _, targets in pieces] == [8, 8, 4]
        assert torch.equal(torch.cat([part for part, _ in pieces]), images)
        assert torch.equal(torch.cat([targets for _, targets in pieces]), labels)


def test_everything_at_once_can_be_asked_for_again():
    first, again = made(channels=3), made(channels=3)
    expected = [first.at(step, size=16, seed=1, config=EVERYTHING) for step in range(4)]
    for step in (3, 0, 2):
        images, targets = again.at(step, size=16, seed=1, config=EVERYTHING)
        assert images.shape == (16, 3, 8, 8)
        assert torch.equal(images, expected[step][0])
        assert torch.equal(targets, expected[step][1])


def test_mixed_images_are_made_of_those_whose_labels_they_have():
    """Constant images show their label, and with mixup alone what is left of it and of the partner's."""
    count = 30
    labels = np.arange(count, dtype=np.int64)
    pixels = np.repeat(labels.astype(np.uint8), 64).reshape(count, 1, 8, 8)
    split = Batches(pixels, labels, mean=[0.0], std=[1 / 255], resolution=8, device=torch.device("cpu"), classes=count)
    images, targets = split.at(0, size=count, seed=0, config=AugmentConfig(mixup=1.0))
    assert targets.shape == (count, count)
    assert torch.allclose(targets.sum(1), torch.ones(count))
    assert ((targets > 0).sum(1) == 2).float().mean() > 0.9
    assert torch.allclose(images.mean((1, 2, 3)), targets @ torch.arange(float(count)), atol=1e-4)
    images, targets = split.at(0, size=count, seed=0, config=AugmentConfig(cutmix=1.0))
    assert torch.allclose(images.mean((1, 2, 3)), targets @ torch.arange(float(count)), atol=1e-3)


def test_what_is_erased_has_the_mean_colour():
    split = made(channels=3)
    plain, _ = split.at(0, size=40, seed=0, config=PLAIN)
    images, _ = split.at(0, size=40, seed=0, config=AugmentConfig(erasing=1.0))
    changed = images != plain
    assert changed.flatten(1).any(1).float().mean() > 0.9
    # Half a step of 256 beside the mean, which is no whole number, by a deviation of some 70.
    assert images[changed].abs().max() < 0.5 / 70


def test_validation_is_never_changed():
    split = made()
    assert all(targets.dtype == torch.int64 for _, targets in split.all(16))
    assert torch.equal(torch.cat([images for images, _ in split.all(16)]), split.normalized(split.images))


def test_tensors_that_are_there_are_not_copied():
    images, labels = torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64)
    split = Batches(images, labels, mean=[0.0], std=[1.0], resolution=8, device=torch.device("cpu"))
    assert split.images is images
    assert split.labels is labels
