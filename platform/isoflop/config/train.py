"""How long a training goes on, and in which bites."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from isoflop.config.part import Count, Part, Positive
from isoflop.errors import Fault, SpecError


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
    devices: Count = 1
    """Devices that share the training, each with an equal part of every batch (`training/parallel.py`): sums are
    ordered by it, and batch norm sees the images of its own device, so it is a part of the configuration."""
    freeze: bool = False
    """Train the head alone, on features of a body that stays as it began: a feature extractor. The body is in
    evaluation mode throughout, so batch norms keep their statistics and no path is dropped. A step costs its forward
    pass alone. Without `model.weights` the features are random ones."""
    patience: Annotated[int, Field(ge=0)] = 0
    """Reports in a row without a smaller validation loss after which no more steps are taken: the reports that are
    left repeat the numbers of the best one, whose weights are the training's. 0 means never."""
    precision: Literal["float32", "bf16", "fp16"] = "float32"
    """Numbers that products and convolutions are computed in; weights, sums and losses stay float32. `fp16` scales
    the loss, skips steps whose gradient overflows, and needs a GPU. A CPU without instructions for it takes 5 to 10
    times as long in `bf16` as in float32 (measured with AVX2 alone)."""
    compile: bool = False
    """Compile the net with torch's compiler, for its training steps. The first one takes a minute more; on a CPU with
    AVX2 the others were no faster (a ResNet and a ViT at 28 pixels), so it is for long trainings on a GPU."""
    checkpointing: bool = False
    """Keep the inputs of the body's blocks alone, and compute what is inside again for the backward pass: less memory,
    a forward pass more."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.checkpointing and self.freeze:
            what = "a frozen body keeps nothing that could be computed again"
            raise SpecError(Fault("checkpointing", what, "leave it out, or train.freeze"))
        if self.checkpointing and self.compile:
            what = "blocks that are computed again cannot be compiled"
            raise SpecError(Fault("checkpointing", what, "leave it out, or train.compile"))
        if self.batch_size % self.devices:
            what = f"{self.batch_size} images cannot be cut into {self.devices} equal parts"
            raise SpecError(Fault("batch_size", what, "give a multiple of train.devices"))
        return self

    @property
    def piece(self) -> int:
        """Images that go through the model at once, on each device."""
        share = self.batch_size // self.devices
        return min(self.micro_batch or share, share)
