"""Hits as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isoflop.evaluation.predictions import save_predictions
from isoflop.tracking.hits import PIECE, decode, encode, hits_in, tags_of
from isoflop.tracking.projection import TAG_LIMIT


@pytest.mark.parametrize("count", [1, 7, 8, 9, 10_000])
def test_hits_come_back(count: int) -> None:
    hits = np.random.default_rng(count).random(count) < 0.9
    found = decode(encode(hits))
    assert found is not None
    assert found.tolist() == hits.tolist()


@pytest.mark.parametrize("text", ["", "7", "7:", "x:eNo=", "7:eNo", "7:####"])
def test_a_torn_text_has_none(text: str) -> None:
    assert decode(text) is None


def test_many_images_take_several_tags(tmp_path: Path) -> None:
    labels = np.arange(200_000) % 2
    hits = np.random.default_rng(0).random(len(labels)) < 0.5
    save_predictions(tmp_path / "p.npz", np.eye(2)[labels ^ ~hits], labels, split="val", data_digest="d")
    tags = tags_of(tmp_path / "p.npz", "val")
    assert len(tags) > 1
    assert max(map(len, tags.values())) <= PIECE <= TAG_LIMIT
    found = hits_in(tags, "val")
    assert found is not None
    assert (found == hits).all()
    assert hits_in(tags, "test") is None
    last = max(tags, key=lambda name: int(name.rpartition(".")[2]))
    assert hits_in({name: text for name, text in tags.items() if name != last}, "val") is None


def test_predictions_that_are_gone_are_said(tmp_path: Path) -> None:
    ((name, text),) = tags_of(tmp_path / "gone.npz", "test").items()
    assert name == "isoflop.test_predictions_fault"
    assert "gone.npz" in text
