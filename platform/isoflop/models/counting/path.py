"""How deep and how wide a body is, from the layers that an image goes through."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from isoflop.models.counting.peak import Operation

BODY, AUXILIARY = "body", "auxiliary"
"""What names of modules hold: first of all those of the body, and somewhere those that only training uses."""


class Step(NamedTuple):
    """A layer of a body: a sum of products of weights, so a convolution or a dense layer, those of gates included."""

    place: int
    """Layers on the longest path from the image to its output, itself included."""
    module: str
    weights: tuple[int, ...]
    """What tells its weights' storages apart."""


def path(operations: Iterable[Operation]) -> Iterator[Step]:
    """The layers of a body in the order of its forward pass; norms are none, and the head's are left out."""
    reached: dict[int, int] = {}
    for operation in operations:
        layer = bool(operation.flops and operation.weights) and _in_body(operation.module)
        place = max((reached.get(key, 0) for key in operation.inputs), default=0) + layer
        reached.update(dict.fromkeys(operation.outputs, place))
        if layer:
            yield Step(place, operation.module, tuple(operation.weights))


def depth(steps: Iterable[Step]) -> int:
    """Layers on the longest path through the body: the number in a net's name, without its head.

    ResNet-18 has 17. What stands beside a longer path, such as a shortcut, adds nothing.
    """
    return max((step.place for step in steps), default=0)


def width(steps: Sequence[Step], stages: Iterable[str], channels: Mapping[int, int]) -> float:
    """Geometric mean over a body's stages of the channels that the last layer on the longest path gives.

    That layer ends a stage's repeated block, so that a stage of more blocks is no wider; of a dense block it gives the
    growth rate. `stages` are the modules' names, and `channels` are by what tells a weight's storage apart.
    """
    logs = []
    for stage in stages:
        inside = [step for step in steps if f"{step.module}.".startswith(f"{stage}.")]
        if inside:
            last = max(reversed(inside), key=lambda step: step.place)
            logs.append(math.log(max(channels[key] for key in last.weights)))
    return math.exp(math.fsum(logs) / len(logs)) if logs else 1.0


def _in_body(module: str) -> bool:
    first, *others = module.split(".")
    return first == BODY and AUXILIARY not in others
