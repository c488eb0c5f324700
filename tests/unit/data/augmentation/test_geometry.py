"""All that moves pixels by fractions is one sampling, equal to torchvision's of each image."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as vision

from isoflop.config import AugmentConfig
from isoflop.data.augmentation.geometry import affine, bend, displacement, into_windows, inverse, sample, windows

SHAPES = [(1, 28, 28), (3, 21, 34)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(shape: tuple[int, int, int], count: int = 10) -> Tensor:
    return torch.randint(0, 256, (count, *shape), generator=generator(1), dtype=torch.uint8)


def drawn(low: float, high: float, *shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=generator(seed)) * (high - low) + low


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_an_affine_change_is_torchvisions_of_each_image(shape: tuple[int, int, int], kind: torch.dtype):
    """Whole numbers may differ by 1 where a value is rounded, floats in 0 to 1 by 1e-4."""
    batch = images(shape) if kind == torch.uint8 else images(shape).float() / 255
    angle, scale, shear = drawn(-90, 90, 10), drawn(0.5, 1.5, 10, seed=1), drawn(-30, 30, 2, 10, seed=2)
    moves = drawn(-6, 6, 2, 10, seed=3).round()
    found = sample(batch, inverse(angle=angle, translation=moves, scale=scale, shear=shear), "bilinear")
    for place, image in enumerate(batch):
        expected = vision.affine(
            image,
            angle=angle[place].item(),
            translate=moves[:, place].tolist(),
            scale=scale[place].item(),
            shear=shear[:, place].tolist(),
            interpolation=vision.InterpolationMode.BILINEAR,
        )
        away = (found[place].double() - expected.double()).abs().max()
        assert away <= (1 if kind == torch.uint8 else 1e-4)


def test_changes_that_are_composed_are_one_after_the_other():
    """Two matrices multiplied see what two samplings see, where neither comes near an edge: on a linear image."""
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    batch = (0.01 * x + 0.02 * y)[None, None]
    boxes = torch.tensor([[6.0], [4.0], [20.0], [22.0]]).unbind(0)
    turn = inverse(
        angle=torch.tensor([10.0]), translation=torch.zeros(2, 1), scale=torch.ones(1), shear=torch.zeros(2, 1)
    )
    square = torch.cat((turn, torch.tensor([[[0.0, 0.0, 1.0]]], dtype=torch.float64)), 1)
    window = into_windows(boxes, 32, 32)  # type: ignore[arg-type]
    once = sample(batch, window @ square, "bilinear")
    twice = sample(sample(batch, window, "bilinear"), turn, "bilinear")
    assert torch.allclose(once[..., 8:24, 8:24], twice[..., 8:24, 8:24], atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_resized_crop_is_torchvisions_inside_its_window(shape: tuple[int, int, int]):
    """Half a pixel from the window's edge torchvision repeats the edge, where here the image goes on."""
    batch, (_, height, width) = images(shape, 20).float() / 255, shape
    boxes = windows(batch.shape, 0.2, 4 / 3, generator())
    found = sample(batch, into_windows(boxes, height, width), "bilinear", border=True)
    compared = 0
    for place, image in enumerate(batch):
        top, left, tall, wide = (int(side[place]) for side in boxes)
        expected = vision.resized_crop(image, top, left, tall, wide, [height, width], antialias=False)
        rows = ((torch.arange(height) + 0.5) * tall / height - 0.5 >= 0) & (
            (torch.arange(height) + 0.5) * tall / height - 0.5 <= tall - 1
        )
        columns = ((torch.arange(width) + 0.5) * wide / width - 0.5 >= 0) & (
            (torch.arange(width) + 0.5) * wide / width - 0.5 <= wide - 1
        )
        inner = rows[:, None] & columns
        compared += int(inner.sum())
        assert torch.allclose(found[place][:, inner], expected[:, inner], atol=1e-4)
    assert compared > 0.8 * len(batch) * height * width


def test_windows_fit_and_have_the_areas_and_sides_that_were_asked_for():
    count, least, aspect = 4000, 0.3, 1.5
    top, left, tall, wide = windows(torch.Size((count, 1, 60, 40)), least, aspect, generator())
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + tall <= 60).all()
    assert (left + wide <= 40).all()
    area, ratio = tall * wide / 2400, (wide / 40) / (tall / 60)
    assert area.min() > least - 0.03
    assert area.max() <= 1
    # A side is rounded by half a pixel of at least 25.
    assert ratio.max() < aspect * 1.05
    assert ratio.min() > 1 / aspect / 1.05
    assert abs(ratio.log().mean().item()) < 5 * ratio.log().std().item() / count**0.5
    # Places are uniform over those where the window fits.
    free = 60 - tall > 5
    place = (top / (60 - tall))[free]
    assert abs(place.mean().item() - 0.5) < 5 * place.std().item() / len(place) ** 0.5


