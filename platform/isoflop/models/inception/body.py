"""The body of an Inception net: a stem, then modules in stages that halve the map."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from isoflop.models.inception.part import Map, Part, chain
from isoflop.models.net import Staged
from isoflop.models.stride import fitted
from isoflop.scaling import Shape


class Inception(Staged):
    """Modules one after another.

    The stem's parts come in three groups, of which the first part has the stride; so have the modules of all stages
    but the first. Each module is a stage of its own to `Staged`, so that branches can stand anywhere.
    """

    def __init__(
        self, shape: Shape, stem: Sequence[Sequence[Part]], stages: Sequence[Sequence[Part]], *, channels: int
    ) -> None:
        super().__init__()
        steps = [2 if shape.stem > 2**place else 1 for place in range(len(stem))]
        firsts = [step for group, first in zip(stem, steps, strict=True) for step in (first, *[1] * (len(group) - 1))]
        below = Map(channels, shape.resolution)
        self.stem, below = chain(shape, below, [part for group in stem for part in group], firsts)
        self.seen: list[Map] = []
        """What is known of each stage's map."""
        stride = shape.stem
        halvings = fitted([1] + [2] * (len(stages) - 1), -(-shape.resolution // shape.stem))
        for modules, halving in zip(stages, halvings, strict=True):
            stride *= halving
            for place, module in enumerate(modules):
                built, below = module.build(shape, below, halving if place == 0 else 1)
                self.stages.append(built)
                self.strides.append(stride)
                self.seen.append(below)
        self.channels = below.channels

    def vectors(self, x: Tensor) -> tuple[Tensor, ...]:
        """The mean of the last map, and what auxiliary branches make of theirs."""
        maps = [*self.maps(x)]
        others = [branch(maps[branch.stage]) for branch in self.auxiliary]
        return maps[-1].mean((2, 3)), *others
