"""Resized crop, affine changes and elastic deformation: all of them in one sampling of each image.

A matrix (2, 3) tells for each pixel of the result where in the image it comes from, in pixels from the centre.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from isoflop.config import AugmentConfig
from isoflop.data.augmentation.draws import uniform

Mode = Literal["nearest", "bilinear"]
TRIES = 10
"""Windows drawn of which the first that fits is taken, as in torchvision."""


def bend(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Resized crop, rotation, scale, shear, translation and elastic deformation (N, C, H, W), each image by its draw.

    Beyond the image there are zeros; a window alone takes the nearest pixel there, as resizing does.
    """
    count, _, height, width = images.shape
    moves = bool(config.rotation or config.scale or config.shear or config.translation)
    if not (moves or config.elastic or config.resized_crop < 1):
        return images
    matrices = affine(config, images.shape, generator) if moves else _identity(count)
    if config.resized_crop < 1:
        boxes = windows(images.shape, config.resized_crop, config.resized_crop_aspect, generator)
        matrices = into_windows(boxes, height, width) @ _square(matrices)
    field = None
    if config.elastic:
        noise = torch.rand((count, 2, height, width), generator=generator) * 2 - 1
        field = displacement(noise.to(images.device), config.elastic, config.elastic_sigma)
    alone = not (moves or config.elastic)
    return sample(images, matrices, "bilinear", field=field, border=alone)


