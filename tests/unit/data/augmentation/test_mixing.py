"""Mixup and CutMix: shares of Beta(alpha, alpha), labels in the ratio of the pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from isoflop.config import AugmentConfig, LossConfig
from isoflop.data.augmentation.mixing import Mix, mixes
from isoflop.training.task import Classification

CPU = torch.device("cpu")


def draw(count: int = 4000, seed: int = 0, side: int = 20, **config: float) -> Mix:
    numbers = np.random.default_rng(seed)
    first, second = mixes(2, torch.Size((count, 3, side, side)), AugmentConfig(**config), numbers, CPU)
    assert count == 1 or not torch.equal(first.share, second.share)
    return second


def share_of(mix: Mix) -> Tensor:
    return mix.share[:, 0]


def check_beta(share: Tensor, alpha: float) -> None:
    """Mean 1/2 and variance 1 / (4 (2 alpha + 1)), within five standard errors."""
    variance = 1 / (4 * (2 * alpha + 1))
    assert abs(share.mean().item() - 0.5) < 5 * (variance / len(share)) ** 0.5
    squares = (share - 0.5) ** 2
    assert abs(squares.mean().item() - variance) < 5 * squares.std().item() / len(share) ** 0.5


def kept(mix: Mix, side: int = 20) -> Tensor:
    """What each image keeps of itself at each pixel (N, H, W)."""
    ones, count = torch.ones(side, side), len(share_of(mix))
    return mix.images(ones.expand(count, 1, side, side).clone(), torch.zeros(count, 1, side, side))[:, 0]


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_mixup_draws_each_images_share(alpha: float):
    mix = draw(mixup=alpha)
    check_beta(share_of(mix), alpha)
    assert torch.equal(kept(mix, 4)[:, 0, 0], share_of(mix))
    assert len(share_of(mix).unique()) > 2000


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_cutmix_keeps_the_share_that_its_box_leaves(alpha: float):
    mix = draw(2000, side=64, cutmix=alpha)
    own = kept(mix, 64)
    assert set(own.unique().tolist()) <= {0.0, 1.0}
    assert torch.allclose(own.mean((1, 2)), share_of(mix), atol=1e-6)
    # A box within the image has an area of 1 - lambda; at the edges it is cut, so shares are larger.
    area = 1 - share_of(mix)
    rows, columns = (1 - own).amax(2), (1 - own).amax(1)
    whole = (rows[:, 0] + rows[:, -1] + columns[:, 0] + columns[:, -1] == 0) & (area > 0)
    sides = rows.sum(1)[whole], columns.sum(1)[whole]
    assert torch.equal(*sides)
    assert whole.sum() > 100
    assert torch.allclose(sides[0] * sides[1] / 64**2, area[whole], atol=1e-6)
    assert share_of(mix).mean() > 0.5


def test_where_both_are_asked_for_each_image_takes_one():
    mix = draw(mixup=1.0, cutmix=1.0)
    own = kept(mix)
    binary = ((own == 0) | (own == 1)).flatten(1).all(1)
    assert torch.allclose(own.mean((1, 2)), share_of(mix), atol=1e-5)
    assert abs(binary.float().mean().item() - 0.5) < 5 * 0.5 / 4000**0.5
    check_beta(mix.share[~binary], 1.0)


def test_so_many_images_are_mixed_as_asked():
    for config in ({"mixup": 1.0}, {"cutmix": 1.0}):
        mix = draw(2000, side=64, mix_chance=0.4, **config)
        # A box of CutMix is empty with a probability of some thousandths: its side is less than a pixel.
        share = (share_of(mix) < 1).float().mean().item()
        assert abs(share - 0.4) < 5 * (0.24 / 2000) ** 0.5 + 0.001


@pytest.mark.parametrize("count", [2, 3, 64])
def test_nobody_is_its_own_partner_and_each_is_somebodys(count: int):
    for seed in range(5):
        partners = draw(count, seed, mixup=1.0).partners
        assert sorted(partners.tolist()) == list(range(count))
        assert (partners != torch.arange(count)).all()
    assert len({tuple(draw(64, seed, mixup=1.0).partners.tolist()) for seed in range(9)}) > 5


def test_one_image_is_mixed_with_itself():
    mix = draw(1, mixup=1.0)
    assert mix.partners.tolist() == [0]


@pytest.mark.parametrize("config", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}], ids=str)
def test_images_and_labels_are_mixed_in_one_ratio(config: dict[str, float]):
    count, classes = 40, 5
    mix = draw(count, side=16, **config)
    labels = torch.arange(count) % classes
    # Each image shows its number everywhere, so its mean tells what it is made of.
    batch = torch.arange(count).float()[:, None, None, None].expand(count, 3, 16, 16)
    found = mix.images(batch.clone(), batch[mix.partners].clone())
    expected = share_of(mix) * torch.arange(count) + (1 - share_of(mix)) * mix.partners
    assert torch.allclose(found.mean((1, 2, 3)), expected, atol=1e-3)
    targets = mix.targets(labels, labels[mix.partners], classes)
    assert targets.dtype == torch.float32
    assert torch.allclose(targets.sum(1), torch.ones(count))
    for row, own, other, share in zip(targets, labels, labels[mix.partners], share_of(mix), strict=True):
        expected_row = torch.zeros(classes)
        expected_row[own] += share
        expected_row[other] += 1 - share
        assert torch.allclose(row, expected_row)


def test_targets_of_several_labels_are_mixed_too():
    mix = draw(6, mixup=1.0)
    labels = torch.eye(6)[:, :4] + torch.eye(6)[:, 1:5]
    found = mix.targets(labels, labels[mix.partners], 4)
    assert torch.allclose(found, share_of(mix)[:, None] * labels + (1 - share_of(mix))[:, None] * labels[mix.partners])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_mixed_labels_is_that_of_both_labels_in_their_shares(smoothing: float):
    mix = draw(30, mixup=1.0)
    labels, outputs = torch.arange(30) % 7, torch.randn(30, 7, generator=torch.Generator().manual_seed(1))
    others = labels[mix.partners]
    found = Classification(LossConfig(label_smoothing=smoothing)).loss(outputs, mix.targets(labels, others, 7))
    own, other = (
        cross_entropy(outputs, given, label_smoothing=smoothing, reduction="none") for given in (labels, others)
    )
    assert found.item() == pytest.approx((share_of(mix) * own + (1 - share_of(mix)) * other).mean().item(), rel=1e-5)
