"""Each operation of a policy computes what torchvision does, image by image."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode, RandAugment

from isoflop.data.augmentation.operations import MOVES, NAMES, OPERATIONS, operate

MAGNITUDES = {
    "ShearX": (-0.7, 0.7),
    "ShearY": (-0.7, 0.7),
    "TranslateX": (-9.0, 9.0),
    "TranslateY": (-9.0, 9.0),
    "Rotate": (-140.0, 140.0),
    "Posterize": (2, 8),
    "Solarize": (0.0, 1.0),
}
SHAPES = [(1, 28, 28), (3, 32, 32), (3, 21, 34)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(shape: tuple[int, int, int], count: int = 12) -> Tensor:
    """Smooth images with noise over them, so that histograms have gaps and grids show."""
    channels, height, width = shape
    coarse = torch.rand((count, channels, 4, 4), generator=generator(1)) * 180 + 20
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return (smooth + torch.rand((count, *shape), generator=generator(2)) * 40).to(torch.uint8)


def magnitudes(name: str, count: int = 12) -> Tensor:
    low, high = MAGNITUDES.get(name, (-0.95, 0.95))
    drawn = torch.rand(count, generator=generator(3)) * (high - low) + low
    return drawn.round() if name == "Posterize" else drawn


def reference(image: Tensor, name: str, magnitude: float, mode: InterpolationMode) -> Tensor:
    return RandAugment()._apply_image_or_video_transform(image, name, magnitude, mode, fill={})  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_an_operation_is_torchvisions_of_each_image(name: str, shape: tuple[int, int, int]):
    """Colours may differ by 1 of 255 where a product is rounded; of moved pixels 1 in 500 may fall to a neighbour."""
    batch, sizes = images(shape), magnitudes(name)
    before = batch.clone()
    drawn = torch.full((len(batch),), NAMES.index(name))
    found = operate(batch, drawn, sizes, "nearest")
    expected = torch.stack(
        [reference(one, name, size.item(), InterpolationMode.NEAREST) for one, size in zip(batch, sizes, strict=True)]
    )
    assert torch.equal(batch, before)
    assert found.dtype == torch.uint8
    away = (found.int() - expected.int()).abs()
    if name in MOVES:
        assert (away > 0).float().mean() <= 1 / 500
    else:
        assert away.max() <= 1
        assert (away > 0).float().mean() <= 1 / 100
    if name not in {"Identity", "Color"} or (name == "Color" and shape[0] == 3):
        assert not torch.equal(found, batch)


@pytest.mark.parametrize("name", MOVES)
def test_moves_sample_between_pixels_as_torchvision_does(name: str):
    batch, sizes = images((3, 32, 32)), magnitudes(name)
    found = operate(batch, torch.full((len(batch),), NAMES.index(name)), sizes, "bilinear")
    expected = torch.stack(
        [reference(one, name, size.item(), InterpolationMode.BILINEAR) for one, size in zip(batch, sizes, strict=True)]
    )
    assert (found.int() - expected.int()).abs().max() <= 1


def test_each_image_has_its_own_operation_and_none_leaves_it_alone():
    names = [*NAMES, "none"]
    batch = images((3, 32, 32), len(names))
    sizes = torch.stack([magnitudes(name)[0] for name in names])
    drawn = torch.tensor([NAMES.index(name) if name in NAMES else -1 for name in names])
    found = operate(batch, drawn, sizes, "nearest")
    for place, name in enumerate(NAMES):
        alone = operate(batch[place : place + 1], drawn[place : place + 1], sizes[place : place + 1], "nearest")
        assert torch.equal(found[place : place + 1], alone), name
    assert torch.equal(found[-1], batch[-1])


def test_every_operation_of_the_papers_is_there():
    assert {*RandAugment._AUGMENTATION_SPACE, "Invert"} == {*MOVES, *OPERATIONS}