def affine(config: AugmentConfig, shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Matrices (N, 2, 3) of rotations, scales, shears and translations that are drawn for each image."""
    count, _, height, width = shape

    def either(most: float) -> Tensor:
        return uniform(count, -most, most, generator).double() if most else torch.zeros(count, dtype=torch.float64)

    angle, scale = either(config.rotation), 1 + either(config.scale)
    shear = torch.stack((either(config.shear), either(config.shear)))
    sides = torch.tensor([width, height])[:, None]
    translation = (torch.stack((either(config.translation), either(config.translation))) * sides).round()
    return inverse(angle=angle, translation=translation, scale=scale, shear=shear)


def inverse(
    *, angle: Tensor, translation: Tensor, scale: Tensor, shear: Tensor, centre: tuple[float, float] = (0.0, 0.0)
) -> Tensor:
    """Matrices (N, 2, 3) float64 that undo: shear, scale and turn about a centre, then move.

    `angle` (N,) and `shear` (2, N) are degrees clockwise, `translation` (2, N) pixels to the right and down. The
    formula is that of torchvision, `F.affine`.
    """
    turn, (shear_x, shear_y) = angle.double().deg2rad(), shear.double().deg2rad()
    moved_x, moved_y = (place + move for place, move in zip(centre, translation.double(), strict=True))
    a = torch.cos(turn - shear_y) / torch.cos(shear_y)
    b = -(a * torch.tan(shear_x) + torch.sin(turn))
    c = torch.sin(turn - shear_y) / torch.cos(shear_y)
    d = torch.cos(turn) - c * torch.tan(shear_x)
    first, second = torch.stack((d, -b)) / scale, torch.stack((-c, a)) / scale
    x = centre[0] - first[0] * moved_x - first[1] * moved_y
    y = centre[1] - second[0] * moved_x - second[1] * moved_y
    return torch.stack((torch.stack((*first, x), 1), torch.stack((*second, y), 1)), 1)


def windows(
    shape: torch.Size, least: float, aspect: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Top, left, height and width (N,) of windows: shares of the area from `least` to 1, sides that differ by `aspect`.

    Of several that are drawn the first that fits into the image is taken, else the whole image (Szegedy et al. 2015,
    arXiv:1409.4842, section 6, as torchvision has it; the ratio of the sides is relative to the image's).
    """
    count, _, height, width = shape
    area = torch.rand((TRIES, count), generator=generator) * (1 - least) + least
    ratio = torch.exp((torch.rand((TRIES, count), generator=generator) * 2 - 1) * torch.tensor(aspect).log())
    tall, wide = (height * (area / ratio).sqrt()).round(), (width * (area * ratio).sqrt()).round()
    fits = (tall >= 1) & (tall <= height) & (wide >= 1) & (wide <= width)
    first = fits.int().argmax(0)
    place = torch.arange(count)
    whole = ~fits.any(0)
    tall = torch.where(whole, height, tall[first, place])
    wide = torch.where(whole, width, wide[first, place])
    top = (torch.rand(count, generator=generator) * (height - tall + 1)).floor()
    left = (torch.rand(count, generator=generator) * (width - wide + 1)).floor()
    return top, left, tall, wide


def into_windows(boxes: tuple[Tensor, Tensor, Tensor, Tensor], height: int, width: int) -> Tensor:
    """Matrices (N, 2, 3) float64 from the whole image into windows of it."""
    top, left, tall, wide = (side.double() for side in boxes)
    none = torch.zeros_like(top)
    across = torch.stack((wide / width, none, left + (wide - width) / 2), 1)
    down = torch.stack((none, tall / height, top + (tall - height) / 2), 1)
    return torch.stack((across, down), 1)


def displacement(noise: Tensor, alpha: float, sigma: float) -> Tensor:
    """Displacements (N, 2, H, W) along x and y, in halves of the image's sides, of noise in -1 to 1 (N, 2, H, W).

    Simard et al. 2003, section 2, in the units of torchvision's `ElasticTransform`.
    """
    height, width = noise.shape[2:]
    blurred = _blur(height, sigma).to(noise.device) @ noise @ _blur(width, sigma).T.to(noise.device)
    return blurred * (alpha / torch.tensor([width, height], device=noise.device)[None, :, None, None])


@cache
def _blur(side: int, sigma: float) -> Tensor:
    """The matrix (side, side) of a Gaussian blur along one axis, the image being reflected at its edges."""
    reach = min(int(4 * sigma), side - 1)
    away = torch.arange(-reach, reach + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (away / sigma) ** 2)
    kernel = kernel / kernel.sum()
    source = (torch.arange(side)[:, None] + torch.arange(-reach, reach + 1)).abs()
    source = (side - 1) - ((side - 1) - source).abs()
    return torch.zeros(side, side, dtype=torch.float64).scatter_add_(1, source, kernel.expand(side, -1)).float()


def sample(
    images: Tensor, matrices: Tensor, mode: Mode, *, field: Tensor | None = None, border: bool = False
) -> Tensor:
    """Images (N, C, H, W) seen through matrices (N, 2, 3), and displaced by a field (N, 2, H, W) if there is one.

    Beyond the image there are zeros, or with `border` its nearest pixel. Whole numbers are rounded.
    """
    height, width = images.shape[2:]
    half = torch.tensor([width / 2, height / 2], dtype=torch.float32)
    theta = (matrices.float().transpose(1, 2) / half).to(images.device)
    grid = (_places(height, width).to(images.device) @ theta).view(len(images), height, width, 2)
    if field is not None:
        grid = grid + field.permute(0, 2, 3, 1)
    values = images if images.is_floating_point() else images.float()
    found = grid_sample(values, grid, mode, "border" if border else "zeros", align_corners=False)
    return found if images.is_floating_point() else found.round_().to(images.dtype)


@cache
def _places(height: int, width: int) -> Tensor:
    """Each pixel's x and y from the centre, and 1: (H * W, 3)."""
    y, x = torch.meshgrid(
        torch.linspace((1.0 - height) / 2, (height - 1.0) / 2, height),
        torch.linspace((1.0 - width) / 2, (width - 1.0) / 2, width),
        indexing="ij",
    )
    return torch.stack((x, y, torch.ones_like(x)), 2).reshape(-1, 3)


def _identity(count: int) -> Tensor:
    return torch.eye(2, 3, dtype=torch.float64).expand(count, 2, 3)


def _square(matrices: Tensor) -> Tensor:
    """The same with a third row, so that they can be multiplied."""
    last = torch.tensor([0.0, 0.0, 1.0], dtype=matrices.dtype).expand(len(matrices), 1, 3)
    return torch.cat((matrices, last), 1)
