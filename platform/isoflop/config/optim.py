"""The optimizer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from isoflop.config.part import NotNegative, Part, Positive

Optimizer = Literal["sgd", "adam", "adamw", "radam", "nadam", "rmsprop", "adafactor", "lion", "lamb", "adopt", "muon"]


class OptimConfig(Part):
    """Optimizer and its settings. Weight decay never touches norms, biases, embeddings and tokens.

    It is added to the gradient by `sgd`, `adam` and `rmsprop`, to the step by `lamb`, and decoupled from both by the
    others (Loshchilov & Hutter 2019, arXiv 1711.05101).
    """

    name: Optimizer = "sgd"
    """Those of torch, and of timm `adafactor` (as in Zhai et al. 2022, arXiv 2106.04560), `lion` (2302.06675), `lamb`
    (1904.00962), `adopt` (2411.02853) and `muon` (2502.16982), which orthogonalizes what matrices and convolutions
    learn and leaves vectors, embeddings, tokens and the head to AdamW."""
    lr: Positive = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of adaptive ones, what the first moment keeps of its last value (their first beta)."""
    nesterov: bool = True
    """Of `sgd` and `muon`."""
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """What the second moment keeps of its last value; of `rmsprop` its alpha, of `adafactor` the most."""
    weight_decay: NotNegative = 5e-4
    clip: NotNegative = 0.0
    """Largest gradient; 0 means no limit."""
    clip_by: Literal["norm", "value", "adaptive"] = "norm"
    """What is limited: the norm of the whole gradient, each of its numbers, or the norm of each unit's gradient over
    that of its weights, the head left out (Brock et al. 2021, arXiv 2102.06171)."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Learning rate of each block over that of the next one (Clark et al. 2020, arXiv 2003.10555); the head's is the
    schedule's."""
    lookahead: Annotated[int, Field(ge=0, le=1000)] = 0
    """Steps after which the weights go back half the way to where they last were (Zhang et al. 2019, arXiv
    1907.08610); 0 means never."""

    @property
    def states(self) -> int:
        """How many copies of the weights the optimizer keeps beside them, at most.

        Those of `adafactor` are smaller, and of `muon` only what AdamW learns has two.
        """
        momentum = int(self.momentum > 0)
        own = {"sgd": momentum, "lion": 1, "rmsprop": 1 + momentum, "adafactor": 1 + momentum}.get(self.name, 2)
        return own + (self.lookahead > 0)
