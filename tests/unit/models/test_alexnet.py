"""AlexNet of 2012: local response normalization and the groups of two GPUs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from isoflop.config import ModelConfig
from isoflop.models import Net, build, cost


def alexnet(size: int = 16, **settings) -> Net:
    return build(ModelConfig(family="alexnet", **{"width": 0.125, **settings}), image=(1, size, size), classes=10)


def test_the_net_of_2012_has_the_published_size():
    found = cost(ModelConfig(family="alexnet", stem=4), image=(3, 224, 224), classes=1000)
    assert found.parameters == 60_965_224  # of Caffe's bvlc_alexnet: the paper says 60 million
    maps = [layer.output for layer in found.layers if layer.kind == "Conv2d"]
    assert maps == [(96, 55, 55), (256, 27, 27), (384, 13, 13), (384, 13, 13), (256, 13, 13)]


def test_responses_are_normalized_by_the_papers_formula():
    """Section 3.3: b_i = a_i / (k + alpha * sum of a_j**2 from i - 2 to i + 2)**beta."""
    norm = alexnet().body.stages[0][-1]
    a = 100 * torch.rand(1, 7, 1, 1, generator=torch.Generator().manual_seed(0))
    squares = [a[0, max(0, i - 2) : i + 3].square().sum() for i in range(7)]
    expected = torch.stack([a[0, i, 0, 0] / (2 + 1e-4 * squares[i]) ** 0.75 for i in range(7)])
    torch.testing.assert_close(norm(a).flatten(), expected)


@pytest.mark.parametrize(("variant", "norms", "groups"), [("2012", 2, [1, 2, 1, 2, 2]), ("2014", 0, [1] * 5)])
@pytest.mark.parametrize("divisor", [1, 8])
def test_variants_differ_in_norms_and_groups(variant, norms, groups, divisor):
    model = alexnet(variant=variant, divisor=divisor, width=0.07)
    modules = [*model.modules()]
    assert sum(isinstance(module, nn.LocalResponseNorm) for module in modules) == norms
    assert [module.groups for module in modules if isinstance(module, nn.Conv2d)] == groups


def test_depth_repeats_all_but_the_first_convolution():
    counts = [
        [sum(isinstance(part, nn.Conv2d) for part in stage) for stage in alexnet(depth=depth).body.stages]
        for depth in (0.1, 1.0, 2.0)
    ]
    assert counts == [[1, 1, 3, 0], [1, 1, 3, 0], [1, 2, 6, 0]]


@pytest.mark.parametrize(("size", "stem", "grid"), [(8, 1, 2), (32, 1, 4), (64, 1, 6), (64, 4, 1), (224, 4, 6)])
def test_what_is_dense_pays_for_the_places_there_are(size, stem, grid):
    dense = alexnet(size, stem=stem).body.dense
    assert dense[0].output_size == grid
