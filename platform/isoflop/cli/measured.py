"""What `isoflop describe --measure` measures on this device, and says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from isoflop.cli.describe import Asked

if TYPE_CHECKING:
    from isoflop.models.effective_field import EffectiveField
    from isoflop.models.latency import Latency

PASSES = 200
SECONDS = 5.0
"""Seconds after which no further pass begins, of one image and of a batch each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What a net takes on this device, and how far it sees."""

    single: Latency
    """Of one image."""
    batch: Latency
    """Of as many as the device takes gladly."""
    field: EffectiveField

    @classmethod
    def of(cls, asked: Asked) -> Self:
        """Measure a net with the threads that torch uses. Nothing else should run beside."""
        import torch

        from isoflop.models.effective_field import effective_field
        from isoflop.models.latency import fair_batch, measure_latency

        net: dict[str, Any] = {"model": asked.model, "image": asked.image, "classes": asked.classes}
        how: dict[str, Any] = {"passes": PASSES, "seconds": SECONDS, "threads": torch.get_num_threads()}
        single = measure_latency(**net, **how)
        batch = measure_latency(**net, **how, batch=fair_batch(single))
        return cls(single=single, batch=batch, field=effective_field(asked.model, image=asked.image))

    def to_dict(self) -> dict[str, Any]:
        """As JSON values: milliseconds, images a second, pixels of a side."""
        return {
            "hardware": self.single.hardware,
            "threads": self.single.threads,
            "latency_p50": self.single.milliseconds,
            "latency_p99": self.single.p99,
            "passes": self.single.passes,
            "throughput": self.batch.throughput,
            "throughput_batch": self.batch.batch,
            "effective_field": self.field.side,
            "effective_field_images": self.field.images,
        }

    def lines(self) -> list[str]:
        """What was measured in lines."""
        one, many, field = self.single, self.batch, self.field
        return [
            f"latency          {one.milliseconds:.3g} ms (p50), {one.p99:.3g} ms (p99) an image, {one.passes} passes",
            f"throughput       {many.throughput:.3g} images a second, {many.batch} at once",
            f"effective field  {field.side:.3g} pixels of {field.resolution}, untrained, {field.images} random images",
            f"measured on      {one.hardware}, {one.threads} thread{'' if one.threads == 1 else 's'}",
        ]
