"""Building blocks: their names, their sizes, and what the ones of our own compute."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, max_pool2d

from isoflop.config import ModelConfig
from isoflop.families import catalogue
from isoflop.models import cost
from isoflop.models.blocks.activation import ACTIVATIONS, KINDS, activation
from isoflop.models.blocks.attention import ATTENTIONS
from isoflop.models.blocks.convolution import CONVOLUTIONS, convolution
from isoflop.models.blocks.downsampling import DOWNSAMPLINGS, downsampling
from isoflop.models.blocks.initialization import INITIALIZATIONS
from isoflop.models.blocks.normalization import NORMALIZATIONS, normalization
from isoflop.models.blocks.pooling import POOLINGS, pooling

TABLE = {
    "convolution": (catalogue.CONVOLUTION, CONVOLUTIONS),
    "norm": ((*catalogue.NORM, "none"), NORMALIZATIONS),
    "activation": (catalogue.ACTIVATION, ACTIVATIONS),
    "attention": (catalogue.ATTENTION, ATTENTIONS),
    "downsample": (catalogue.DOWNSAMPLE, DOWNSAMPLINGS),
    "pool": (catalogue.POOL, POOLINGS),
    "init": (catalogue.HE, INITIALIZATIONS),
}


def drawn(*size: int) -> torch.Tensor:
    return torch.rand(*size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("part", TABLE)
def test_the_table_of_families_names_what_there_is(part: str):
    names, known = TABLE[part]
    assert set(names) == set(known)


@pytest.mark.parametrize("name", DOWNSAMPLINGS)
@pytest.mark.parametrize("side", [2, 3, 7, 8])
@pytest.mark.parametrize("training", [True, False])
def test_downsampling_halves_a_map_rounded_up(name: str, side: int, training: bool):
    layer = downsampling(name, 4).train(training)
    assert layer(drawn(2, 4, side, side)).shape == (2, 4, -(-side // 2), -(-side // 2))


@pytest.mark.parametrize("name", DOWNSAMPLINGS)
def test_downsampling_answers_the_same_twice_when_it_does_not_train(name: str):
    layer, x = downsampling(name, 4).eval(), drawn(2, 4, 9, 9)
    assert torch.equal(layer(x), layer(x))


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("stride", [1, 2])
def test_convolutions_keep_the_side_but_for_the_stride(name: str, stride: int):
    layer = convolution(name, 12, 16, stride=stride)
    assert layer(drawn(2, 12, 9, 9)).shape == (2, 16, -(-9 // stride), -(-9 // stride))


@pytest.mark.parametrize("name", POOLINGS)
def test_pooling_gives_vectors_of_its_length(name: str):
    layer = pooling(name, 6)
    assert layer(drawn(3, 6, 5, 5)).shape == (3, 6 * layer.factor)


@pytest.mark.parametrize(("channels", "groups"), [(256, 32), (64, 32), (48, 24), (8, 4), (3, 1), (1, 1)])
def test_a_group_of_a_norm_has_more_than_one_channel_where_there_are(channels: int, groups: int):
    layer = normalization("group", channels)
    assert isinstance(layer, nn.GroupNorm)
    assert layer.num_groups == groups


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_known_as_one_and_gives_the_same_in_place(name: str):
    x = drawn(2, 3, 4, 4) - 0.5
    assert isinstance(activation(name), KINDS)
    assert torch.equal(activation(name)(x), activation(name, inplace=True)(x.clone()))


def test_mixed_pooling_begins_half_and_half():
    x = drawn(2, 3, 8, 8)
    expected = (max_pool2d(x, 2) + avg_pool2d(x, 2)) / 2
    torch.testing.assert_close(downsampling("mixed", 3)(x), expected)


def test_stochastic_pooling_draws_in_proportion_and_averages_so():
    x = torch.tensor([[4.0, 1.0], [3.0, 2.0]]).expand(1, 20_000, 2, 2)
    layer = downsampling("stochastic", 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = layer.train()(x).flatten()
    for value in (1.0, 2.0, 3.0, 4.0):
        assert (found == value).double().mean() == pytest.approx(value / 10, abs=0.02)
    assert layer.eval()(x).flatten()[0] == pytest.approx(3.0, abs=1e-4)  # (16 + 1 + 9 + 4) / 10


def test_stochastic_pooling_of_an_odd_side_pads_with_what_is_never_drawn():
    x = torch.full((1, 500, 3, 3), 2.0)
    assert (downsampling("stochastic", 1).train()(x) == 2.0).all()


def test_fractional_pooling_draws_its_windows():
    x, layer = drawn(1, 64, 9, 9), downsampling("fractional", 64)
    assert not torch.equal(layer.train()(x), layer(x))


def test_attention_pooling_begins_between_the_least_and_the_greatest():
    x = drawn(4, 6, 5, 5)
    found = pooling("attention", 6)(x)
    assert (found > x.amin((2, 3))).all()
    assert (found < x.amax((2, 3))).all()


def test_a_pyramid_holds_the_maximum_of_all_and_of_its_quarters():
    x = drawn(1, 1, 4, 4)
    assert pooling("pyramid", 1)(x)[0].tolist() == [x.max(), *max_pool2d(x, 2).flatten()]


@pytest.mark.parametrize("name", ["max", "average", "lp", "mixed", "stochastic"])
def test_pooling_widens_the_receptive_field(name: str):
    """Four convolutions of 3 and pools of 2: 3 + 1 + 4 + 2 + 8 + 4 + 16 + 8 pixels."""
    model = ModelConfig(family="basic_cnn", width=0.25, downsample=name)
    assert cost(model, image=(3, 64, 64), classes=10).unbounded_field == 46


def test_a_part_that_a_family_does_not_take_is_refused():
    with pytest.raises(ValueError, match="vit has no such setting"):
        ModelConfig(family="vit", attention="se")
