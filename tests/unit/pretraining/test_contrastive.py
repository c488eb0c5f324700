"""Two views of an image are to be found among all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from isoflop.config import AugmentConfig, ModelConfig
from isoflop.data.batches import Batches
from isoflop.models import build
from isoflop.pretraining.contrastive import Contrast, Contrastive, Views, nt_xent

CROP = AugmentConfig(crop=2)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def views(images: int = 20) -> Views:
    """Images that tell by their one bright pixel which they are."""
    pixels = np.zeros((images, 1, 8, 8), np.uint8)
    pixels[:, 0, 4, 4] = np.arange(images) + 100
    batches = Batches(pixels, np.arange(images), mean=[0.0], std=[1.0], resolution=8, device=torch.device("cpu"))
    return Views(batches, CROP)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_nt_xent_is_the_papers_formula(temperature: float):
    first, second = drawn(5, 7).double(), drawn(5, 7, seed=1).double()
    both = torch.cat([first, second])
    total = 0.0
    for i in range(10):
        similar = (cosine_similarity(both[i : i + 1], both) / temperature).exp()
        total -= (similar[(i + 5) % 10] / (similar.sum() - similar[i])).log().item()
    assert nt_xent(first, second, temperature).item() == pytest.approx(total / 10, rel=1e-9)


def test_it_is_least_where_views_agree_and_images_do_not():
    apart, alike = torch.eye(6), torch.ones(6, 6)
    losses = [nt_xent(a, b, 0.5).item() for a, b in ((apart, apart), (apart, apart.roll(1, 0)), (alike, alike))]
    assert losses[0] < losses[2] < losses[1]
    assert losses[2] == pytest.approx(np.log(11), rel=1e-6)


def test_a_whole_split_is_compared_in_blocks():
    outputs = drawn(10, 2, 4)
    task = Contrast(0.5, block=4)
    parts = [nt_xent(b[:, 0], b[:, 1], 0.5).item() * len(b) for b in torch.split(outputs, 4)]
    assert task.metrics(outputs, torch.zeros(10))["loss"] == pytest.approx(sum(parts) / 10, rel=1e-5)
    alone = task.metrics(outputs[:5], torch.zeros(5))["loss"]  # the fifth has no other to be told from
    assert alone == pytest.approx(parts[0] / 4, rel=1e-5)


def test_each_epoch_has_every_image_once_in_two_views_of_its_own():
    split = views()
    seen = []
    different = 0
    for step in range(4):
        for images, labels in split.pieces(step, size=5, piece=2, seed=3, config=CROP):
            assert images.shape == (len(labels), 2, 1, 8, 8)
            bright = (images * 255).flatten(2).amax(2)
            assert torch.equal(bright.round(), (labels + 100.0)[:, None].expand(-1, 2))
            places = images.flatten(2).argmax(2)
            different += int((places[:, 0] != places[:, 1]).sum())
            seen += labels.tolist()
    assert sorted(seen) == list(range(20))
    assert seen != list(range(20))
    assert different >= 12  # of 25 places both views stand at the same one in 1 of 25


def test_views_are_a_function_of_seed_and_step():
    def one(seed: int, step: int) -> Tensor:
        return torch.cat([images for images, _ in views().pieces(step, size=5, piece=5, seed=seed, config=CROP)])

    assert torch.equal(one(3, 1), one(3, 1))
    assert not torch.equal(one(3, 1), one(4, 1))
    assert not torch.equal(one(3, 1), one(3, 2))
    split = views()
    first, again = (torch.cat([images for images, _ in split.all(6)]) for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.parametrize("family", ["lenet", "squeezenet", "vit"])
def test_any_body_makes_vectors_of_views(family: str):
    net = build(
        ModelConfig.model_validate({"family": family, "width": 0.25, "depth": 0.2}),
        image=(1, 16, 16),
        classes=3,
        seed=0,
    )
    made = Contrastive(net, 12).eval()
    x = drawn(3, 2, 1, 16, 16)
    vectors = made(x)
    assert vectors.shape == (3, 2, 12)
    torch.testing.assert_close(made(x.flip(1)), vectors.flip(1), rtol=1e-4, atol=1e-5)
    assert {key.split(".")[0] for key in made.state_dict()} == {"body", "head"}
