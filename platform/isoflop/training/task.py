"""Tasks: what the targets are, and so the loss and the metrics.

`isoflop.tasks` names the kinds and their metrics; here is what trains them. A further kind is a row there, a class
here, its metrics in `evaluation/measure.py`, and a source that gives its targets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Final, Protocol

from torch import Tensor

from isoflop.config import LossConfig
from isoflop.evaluation.measure import measure
from isoflop.tasks import CLASSIFICATION, MULTILABEL, Kind
from isoflop.training.class_weights import of_classes, of_presence
from isoflop.training.losses import sigmoid_focal_loss, sigmoid_loss, softmax_focal_loss, softmax_loss


class Task(Protocol):
    """What a training needs to know of its targets."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of a piece of a training batch, a scalar. Targets may be soft: (N, classes) floats."""
        ...

    def metrics(self, outputs: Tensor, targets: Tensor, *, last: bool = True) -> dict[str, float]:
        """Metrics over a whole split, `loss` among them; all of them where the report is the last."""
        ...


class Builder(Protocol):
    """Makes a task of a kind."""

    def __call__(
        self, config: LossConfig, labels: Tensor | None = None, *, classes: int = 0, asked: Collection[str] = ()
    ) -> Task:
        """A task that weighs classes by the training labels, and reports what is asked for beside what costs little."""
        ...


class Classification:
    """One label an image; outputs are logits (N, classes), targets class indices (N,)."""

    kind = CLASSIFICATION

    def __init__(
        self, config: LossConfig, labels: Tensor | None = None, *, classes: int = 0, asked: Collection[str] = ()
    ) -> None:
        self.asked = asked
        weights = None if labels is None else of_classes(config, labels, classes)
        function = partial(softmax_focal_loss, gamma=config.gamma) if config.name == "focal" else softmax_loss
        self._loss = partial(function, smoothing=config.label_smoothing, weights=weights)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy or focal loss over a softmax; targets may be probabilities (N, classes)."""
        return self._loss(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor, *, last: bool = True) -> dict[str, float]:
        """As `measure` has them; none knows of weights or smoothing."""
        return _measured(self.kind, outputs, targets, None if last else self.asked)


class MultiLabel:
    """Any number of labels an image; outputs are logits (N, classes), targets multi-hot (N, classes)."""

    kind = MULTILABEL

    def __init__(
        self, config: LossConfig, labels: Tensor | None = None, *, classes: int = 0, asked: Collection[str] = ()
    ) -> None:
        del classes  # the labels have one column each
        self.asked = asked
        weights = None if labels is None else of_presence(config, labels)
        function = partial(sigmoid_focal_loss, gamma=config.gamma) if config.name == "focal" else sigmoid_loss
        self._loss = partial(function, smoothing=config.label_smoothing, weights=weights)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Binary cross-entropy or focal loss, in the mean over images and classes."""
        return self._loss(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor, *, last: bool = True) -> dict[str, float]:
        """As `measure` has them; none knows of weights or smoothing."""
        return _measured(self.kind, outputs, targets, None if last else self.asked)


TASKS: Final[Mapping[str, Builder]] = {CLASSIFICATION.name: Classification, MULTILABEL.name: MultiLabel}
"""What trains each kind of `isoflop.tasks`."""


def _measured(kind: Kind, outputs: Tensor, targets: Tensor, asked: Collection[str] | None) -> dict[str, float]:
    return measure(kind, outputs.float().numpy(), targets.numpy(), asked=asked)
