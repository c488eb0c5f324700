"""A body that sees, and a head that decides."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Self, TypeAlias

import torch
from torch import Tensor, nn

from isoflop.models.blocks.pooling import Average, Pooling
from isoflop.scaling import Shape

LAYOUT = torch.channels_last
"""Of weights and images: what convolutions are fastest in, on the CPU too. Sums are ordered by it."""


Answers: TypeAlias = tuple[tuple[float, Tensor], ...]
"""What several heads answer in training: the weight of each one's loss, and its logits (N, classes)."""


class Branch(nn.Sequential):
    """Layers that make a vector (N, channels) of the map of one of a body's stages, for an auxiliary head.

    Such a head helps to train what lies below it (Szegedy et al. 2015, arXiv 1409.4842, section 5); it is asked in
    training alone.
    """

    def __init__(self, *layers: nn.Module, stage: int, weight: float, channels: int) -> None:
        super().__init__(*layers)
        self.stage, self.weight, self.channels = stage, weight, channels


class Body(nn.Module):
    """The part of a model that other tasks can stand on."""

    channels: int
    """Length of what `forward` gives for each image, or for each of its places."""
    tokens: int | None = None
    """Tokens of an image where transformer blocks begin, a class token included; none for a net without such."""

    def __init__(self) -> None:
        super().__init__()
        self.auxiliary: list[Branch] = nn.ModuleList()  # type: ignore[assignment]
        """Branches for auxiliary heads: most bodies have none."""

    def head(self, classes: int, dropout: float) -> nn.Module:
        """What makes logits (N, classes) of what `forward` gives."""
        return nn.Sequential(nn.Dropout(dropout), nn.Linear(self.channels, classes))

    def initialize(self, module: nn.Module) -> None:
        """Draw a module's own weights as the family does; by default they stay as torch draws them."""

    def units(self) -> Sequence[nn.Module]:
        """The blocks that an image goes through, one after the other; what stands before, between and behind is none.

        They are what layer-wise learning rates count, and what is computed again to save memory. A body may know none.
        """
        return ()

    @abstractmethod
    def features(self, x: Tensor) -> dict[int, Tensor]:
        """Maps (N, channels, H, W) by their stride in pixels, ascending: the last map of each stride.

        Their sides are those of the image divided by the stride, rounded up.
        """

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """One vector (N, channels) for each image (N, C, H, W) of the shape's resolution.

        A body whose head decides at every place gives its last map (N, channels, H, W).
        """

    def vectors(self, x: Tensor) -> tuple[Tensor, ...]:
        """What `forward` gives, then the vector of each auxiliary branch; bodies that have branches override it."""
        return (self(x),)


class Staged(Body):
    """A stem, then stages one after the other; the vector is the last map, pooled, by default to its mean.

    A subclass makes `stem` and fills the lists; it overrides `forward` where the vector is another.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem: nn.Module = nn.Identity()
        self.stages = nn.ModuleList()
        self.strides: list[int] = []
        """The stride in pixels of each stage's map."""
        self.pool: Pooling = Average()

    def features(self, x: Tensor) -> dict[int, Tensor]:
        """The map after each stage by stride; of stages with equal stride, the last."""
        return dict(zip(self.strides, self.maps(x), strict=True))

    def units(self) -> Sequence[nn.Module]:
        """The blocks of each stage; of a stage of plain layers, the stage."""
        return [unit for stage in self.stages for unit in _blocks(stage) or [stage]]

    def maps(self, x: Tensor) -> Iterator[Tensor]:
        """The map after each stage."""
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
            yield x

    def last(self, x: Tensor) -> Tensor:
        """The last map."""
        *_, found = self.features(x).values()
        return found

    def forward(self, x: Tensor) -> Tensor:
        """The last map, pooled over its places."""
        vector: Tensor = self.pool(self.last(x))
        return vector


class Net(nn.Module):
    """A body and its head: logits (N, classes) of images at the shape's resolution.

    A body with auxiliary branches gets a linear head for each; in training the net answers what all heads say,
    unless it is frozen: then auxiliary heads have nothing to train.
    """

    def __init__(self, body: Body, shape: Shape, *, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.body, self.shape = body, shape
        self.head = body.head(classes, dropout)
        self.auxiliary = nn.ModuleList(nn.Linear(branch.channels, classes) for branch in body.auxiliary)
        self.frozen = False
        """Whether the body is a mere extractor of features."""

    def freeze(self) -> None:
        """Leave everything but the head as it is from now on: no gradient reaches it, and training does not change it.

        The body stays in evaluation mode, so its batch norms keep their statistics and nothing in it is dropped.
        """
        self.frozen = True
        self.requires_grad_(False)  # noqa: FBT003 - torch's own form
        self.head.requires_grad_(True)  # noqa: FBT003
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's own form
        """Enter training mode, or leave it; a frozen body is never in it."""
        super().train(mode)
        if self.frozen:
            self.body.eval()
        return self

    def forward(self, x: Tensor) -> Tensor | Answers:
        """Logits (N, classes); in training with auxiliary heads, those of the head with weight 1, then theirs."""
        if self.frozen or not (self.training and self.auxiliary):
            logits: Tensor = self.head(self.body(x))
            return logits
        vector, *others = self.body.vectors(x)
        helping = zip(self.body.auxiliary, self.auxiliary, others, strict=True)
        answers = [(branch.weight, head(other)) for branch, head, other in helping]
        return (1.0, self.head(vector)), *answers

    def features(self, x: Tensor) -> dict[int, Tensor]:
        """The body's maps by stride."""
        return self.body.features(x)

    def depths(self) -> dict[str, int]:
        """How deep each parameter lies, by its name.

        What stands before the body's units is at 0, each unit one deeper than the last, what stands between two of
        them with the second, and all behind them one deeper than the last of them: final norms and layers, auxiliary
        branches, and the heads.
        """
        units = self.body.units()
        places = {id(parameter): place for place, unit in enumerate(units, 1) for parameter in unit.parameters()}
        found, reached, top = {}, -1, len(units) + 1
        for name, parameter in self.named_parameters():
            if not name.startswith("body.") or name.startswith("body.auxiliary."):
                found[name] = top
            else:
                reached = max(reached, places.get(id(parameter), 0))
                between = min(reached + 1, top) if reached else 0
                found[name] = places.get(id(parameter), between)
        return found


def _blocks(stage: nn.Module) -> list[nn.Module]:
    """The children of a stage that are made of others; timm's stages hold them in `blocks`."""
    inner = getattr(stage, "blocks", stage)
    children = inner.children() if isinstance(inner, (nn.Sequential, nn.ModuleList)) else ()
    return [child for child in children if any(child.children())]
