"""Latency is measured, so what is tested holds by a wide margin."""

from __future__ import annotations

import json
import time

import pytest
import torch

from isoflop.config import ModelConfig
from isoflop.errors import SpecError
from isoflop.models.latency import Latency, fair_batch, measure_latency

CPU = torch.device("cpu")


def latency(width: float = 0.125, *, batch: int = 1, size: int = 16, **settings: object) -> Latency:
    model = ModelConfig(family="resnet", width=width, depth=0.5, **settings)
    return measure_latency(model, image=(1, size, size), classes=10, batch=batch, passes=7, device=CPU)


def test_a_bigger_model_takes_longer_and_so_does_a_bigger_batch():
    small = latency()
    assert latency(1.0).milliseconds > 2 * small.milliseconds
    assert latency(batch=64).milliseconds > 3 * small.milliseconds


def test_it_says_what_was_measured_where():
    found = latency()
    assert found.milliseconds > 0
    assert found.spread >= 0
    assert found.p99 >= found.milliseconds
    assert (found.batch, found.passes, found.threads) == (1, 7, 1)
    assert "cores" in found.hardware
    values = json.loads(json.dumps(found.to_dict()))
    assert values["latency"] == found.milliseconds
    assert set(values) == {"latency", "p99", "spread", "throughput", "hardware", "batch", "passes", "threads"}


def test_throughput_is_images_a_second():
    found = latency(batch=4)
    assert found.throughput == pytest.approx(4 / (found.milliseconds / 1000))
    assert found.to_dict()["throughput"] == found.throughput


@pytest.mark.parametrize(("milliseconds", "expected"), [(0.5, 256), (7.0, 64), (100.0, 4), (400.0, 1), (3000.0, 1)])
def test_a_batch_takes_about_half_a_second_at_most(milliseconds: float, expected: int):
    single = Latency(
        milliseconds=milliseconds, p99=milliseconds, spread=0, hardware="none", batch=1, passes=1, threads=1
    )
    assert fair_batch(single) == expected


def test_when_the_time_is_up_no_pass_begins():
    model = ModelConfig(family="lenet")
    found = measure_latency(model, image=(1, 8, 8), classes=2, passes=10**6, seconds=0.05, device=CPU)
    assert 1 <= found.passes < 10**5
    assert measure_latency(model, image=(1, 8, 8), classes=2, seconds=0.0, device=CPU).passes == 1


def test_passes_go_on_for_the_time_asked():
    model = ModelConfig(family="lenet")
    began = time.perf_counter()
    found = measure_latency(model, image=(1, 8, 8), classes=2, passes=5, lasting=0.2, device=CPU)
    assert time.perf_counter() - began > 0.2
    assert found.passes > 5


def test_threads_and_generators_are_left_as_they_were():
    before, state = torch.get_num_threads(), torch.get_rng_state()
    model = ModelConfig(family="lenet")
    assert measure_latency(model, image=(1, 8, 8), classes=2, passes=3, threads=before + 1).threads == before + 1
    assert torch.get_num_threads() == before
    assert torch.equal(torch.get_rng_state(), state)


def test_an_illegal_shape_names_the_nearest_legal_ones():
    with pytest.raises(SpecError, match="nearest legal: 28 and 32"):
        latency(size=30, stem=4)
