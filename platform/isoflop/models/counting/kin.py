"""Nets that differ in depth or width alone, and which of them are one: rounding makes the same net of many settings."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, TypeVar

from isoflop.scaling import Shape

Found = TypeVar("Found")


class Answer(NamedTuple):
    """What a shape said as it was asked."""

    question: str
    """Name of the method or attribute."""
    about: tuple[int, ...]
    said: Any

    def given_by(self, shape: Shape) -> bool:
        """Whether another shape says the same."""
        asked = getattr(shape, self.question)
        return bool((asked(*self.about) if callable(asked) else asked) == self.said)


class Heard(Shape):
    """A shape that keeps what a builder asks of its depth and width."""

    __slots__ = ("_shape", "answers")

    def __init__(self, shape: Shape) -> None:
        for name in ("resolution", "stem", "divisor"):
            object.__setattr__(self, name, getattr(shape, name))
        object.__setattr__(self, "_shape", shape)
        object.__setattr__(self, "answers", {})

    _shape: Shape
    answers: dict[Answer, None]
    """In the order of the questions, each once."""

    @property
    def depth(self) -> float:
        """The multiplier itself: a builder that asks for it has nothing in common with another depth."""
        return self._heard("depth", (), self._shape.depth)

    @property
    def width(self) -> float:
        """The multiplier itself: a builder that asks for it has nothing in common with another width."""
        return self._heard("width", (), self._shape.width)

    def layers(self, base: int) -> int:
        """As the shape says."""
        return self._heard("layers", (base,), self._shape.layers(base))

    def channels(self, base: int, divisor: int | None = None) -> int:
        """As the shape says."""
        asked = (base,) if divisor is None else (base, divisor)
        return self._heard("channels", asked, self._shape.channels(*asked))

    def heads(self, base: int, size: int) -> tuple[int, int]:
        """As the shape says."""
        return self._heard("heads", (base, size), self._shape.heads(base, size))

    def __str__(self) -> str:
        """The shape in a line."""
        return str(self._shape)

    def _heard(self, question: str, about: tuple[int, ...], said: Found) -> Found:
        self.answers[Answer(question, about, said)] = None
        return said


class Kin(Generic[Found]):
    """What was found of the nets of one family and kind that differ in depth and width alone.

    A builder knows of depth and width only what it asks, so a shape that gives every answer which a net was built of
    makes that net again. Looking costs a comparison a known net, and a few more for the one that is it.
    """

    def __init__(self) -> None:
        self._known: list[tuple[tuple[Answer, ...], Found]] = []

    def like(self, shape: Shape) -> Found | None:
        """What was found of the net that this shape makes too; none where it is a new one."""
        same = (found for answers, found in self._known if all(answer.given_by(shape) for answer in answers))
        return next(same, None)

    def keep(self, heard: Heard, found: Found) -> None:
        """Keep what was found of a net that was built of a shape."""
        self._known.append((tuple(heard.answers), found))