def test_a_window_that_never_fits_is_the_whole_image():
    """Ten draws at most: of an image one pixel high, a window with another height never fits."""
    shape = torch.Size((200, 1, 1, 400))
    top, left, tall, wide = windows(shape, 0.9, 4.0, generator())
    assert (tall == 1).all()
    assert ((left + wide) <= 400).all()
    assert (top == 0).all()


@pytest.mark.parametrize("sigma", [1.0, 3.0, 5.0])
def test_elastic_displacements_are_torchvisions_of_the_same_noise(sigma: float):
    noise = drawn(-1, 1, 4, 2, 48, 64)
    found = displacement(noise, 50.0, sigma)
    size = int(8 * sigma + 1) | 1
    for axis, side in enumerate((64, 48)):
        expected = vision.gaussian_blur(noise[:, axis : axis + 1], [size, size], [sigma, sigma])[:, 0] * 50 / side
        assert torch.allclose(found[:, axis], expected, atol=1e-5)
    assert v2.ElasticTransform(alpha=50, sigma=5).alpha == [50.0, 50.0]


def test_an_elastic_image_is_torchvisions_of_each_image():
    batch, field = images((3, 24, 30)), displacement(drawn(-1, 1, 10, 2, 24, 30), 40.0, 2.0)
    none = torch.eye(2, 3).expand(10, 2, 3)
    found = sample(batch, none, "bilinear", field=field)
    for place, image in enumerate(batch):
        expected = vision.elastic(image, field[place].permute(1, 2, 0)[None])
        assert (found[place].int() - expected.int()).abs().max() <= 1


def test_a_blur_wider_than_a_small_image_stays_inside():
    found = displacement(drawn(-1, 1, 2, 2, 8, 8), 100.0, 20.0)
    assert torch.isfinite(found).all()
    assert found.abs().max() < 100 / 8


def test_affine_draws_stay_inside_their_bounds():
    count = 4000
    config = AugmentConfig(rotation=30, scale=0.2)
    matrices = affine(config, torch.Size((count, 1, 20, 40)), generator())
    scale = 1 / torch.linalg.det(matrices[:, :, :2]).sqrt()
    angle = torch.atan2(matrices[:, 0, 1], matrices[:, 0, 0]).rad2deg()
    assert 0.8 <= scale.min() < 0.81
    assert 1.19 < scale.max() <= 1.2
    assert -30 <= angle.min() < -29
    assert 29 < angle.max() <= 30
    assert abs(angle.mean().item()) < 5 * 30 / 3**0.5 / count**0.5
    moves = affine(AugmentConfig(translation=0.25), torch.Size((count, 1, 20, 40)), generator())[:, :, 2]
    assert moves.abs().amax(0).tolist() == [10.0, 5.0]
    assert torch.equal(moves, moves.round())
    shears = affine(AugmentConfig(shear=20), torch.Size((count, 1, 20, 40)), generator())
    assert 19 < shears[:, 0, 1].atan().rad2deg().abs().max() <= 20.0001


@pytest.mark.parametrize(
    "config",
    [
        {"resized_crop": 0.3},
        {"rotation": 20},
        {"scale": 0.3},
        {"shear": 20},
        {"translation": 0.3},
        {"elastic": 60},
        {"resized_crop": 0.5, "rotation": 10, "scale": 0.1, "shear": 5, "translation": 0.1, "elastic": 30},
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", SHAPES)
def test_each_image_is_bent_by_its_own_draw(config: dict[str, float], shape: tuple[int, int, int]):
    batch = images(shape, 1).expand(16, -1, -1, -1)
    made = AugmentConfig(**config)
    found = bend(batch, made, generator())
    assert found.shape == batch.shape
    assert found.dtype == torch.uint8
    assert len({image.numpy().tobytes() for image in found}) >= 12
    assert torch.equal(found, bend(batch, made, generator()))
    # The same as of floats, up to rounding.
    assert (bend(batch.float(), made, generator()) - found.float()).abs().max() <= 0.51
