"""Crop and flips move whole pixels, each image by its own draw."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from isoflop.config import AugmentConfig
from isoflop.data.augmentation.shift import Shift


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 400, channels: int = 3) -> Tensor:
    return torch.randint(1, 256, (count, channels, 8, 6), generator=generator(1), dtype=torch.uint8)


def shift(batch: Tensor, config: AugmentConfig, draws: torch.Generator) -> Tensor:
    return Shift(batch.shape, config, [draws], batch).of(0, batch)


def one_by_one(batch: Tensor, padding: int, draws: torch.Generator, *, flip: bool) -> Tensor:
    """Crop and flip as a loop over the images, with the draws in their order."""
    count, _, height, width = batch.shape
    tops, lefts = torch.randint(0, 2 * padding + 1, (2, count), generator=draws) if padding else [[0] * count] * 2
    mirrored = torch.rand(count, generator=draws) < 0.5 if flip else [False] * count
    found = []
    for image, top, left, mirror in zip(batch, tops, lefts, mirrored, strict=True):
        window = pad(image, (padding,) * 4)[:, top : top + height, left : left + width]
        found.append(window.flip(2) if mirror else window)
    return torch.stack(found)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("padding", "flip"), [(0, False), (0, True), (2, False), (3, True)])
def test_crop_and_flip_are_what_a_loop_over_the_images_does(channels: int, padding: int, flip: bool):
    batch, config = images(50, channels), AugmentConfig(crop=padding, flip=flip)
    for given in (batch, batch.float() / 255):
        found = shift(given, config, generator(5))
        assert torch.equal(found, one_by_one(given, padding, generator(5), flip=flip))


def test_crop_draws_every_window_alike():
    batch = images()
    found = shift(batch, AugmentConfig(crop=2), generator())
    padded = pad(batch, (2, 2, 2, 2))
    windows = [padded[:, :, top : top + 8, left : left + 6] for top in range(5) for left in range(5)]
    equal = torch.stack([(window == found).flatten(1).all(1) for window in windows])
    assert equal.any(0).all()
    drawn = equal.float().mean(1)
    # 25 windows, each with probability 1/25; five standard errors of 400 draws.
    assert ((drawn - 1 / 25).abs() < 5 * (0.04 * 0.96 / 400) ** 0.5).all()


@pytest.mark.parametrize(("setting", "axis"), [("flip", 3), ("flip_vertical", 2)])
def test_flip_mirrors_about_half(setting: str, axis: int):
    batch = images()
    found = shift(batch, AugmentConfig(**{setting: True}), generator())
    mirrored = (found == batch.flip(axis)).flatten(1).all(1)
    same = (found == batch).flatten(1).all(1)
    assert (mirrored ^ same).all()
    assert abs(mirrored.float().mean().item() - 0.5) < 5 * 0.5 / 400**0.5


def test_both_flips_are_drawn_apart():
    batch = images()
    found = shift(batch, AugmentConfig(flip=True, flip_vertical=True), generator())
    cases = [batch, batch.flip(3), batch.flip(2), batch.flip(2, 3)]
    shares = torch.stack([(case == found).flatten(1).all(1) for case in cases]).float().mean(1)
    assert shares.sum() == 1
    assert ((shares - 0.25).abs() < 5 * (0.25 * 0.75 / 400) ** 0.5).all()


def test_steps_are_drawn_apart_and_as_each_alone():
    batch, config = images(30), AugmentConfig(flip=True, flip_vertical=True, crop=1)
    both = Shift(batch.shape, config, [generator(7), generator(8)], batch)
    assert not torch.equal(both.of(0, batch), both.of(1, batch))
    for place, seed in enumerate((7, 8)):
        assert torch.equal(both.of(place, batch), shift(batch, config, generator(seed)))
