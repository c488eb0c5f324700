"""Estimated memory against the allocator's peak of real steps; more pairs are in benchmarks/memory.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from benchmarks.memory import LIMIT, Pair, measure

PAIRS = (
    Pair(family="resnet", settings={"width": 0.25}, side=32, batch=32),
    Pair(family="vgg", settings={"width": 0.25}, side=32, batch=4),
    Pair(family="vit", settings={"depth": 0.25}, side=32, batch=16),
    Pair(family="googlenet", settings={"width": 0.5, "depth": 0.5}, side=32, batch=4),
)
"""Large enough that what kernels take for themselves, some MB, weighs little."""


@pytest.fixture(autouse=True)
def single_thread() -> Iterator[None]:
    """Each thread takes room of its own."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("pair", PAIRS, ids=str)
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_the_peak_of_a_step_is_as_expected(pair: Pair, optimizer: str):
    assert measure(pair, optimizer, torch.device("cpu")).ratio == pytest.approx(1, abs=LIMIT)


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair.family != "vgg"], ids=str)
def test_the_peak_is_lower_and_as_expected_where_blocks_are_computed_again(pair: Pair):
    again = measure(replace(pair, again=True), "sgd", torch.device("cpu"))
    assert again.ratio == pytest.approx(1, abs=LIMIT)
    assert again.peak < 0.9 * measure(pair, "sgd", torch.device("cpu")).peak
