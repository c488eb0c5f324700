"""How long a training goes on, and in which bites."""

from __future__ import annotations

from enum import StrEnum

from isoflop.config.part import Count, Part, Positive


class Axis(StrEnum):
    """The fidelity: the axis along which trials are compared."""

    EPOCHS = "epochs"
    IMAGES = "images"
    FLOPS = "flops"


class TrainConfig(Part):
    """How long and in which bites a training goes on."""

    batch_size: Count = 64
    axis: Axis = Axis.EPOCHS
    horizon: Positive = 9.0
    """Full length of a training on the fidelity's axis; early stopping never changes it."""
    reports: Count = 9
    """Records that a full training yields, evenly spaced along the axis."""
    micro_batch: Count | None = None
    """Images that go through the model at once, gradients being added up to a batch; none means the whole batch."""
    threads: Count = 1
    """CPU threads; sums are ordered by it, so it is a part of the configuration."""
    freeze: bool = False
    """Train the head alone, on features of a body that stays as it began: a feature extractor. The body is in
    evaluation mode throughout, so batch norms keep their statistics and no path is dropped. A step costs its forward
    pass alone. Without `model.weights` the features are random ones."""

    @property
    def piece(self) -> int:
        """Images that go through the model at once."""
        return min(self.micro_batch or self.batch_size, self.batch_size)
