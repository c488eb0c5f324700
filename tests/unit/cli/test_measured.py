"""What was measured is told with its unit and the machine."""

from __future__ import annotations

from isoflop.cli.measured import Measured
from isoflop.models.effective_field import EffectiveField
from isoflop.models.latency import Latency


def latency(batch: int, milliseconds: float) -> Latency:
    return Latency(
        milliseconds=milliseconds, p99=9.125, spread=0.1, hardware="a machine", batch=batch, passes=200, threads=2
    )


MEASURED = Measured(
    single=latency(1, 8.5),
    batch=latency(16, 80.0),
    field=EffectiveField(side=31.4, resolution=64, images=16),
)


def test_lines_name_unit_and_machine():
    assert MEASURED.lines() == [
        "latency          8.5 ms (p50), 9.12 ms (p99) an image, 200 passes",
        "throughput       200 images a second, 16 at once",
        "effective field  31.4 pixels of 64, untrained, 16 random images",
        "measured on      a machine, 2 threads",
    ]


def test_json_has_all_of_it():
    assert MEASURED.to_dict() == {
        "hardware": "a machine",
        "threads": 2,
        "latency_p50": 8.5,
        "latency_p99": 9.125,
        "passes": 200,
        "throughput": 200.0,
        "throughput_batch": 16,
        "effective_field": 31.4,
        "effective_field_images": 16,
    }
