"""The optimizer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from isoflop.config.part import NotNegative, Part, Positive


class OptimConfig(Part):
    """Optimizer and its settings. Weight decay never touches norms, biases, embeddings and tokens."""

    name: Literal["sgd", "adamw"] = "sgd"
    lr: Positive = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = True
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    weight_decay: NotNegative = 5e-4
    clip: NotNegative = 0.0
    """Largest norm of the gradient; 0 means no limit."""

    @property
    def states(self) -> int:
        """How many copies of the weights the optimizer keeps beside them."""
        return 2 if self.name == "adamw" else int(self.momentum > 0)
