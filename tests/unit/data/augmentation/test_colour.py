"""Colours are changed as torchvision changes them, each image by its own factor."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as vision

from isoflop.config import AugmentConfig
from isoflop.data.augmentation.colour import brightness, contrast, hue, jitter, saturation

CHANGES = {
    "brightness": (brightness, vision.adjust_brightness, (0.0, 2.0)),
    "contrast": (contrast, vision.adjust_contrast, (0.0, 2.0)),
    "saturation": (saturation, vision.adjust_saturation, (0.0, 2.0)),
    "hue": (hue, vision.adjust_hue, (-0.5, 0.5)),
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 12, channels: int = 3) -> Tensor:
    found = torch.randint(0, 256, (count, channels, 9, 7), generator=generator(1), dtype=torch.uint8)
    found[0, :, :3] = 0
    found[0, :, 3:6] = 255
    found[1] = found[1, :1]  # grey
    return found


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_torchvisions_of_each_image(name: str, kind: torch.dtype):
    """Whole numbers may differ by 1 where a value is rounded, floats by 1e-5."""
    change, reference, (low, high) = CHANGES[name]
    batch = images() if kind == torch.uint8 else images().float() / 255
    factors = torch.rand(len(batch), generator=generator()) * (high - low) + low
    found = change(batch, factors)
    expected = torch.stack([reference(image, factor.item()) for image, factor in zip(batch, factors, strict=True)])
    assert found.dtype == kind
    assert (found.double() - expected.double()).abs().max() <= (1 if kind == torch.uint8 else 1e-5)
    assert not torch.equal(found, batch)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_factors_are_drawn_for_each_image_inside_their_bounds(name: str):
    count, most = 3000, 0.3
    # Two pixels of a colour; the first one's red is linear in the factor.
    pixel = torch.tensor([0.4, 0.2, 0.2]).view(1, 3, 1, 1)
    batch = torch.cat((pixel, pixel * 0.5), 3).expand(count, 3, 1, 2).contiguous()
    found = jitter(batch, AugmentConfig(**{name: most}), generator())[:, 0, 0, 0]
    low, high = CHANGES[name][0](batch[:2], torch.tensor([1 - most, 1 + most]))[:, 0, 0, 0].tolist()
    assert low - 1e-6 <= found.min() < low + 0.02 * (high - low)
    assert high - 0.02 * (high - low) < found.max() <= high + 1e-6
    assert abs(found.mean().item() - (low + high) / 2) < 5 * (high - low) / 12**0.5 / count**0.5
    assert len(found.unique()) > count / 2


def test_hue_turns_no_further_than_asked():
    count, most = 2000, 0.1
    batch = torch.tensor([0.8, 0.3, 0.3]).view(1, 3, 1, 1).expand(count, 3, 1, 1).contiguous()
    found = jitter(batch, AugmentConfig(hue=most), generator())[:, :, 0, 0]
    # Around red, either green or blue rises: by six times the turn of the spread.
    turns = (found[:, 1] - found[:, 2]) / 0.5 / 6
    assert turns.abs().max() <= most + 1e-5
    assert turns.min() < -0.95 * most
    assert turns.max() > 0.95 * most
    assert abs(turns.mean().item()) < 5 * most / 3**0.5 / count**0.5


def test_saturation_and_hue_leave_grey_images_alone():
    batch = images(channels=1)
    assert jitter(batch, AugmentConfig(saturation=0.5, hue=0.3), generator()) is batch
    with_brightness = AugmentConfig(brightness=0.5, saturation=0.5, hue=0.3)
    assert torch.equal(
        jitter(batch, with_brightness, generator()), jitter(batch, AugmentConfig(brightness=0.5), generator())
    )


def test_whole_numbers_are_rounded_once():
    batch, config = images(), AugmentConfig(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.2)
    found = jitter(batch, config, generator())
    exact = jitter(batch.float() / 255, config, generator()) * 255
    assert (found.float() - exact).abs().max() <= 0.5001
