"""The peak of a training step's memory, from what its forward pass kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeAlias

Sizes: TypeAlias = dict[int, int]
"""Bytes of storages by what tells them apart."""


@dataclass(slots=True)
class Operation:
    """What one operation of a forward pass did. Sizes are of a batch."""

    module: str
    """The innermost module that it was called in, by its dotted name."""
    flops: int = 0
    inputs: Sizes = field(default_factory=dict)
    outputs: Sizes = field(default_factory=dict)
    weights: Sizes = field(default_factory=dict)
    """Parameters that it took."""
    kept: Sizes = field(default_factory=dict)
    """What autograd keeps of it for the backward pass, parameters left out."""
    block: str = ""
    """The block that it belongs to, if that is computed again for the backward pass."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Bytes that are held at the points of a step where most may be, as a function of the batch."""

    weights: int
    buffers: int
    points: tuple[tuple[float, float], ...]
    """Of each point, bytes of gradients of weights, and bytes for each image."""

    def bytes(self, batch: int, states: int) -> int:
        """At the peak, with an optimizer that keeps so many copies of the weights."""
        held = max(fixed + batch * each for fixed, each in self.points)
        return self.weights * (1 + states) + self.buffers + round(held)


def peak(operations: Sequence[Operation], *, images: int, weights: Mapping[int, int], buffers: int) -> Peak:
    """The peak of the step whose forward pass did these operations on so many images.

    The backward pass undoes them from the last to the first. While it undoes one it holds what this one and those
    before it kept, the gradients of weights of this one and those after it, and the gradients of tensors: of its inputs
    and outputs, and of those that were made before it and taken after it, as in a residual path. Of a block that is
    computed again only the inputs are kept, until its turn comes: then it is held as if it had been kept.
    """
    kept = [*_kept(operations)]
    waiting = _waiting(operations)
    gradients = [*accumulate(reversed(_learned(operations)))][::-1]
    points = [
        (float(done), (held + open_) / images) for done, held, open_ in zip(gradients, kept, waiting, strict=True)
    ]
    everything = (float(sum(weights.values())), 0.0)
    return Peak(sum(weights.values()), buffers, tuple(_outer([*points, everything])))


def _kept(operations: Iterable[Operation]) -> Iterator[int]:
    """Bytes kept by each operation and all before it, when its turn comes."""
    known: set[int] = set()
    made: set[int] = set()
    held, inside, block = 0, 0, ""
    own: set[int] = set()
    for operation in operations:
        if operation.block != block:
            block, inside = operation.block, 0
            made.clear()
            own.clear()
        taken = {key: size for key, size in operation.inputs.items() if key not in made} if block else operation.kept
        held += _new(taken, known)
        if block:
            inside += _new({key: size for key, size in operation.kept.items() if key not in known}, own)
            made.update(operation.outputs)
        yield held + inside


def _new(sizes: Sizes, known: set[int]) -> int:
    """Bytes of those that are not known yet; they are from now on."""
    new = {key: size for key, size in sizes.items() if key not in known}
    known.update(new)
    return sum(new.values())


def _learned(operations: Sequence[Operation]) -> list[int]:
    """Bytes of weights whose gradient comes with each operation: with the last that takes them."""
    last = {key: place for place, operation in enumerate(operations) for key in operation.weights}
    return [
        sum(size for key, size in operation.weights.items() if last[key] == place)
        for place, operation in enumerate(operations)
    ]


def _waiting(operations: Sequence[Operation]) -> list[int]:
    """Bytes of tensors that are made at or before each operation and taken, or made, at or after it."""
    first: dict[int, int] = {}
    last: dict[int, tuple[int, int]] = {}
    for place, operation in enumerate(operations):
        for key, size in operation.outputs.items():
            first.setdefault(key, place)
            last[key] = place, size
        for key, size in operation.inputs.items():
            if key in first:  # the images themselves want no gradient
                last[key] = place, size
    change = [0] * (len(operations) + 1)
    for key, (place, size) in last.items():
        change[first[key]] += size
        change[place + 1] -= size
    return [*accumulate(change)][:-1]


def _outer(points: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """The points that no other exceeds in both."""
    most = -1.0
    for fixed, each in sorted(points, reverse=True):
        if each > most:
            most = each
            yield fixed, each
