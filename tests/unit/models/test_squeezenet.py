"""SqueezeNet: a head that decides at every place, and maps of a net that does not pad."""

from __future__ import annotations

import pytest
import torch

from isoflop.config import ModelConfig
from isoflop.errors import SpecError
from isoflop.models import Net, build


def squeezenet(size: int, **settings) -> Net:
    model = ModelConfig(family="squeezenet", width=0.25, **settings)
    return build(model, image=(3, size, size), classes=10, seed=0).eval()


def photos(size: int) -> torch.Tensor:
    return torch.rand(4, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_logits_are_the_mean_of_what_is_decided_at_every_place():
    model, images = squeezenet(32), photos(32)
    last = model.body(images)
    places = torch.stack([model.head(last[:, :, i : i + 1, j : j + 1]) for i in range(8) for j in range(8)])
    assert last.shape[2:] == (8, 8)
    torch.testing.assert_close(model(images), places.mean(0))


def test_every_class_can_learn_at_first():
    """No class is cut off by the last ReLU on all images."""
    assert (squeezenet(8)(photos(8)).amax(0) > 0).all()


def test_depth_is_fire_modules_of_every_kind():
    counts = [[len(stage) - 1 for stage in squeezenet(32, depth=depth).body.stages] for depth in (0.5, 1.0, 2.0)]
    assert counts == [[1, 1, 2], [2, 2, 4], [4, 4, 8]]


def test_with_the_published_stem_what_does_not_fill_a_window_is_lost():
    maps = squeezenet(64, stem=4).features(photos(64))
    assert [(stride, found.shape[-1]) for stride, found in maps.items()] == [(4, 15), (8, 7), (16, 3)]


def test_images_of_which_the_published_stem_leaves_nothing_are_refused():
    with pytest.raises(SpecError, match="20 pixels are too few for stem 4; nearest legal: 24 and 28"):
        squeezenet(20, stem=4)
