"""All changes of a configuration: functions of seed and step, each image by its own draw."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from isoflop.config import AugmentConfig
from isoflop.data.augmentation import Augmentation
from isoflop.data.augmentation.augment import STEPS

SETTINGS: list[dict[str, Any]] = [
    {"flip": True},
    {"flip_vertical": True},
    {"crop": 3},
    {"resized_crop": 0.3},
    {"rotation": 30},
    {"scale": 0.3},
    {"shear": 20},
    {"translation": 0.3},
    {"elastic": 60},
    {"brightness": 0.5},
    {"contrast": 0.5},
    {"saturation": 0.5},
    {"hue": 0.3},
    {"erasing": 0.5},
    {"policy": "randaugment"},
    {"policy": "trivialaugment"},
    {"policy": "augmix"},
    {"policy": "autoaugment_cifar10"},
    {"policy": "autoaugment_imagenet"},
    {"policy": "autoaugment_svhn"},
    {"flip": True, "crop": 2, "rotation": 10, "policy": "trivialaugment", "contrast": 0.3, "erasing": 0.5},
]


def images(channels: int, side: int = 16, count: int = 32) -> Tensor:
    """One image again and again, so that only draws make them differ."""
    one = torch.randint(
        0, 256, (1, channels, side, side), generator=torch.Generator().manual_seed(1), dtype=torch.uint8
    )
    return one.repeat(count, 1, 1, 1)


def augmented(batch: Tensor, settings: dict[str, Any], step: int = 5, seed: int = 3) -> Tensor:
    augmentation = Augmentation(AugmentConfig(**settings), seed=seed, step=step, shape=batch.shape, like=batch)
    colour = torch.full((batch.shape[1], 1, 1), 7, dtype=torch.uint8)
    return augmentation(batch.clone(), step, colour)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_each_image_is_changed_by_its_own_draw_of_seed_and_step(settings: dict[str, Any], channels: int):
    batch = images(channels)
    found = augmented(batch, settings)
    assert found.shape == batch.shape
    assert found.dtype == torch.uint8
    kinds = len({image.numpy().tobytes() for image in found})
    if channels == 1 and settings.keys() <= {"saturation", "hue"}:
        assert torch.equal(found, batch)
        return
    assert kinds >= (2 if settings.keys() <= {"flip", "flip_vertical"} else 8)
    assert torch.equal(found, augmented(batch, settings))
    for other in ({"step": 6}, {"step": 5 + STEPS}, {"seed": 4}):
        assert not torch.equal(found, augmented(batch, settings, **other))


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_images_of_any_size_are_changed(settings: dict[str, Any]):
    batch = torch.randint(0, 256, (3, 3, 9, 40), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    assert augmented(batch, settings).shape == batch.shape


def test_what_is_drawn_for_a_step_is_the_same_whichever_step_was_asked_for_first():
    batch, config = images(3), AugmentConfig(flip=True, crop=2, rotation=5, erasing=0.5, mixup=0.2, cutmix=1.0)
    colour = torch.zeros((3, 1, 1), dtype=torch.uint8)
    early, late = (
        Augmentation(config, seed=0, step=step, shape=batch.shape, like=batch) for step in (STEPS, 2 * STEPS - 1)
    )
    for step in (STEPS, STEPS + 3, 2 * STEPS - 1):
        assert step in early
        assert torch.equal(early(batch.clone(), step, colour), late(batch.clone(), step, colour))
        mixed, again = early.mix(step), late.mix(step)
        assert mixed is not None
        assert again is not None
        assert torch.equal(mixed.share, again.share)
        assert torch.equal(mixed.partners, again.partners)
    assert STEPS - 1 not in early
    assert 2 * STEPS not in early


def test_nothing_asked_changes_nothing():
    batch = images(3)
    augmentation = Augmentation(AugmentConfig(), seed=0, step=0, shape=batch.shape, like=batch)
    assert augmentation(batch, 0, torch.zeros(3, 1, 1)) is batch
    assert augmentation.mix(0) is None
