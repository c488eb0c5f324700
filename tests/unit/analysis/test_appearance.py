"""Statistics of images whose numbers are known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageStat

from isoflop.analysis import appearance
from isoflop.analysis.appearance import STATISTICS, measure


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (7, 3, 9, 11), dtype=np.uint8)


def test_brightness_and_contrast_are_those_of_pillows_grey(images: np.ndarray) -> None:
    grey = [ImageStat.Stat(Image.fromarray(one.transpose(1, 2, 0)).convert("L")) for one in images]
    assert measure("brightness", images) == pytest.approx([one.mean[0] / 255 for one in grey], abs=0.003)
    assert measure("contrast", images) == pytest.approx([one.stddev[0] / 255 for one in grey], abs=0.003)


def test_grey_has_no_saturation_and_pure_colours_have_all() -> None:
    red = np.zeros((1, 3, 4, 4), dtype=np.uint8)
    red[:, 0] = 255
    assert measure("saturation", red) == pytest.approx([1.0])
    assert measure("saturation", np.full((1, 3, 4, 4), 90, dtype=np.uint8)) == pytest.approx([0.0])
    assert measure("saturation", np.full((1, 1, 4, 4), 90, dtype=np.uint8)) == pytest.approx([0.0])


def test_sharpness_tells_edges_from_a_slope_and_not_from_their_height() -> None:
    slope = np.tile(np.arange(8, dtype=np.uint8) * 8, (8, 1))
    board = (np.indices((8, 8)).sum(axis=0) % 2 * 255).astype(np.uint8)
    found = measure("sharpness", np.stack([slope, board, board // 5, np.zeros_like(slope)])[:, None])
    assert found[1] == pytest.approx(2.0)
    assert found[2] == pytest.approx(found[1])
    assert found[0] < 0.3
    assert found[3] == 0.0


@pytest.mark.parametrize("name", list(STATISTICS))
def test_blocks_change_nothing(name: str, images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = measure(name, images)
    monkeypatch.setattr(appearance, "CELLS", 2 * 3 * 9 * 11)
    assert measure(name, images) == pytest.approx(whole)
    assert len(measure(name, images[:0])) == 0
