"""The operations that policies are made of: whole batches, with one magnitude an image.

They compute what torchvision's `transforms.v2` does image by image (a test holds them against it), on uint8 images.
Where torchvision's own functions take each image of a batch by itself they are called; they are imported when an
operation runs, as most trainings follow no policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

from isoflop.data.augmentation.colour import blend, brightness, contrast, saturation
from isoflop.data.augmentation.geometry import Mode, inverse, sample

Operation: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Images (N, C, H, W) uint8 and a magnitude for each (N,) to images."""

MOVES = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
"""Operations that move pixels; all of a batch's are one sampling. Magnitudes: a factor, pixels, degrees to the left."""


def move(images: Tensor, names: Tensor, magnitudes: Tensor, mode: Mode) -> Tensor:
    """Move each image by the operation of a place in `MOVES` (N,), with a magnitude (N,); zeros come in."""
    height, width = images.shape[2:]
    by = [torch.where(names == place, magnitudes.double(), 0.0) for place in range(len(MOVES))]
    none = torch.zeros_like(by[0])
    corner = (-width / 2, -height / 2)
    sheared = inverse(
        angle=none,
        translation=torch.stack((none, none)),
        scale=none + 1,
        centre=corner,
        shear=torch.stack((by[0], by[1])).atan().rad2deg(),
    )
    others = inverse(
        angle=-by[4],
        translation=torch.stack((by[2], by[3])).trunc(),
        scale=none + 1,
        shear=torch.stack((none, none)),
    )
    return sample(images, torch.where((names < 2)[:, None, None], sheared, others), mode)


def color(images: Tensor, magnitudes: Tensor) -> Tensor:
    """Saturation, by 1 + magnitude; grey images have none."""
    return images if images.shape[1] == 1 else saturation(images, 1 + magnitudes)


def sharpness(images: Tensor, magnitudes: Tensor) -> Tensor:
    """Blended with the image blurred, which a magnitude of -1 is."""
    from torchvision.transforms.v2.functional import adjust_sharpness

    return blend(images, adjust_sharpness(images, 0.0), 1 + magnitudes)


def posterize(images: Tensor, magnitudes: Tensor) -> Tensor:
    """Keep so many bits."""
    masks = 256 - 2 ** (8 - magnitudes.long())
    return images & masks.to(torch.uint8)[:, None, None, None]


def solarize(images: Tensor, magnitudes: Tensor) -> Tensor:
    """Invert what is as bright as so much of white."""
    return torch.where(images >= 255 * magnitudes[:, None, None, None], 255 - images, images)


def autocontrast(images: Tensor, _: Tensor) -> Tensor:
    """Stretch each channel to all of black and white."""
    from torchvision.transforms.v2.functional import autocontrast as whole

    return _tensor(whole(images))


def equalize(images: Tensor, _: Tensor) -> Tensor:
    """Make each channel's histogram even."""
    from torchvision.transforms.v2.functional import equalize as whole

    return _tensor(whole(images))


OPERATIONS: Mapping[str, Operation] = {
    "Identity": lambda images, _: images,
    "Brightness": lambda images, magnitudes: brightness(images, 1 + magnitudes),
    "Color": color,
    "Contrast": lambda images, magnitudes: contrast(images, 1 + magnitudes),
    "Sharpness": sharpness,
    "Posterize": posterize,
    "Solarize": solarize,
    "AutoContrast": autocontrast,
    "Equalize": equalize,
    "Invert": lambda images, _: 255 - images,
}
"""Operations that leave pixels where they are, by the names of the papers. Magnitudes of colours are what a factor has
over 1, of Posterize the bits, of Solarize the share of white."""

NAMES = (*MOVES, *OPERATIONS)


def operate(images: Tensor, drawn: Tensor, magnitudes: Tensor, mode: Mode) -> Tensor:
    """To each image the operation of a place in `NAMES` (N,), with a magnitude (N,); both are on the CPU.

    Images are grouped by operation. Those of none (place -1) are left as they are.
    """
    moved = ((drawn >= 0) & (drawn < len(MOVES))).nonzero()[:, 0]
    found = images.clone()
    if len(moved):
        part = _on(images, moved)
        found[part] = move(images[part], drawn[moved], magnitudes[moved], mode)
    for place, name in enumerate(NAMES[len(MOVES) :], start=len(MOVES)):
        group = (drawn == place).nonzero()[:, 0]
        if len(group) and name != "Identity":
            part = _on(images, group)
            found[part] = OPERATIONS[name](images[part], magnitudes[group].float().to(images.device))
    return found


def _on(images: Tensor, places: Tensor) -> Tensor:
    return places.to(images.device)


def _tensor(found: object) -> Tensor:
    """What torchvision, which has no types, gives back."""
    assert isinstance(found, Tensor)
    return found
