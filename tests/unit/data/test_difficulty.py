"""How difficult images are, and difficulties given for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from isoflop.data import difficulty
from isoflop.errors import DataError, UnknownError


def test_the_distance_to_the_mean_of_the_class(monkeypatch: pytest.MonkeyPatch):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (40, 3, 5, 5), np.uint8)
    labels = np.arange(40) % 3
    means = np.stack([images[labels == label].mean(0) for label in range(3)])
    expected = np.sqrt(((images - means[labels]) ** 2).mean((1, 2, 3)))
    for size in (2**24, 8 * 75 * 7):  # all at once, and seven images at a time
        monkeypatch.setattr(difficulty, "BYTES", size)
        np.testing.assert_allclose(difficulty.distances(images, labels), expected, rtol=1e-12)


def test_an_image_unlike_its_class_is_the_most_difficult():
    images = np.full((20, 1, 4, 4), 100, np.uint8)
    images[10:] = 200
    images[3] = 200
    assert difficulty.distances(images, np.arange(20) // 10).argmax() == 3


def test_losses_are_torchs_cross_entropy():
    logits, labels = torch.randn(30, 5) * 20, torch.arange(30) % 5
    expected = cross_entropy(logits.double(), labels, reduction="none")
    np.testing.assert_allclose(difficulty.losses(logits.numpy(), labels.numpy()), expected, rtol=1e-9, atol=1e-12)


def test_given_numbers_come_back_and_changed_ones_are_refused(tmp_path: Path):
    values = np.random.default_rng(0).random(9)
    name = difficulty.keep(values, tmp_path / "difficulties")
    assert np.array_equal(difficulty.given(name, tmp_path / "difficulties", {"train": 9}), values)
    with pytest.raises(
        DataError, match=f"{name} are of 9 images, and 12 are stored; give one for each of train and val"
    ):
        difficulty.given(name, tmp_path / "difficulties", {"train": 9, "val": 3})
    np.save(tmp_path / "difficulties" / f"{name}.npy", values + 1)
    with pytest.raises(UnknownError, match=f"no difficulties '{name}' stand in .*; store them with"):
        difficulty.given(name, tmp_path / "difficulties", {"train": 9})
    with pytest.raises(UnknownError, match="no difficulties"):
        difficulty.given("0" * 16, tmp_path, {"train": 9})
