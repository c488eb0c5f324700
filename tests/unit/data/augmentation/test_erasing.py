"""Erasing: boxes with the areas, sides and probability that were asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isoflop.data.augmentation.erasing import ASPECT, LEAST_AREA, Erasing, erased

COUNT, HEIGHT, WIDTH = 6000, 100, 160


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_boxes_are_drawn_as_asked():
    edges = erased(2, torch.Size((COUNT, 3, HEIGHT, WIDTH)), 0.3, 0.4, np.random.default_rng(0))
    assert not np.array_equal(*edges)
    top, bottom, left, right = torch.from_numpy(edges[1])
    tall, wide = bottom - top, right - left
    hit = tall * wide > 0
    assert abs(hit.float().mean().item() - 0.3) < 5 * (0.3 * 0.7 / COUNT) ** 0.5
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (bottom <= HEIGHT).all()
    assert (right <= WIDTH).all()
    area = (tall * wide / (HEIGHT * WIDTH))[hit]
    ratio = ((tall / HEIGHT) / (wide / WIDTH))[hit]
    # Sides are rounded to whole pixels: of areas of at least 2 %, that is some per cent.
    assert LEAST_AREA * 0.9 < area.min() < LEAST_AREA * 1.2
    assert 0.38 < area.max() < 0.41
    assert abs(area.mean().item() - 0.21) < 5 * 0.38 / 12**0.5 / len(area) ** 0.5 + 0.002
    assert ratio.max() < ASPECT * 1.1
    assert ratio.min() > 1 / ASPECT / 1.1
    assert abs(ratio.log().mean().item()) < 5 * ratio.log().std().item() / len(ratio) ** 0.5 + 0.01
    place = (top / (HEIGHT - tall))[hit & (tall < HEIGHT)]
    assert abs(place.mean().item() - 0.5) < 5 * place.std().item() / len(place) ** 0.5


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_what_is_erased_is_the_box(kind: torch.dtype):
    batch = torch.randint(1, 256, (50, 3, 12, 10), generator=generator(1)).to(kind)
    edges = erased(3, batch.shape, 0.5, 0.5, np.random.default_rng(0))
    colour = torch.tensor([5, 6, 7]).to(kind)[:, None, None]
    boxes = edges[1]
    found = Erasing.of(edges, batch.shape, batch.device).erase(1, batch.clone(), colour)
    for image, before, (top, bottom, left, right) in zip(found, batch, boxes.T.astype(int).tolist(), strict=True):
        expected = before.clone()
        expected[:, top:bottom, left:right] = colour
        assert torch.equal(image, expected)
    assert 0 < (found != batch).flatten(1).any(1).sum() < 50


def test_where_nothing_is_to_be_erased_nothing_is():
    batch = torch.randint(1, 256, (5, 1, 12, 10), generator=generator(1), dtype=torch.uint8)
    edges = erased(1, batch.shape, 0.0, 0.5, np.random.default_rng(0))
    black = torch.zeros((1, 1, 1), dtype=torch.uint8)
    assert torch.equal(Erasing.of(edges, batch.shape, batch.device).erase(0, batch.clone(), black), batch)
