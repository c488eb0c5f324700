"""Changes of colour, each image by a factor of its own. Images are uint8, or floats in 0 to 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from isoflop.config import AugmentConfig
from isoflop.data.augmentation.draws import uniform

Change: TypeAlias = Callable[[Tensor, Tensor], Tensor]
COLOURS = 3
"""Channels of an image with colours: red, green and blue."""


def jitter(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Brightness, contrast, saturation and hue as the configuration asks (N, C, H, W), each image by its own draws.

    Whole numbers are rounded once, at the end.
    """
    asked: dict[Change, float] = {brightness: config.brightness, contrast: config.contrast}
    if images.shape[1] == COLOURS:
        asked |= {saturation: config.saturation, hue: config.hue}
    asked = {change: most for change, most in asked.items() if most}
    if not asked:
        return images
    values = images if images.is_floating_point() else images.float().div_(255)
    for change, most in asked.items():
        middle = 0.0 if change is hue else 1.0
        drawn = uniform(len(images), middle - most, middle + most, generator)
        values = change(values, drawn.to(images.device))
    return values if images.is_floating_point() else values.mul_(255).round_().to(images.dtype)


def brightness(images: Tensor, factors: Tensor) -> Tensor:
    """Times a factor: 0 is black, 1 changes nothing."""
    return _fit(images, images * _wide(factors))


def contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Blended with the mean of the image in grey: 0 is that grey, 1 changes nothing."""
    return blend(images, grey(images).float().mean((1, 2, 3), keepdim=True), factors)


def saturation(images: Tensor, factors: Tensor) -> Tensor:
    """Blended with the image in grey: 0 is that, 1 changes nothing."""
    return blend(images, grey(images), factors)


def blend(images: Tensor, others: Tensor, factors: Tensor) -> Tensor:
    """So much of the images and the rest of others, within what colours can be."""
    share = _wide(factors)
    return _fit(images, (images * share).add_(others * (1 - share)))


def hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turned about the circle of colours by a share of it, lightness and saturation (HSV) being kept.

    The conversions are those of the hexcone (Smith 1978); the way back is the closed form f(n) = V - V S max(0, min(k,
    4 - k, 1)) with k = (n + 6 H) mod 6 for n of 5, 3, 1.
    """
    values = images if images.is_floating_point() else images.float().div_(255)
    lowest, value = values.aminmax(dim=1, keepdim=True)
    spread = value - lowest
    red, green, blue = torch.split(values, 1, 1)
    divisor = torch.where(spread > 0, spread, 1)
    sector = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    sector = sector + 6 * _wide(turns)
    places = (sector + torch.tensor([5.0, 3.0, 1.0], device=images.device)[None, :, None, None]).remainder_(6)
    found = value - spread * torch.minimum(places, 4 - places).clamp_(0, 1)
    return found if images.is_floating_point() else found.mul_(255).round_().to(images.dtype)


def grey(images: Tensor) -> Tensor:
    """In grey (N, 1, H, W), rounded down where they are whole numbers; the weights are those of ITU-R BT.601."""
    if images.shape[1] != COLOURS:
        return images
    red, green, blue = torch.split(images, 1, 1)
    found = red.mul(0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114)
    return found if images.is_floating_point() else found.floor_()


def _fit(images: Tensor, values: Tensor) -> Tensor:
    """Values within what colours can be, of the images' kind."""
    return values.clamp_(0, 1) if images.is_floating_point() else values.clamp_(0, 255).to(images.dtype)


def _wide(numbers: Tensor) -> Tensor:
    """One number an image, shaped to meet all its pixels."""
    return numbers[:, None, None, None]
