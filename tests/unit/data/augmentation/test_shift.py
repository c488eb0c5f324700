"""Every image is changed by its own draw, and never beyond what was asked."""

from __future__ import annotations

import torch

from isoflop.config import AugmentConfig
from isoflop.data.augmentation import augment
from isoflop.data.augmentation.shift import crop, flip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 400) -> torch.Tensor:
    return torch.randint(1, 256, (count, 3, 8, 6), generator=generator(1), dtype=torch.uint8)


def test_crop_is_a_window_of_the_padded_image():
    batch = images()
    found = crop(batch, 2, generator())
    padded = torch.nn.functional.pad(batch, (2, 2, 2, 2))
    windows = [padded[:, :, top : top + 8, left : left + 6] for top in range(5) for left in range(5)]
    equal = torch.stack([(window == found).flatten(1).all(1) for window in windows])
    assert equal.any(0).all()
    drawn = equal.float().mean(1)
    # 25 windows, each with probability 1/25; five standard errors of 400 draws.
    assert ((drawn - 1 / 25).abs() < 5 * (0.04 * 0.96 / 400) ** 0.5).all()


def test_flip_mirrors_about_half():
    batch = images()
    found = flip(batch, generator())
    mirrored = (found == batch.flip(3)).flatten(1).all(1)
    same = (found == batch).flatten(1).all(1)
    assert (mirrored ^ same).all()
    assert abs(mirrored.float().mean().item() - 0.5) < 5 * 0.5 / 400**0.5


def test_nothing_asked_changes_nothing():
    batch = images(5)
    assert torch.equal(augment(batch, AugmentConfig(), generator()), batch)


def test_equal_seeds_give_equal_changes():
    config = AugmentConfig(flip=True, crop=3)
    assert torch.equal(augment(images(), config, generator(7)), augment(images(), config, generator(7)))
    assert not torch.equal(augment(images(), config, generator(7)), augment(images(), config, generator(8)))
