"""Effective receptive fields against those that can be worked out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from isoflop.config import ModelConfig
from isoflop.errors import SpecError
from isoflop.models import build, cost
from isoflop.models.effective_field import THRESHOLD, EffectiveField, awake, derivatives, effective_field, extent

CPU = torch.device("cpu")


def even(kernel: int = 3, *, layers: int = 1) -> nn.Sequential:
    """Convolutions with equal weights."""
    made = nn.Sequential(*(nn.Conv2d(1, 1, kernel, padding=kernel // 2, bias=False) for _ in range(layers)))
    for weight in made.parameters():
        nn.init.constant_(weight, 1 / kernel**2)
    return made


def seen(net: nn.Module, *, size: int = 33, images: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return derivatives(net, torch.randn(images, 1, size, size, generator=generator), generator)


def field(name: str = "resnet", *, size: int = 64, **settings: object) -> EffectiveField:
    model = ModelConfig(family=name, **{"width": 0.25, **settings})
    return effective_field(model, image=(1, size, size), images=8, device=CPU)


@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_one_convolution_sees_its_window_and_nothing_else(kernel: int):
    found = seen(even(kernel))
    assert found.count_nonzero() == kernel**2
    assert extent(found) == kernel


def test_two_convolutions_see_the_middle_more():
    found = seen(even(layers=2))
    line = torch.tensor([1.0, 2.0, 3.0, 2.0, 1.0])
    expected = torch.outer(line, line)
    torch.testing.assert_close(found[14:19, 14:19] / found.max(), expected / expected.max())


@pytest.mark.parametrize("layers", [4, 16, 64])
def test_a_stack_sees_a_gaussian_that_grows_with_the_root_of_its_layers(layers: int):
    """Of n convolutions with equal weights the variance along an axis is n * (3**2 - 1) / 12."""
    found = seen(even(layers=layers), size=129)
    radius = math.sqrt(2 * math.log(1 / THRESHOLD) * layers * 8 / 12)
    assert extent(found) == pytest.approx(math.sqrt(math.pi) * radius, rel=0.05)
    theoretical = 2 * layers + 1
    assert extent(found) < theoretical or layers < 16


def test_signs_do_not_cancel():
    class Square(nn.Module):
        """Its derivative has the sign of the pixel."""

        def forward(self, x: Tensor) -> Tensor:
            return x.square()

    found = seen(nn.Sequential(Square(), even()), images=64)
    assert found.count_nonzero() == 9
    assert extent(found) == 3


def test_channels_whose_sum_is_constant_are_seen():
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.Softmax(dim=1))
    assert extent(seen(net)) == 3


def test_it_is_within_the_theoretical_field():
    settings = {"width": 0.25, "depth": 0.25, "stem": 1}
    found = field("mobilenet_v1", size=96, **settings)
    bound = cost(ModelConfig(family="mobilenet_v1", **settings), image=(1, 96, 96), classes=2).receptive_field
    assert 8 < found.side < bound < 96
    assert (found.resolution, found.images) == (96, 8)


def test_blocks_that_begin_as_the_identity_are_looked_through():
    """Shortcuts alone see 3 pixels here: those of the stem."""
    assert field("resnet").side > 16


@pytest.mark.parametrize("name", ["resnet", "convnext"])
def test_gains_that_begin_closed_are_open_and_biases_stay(name: str):
    body = build(ModelConfig(family=name, width=0.25), image=(1, 32, 32), classes=2, seed=0).body
    before = {key: weight.clone() for key, weight in body.named_parameters()}
    awake(body, torch.randn(4, 1, 32, 32))
    changed = {key for key, weight in body.named_parameters() if not torch.equal(weight, before[key])}
    assert changed
    assert all((before[key] <= 1e-6).all() and (body.get_parameter(key) == 1).all() for key in changed)
    assert not any(key.endswith("bias") for key in changed)
    assert not any(module.training for module in body.modules())


def test_batch_norms_know_the_images():
    body = build(ModelConfig(family="resnet", width=0.25), image=(1, 32, 32), classes=2, seed=0).body
    awake(body, 5 + torch.randn(4, 1, 32, 32))
    with torch.no_grad():
        assert body.stem(5 + torch.randn(4, 1, 32, 32)).std() == pytest.approx(0.58, abs=0.1)  # of a halved normal


def test_equal_seeds_see_the_same_and_generators_are_left_alone():
    state = torch.get_rng_state()
    assert field() == field()
    assert torch.equal(torch.get_rng_state(), state)


def test_an_illegal_shape_names_the_nearest_legal_ones():
    with pytest.raises(SpecError, match="nearest legal: 28 and 32"):
        field(size=30, stem=4)
