"""A training held against its record: equal bit for bit, within a tolerance, or not, with the first difference."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from isoflop.evaluation.predictions import Predictions
from isoflop.records import Record
from isoflop.tasks import CLASSIFICATION, Kind

TOLERANCE: Final = 0.01
"""How far a metric may be off where bits are not equal: docs/reproduce.md has what was measured."""
PLACE: Final = ("step", "epoch", "images", "flops", "fidelity")
"""What a report says of where the training stands: counted, so any difference is one of meaning."""
Tensors = Mapping[str, npt.NDArray[Any]]


class Answer(StrEnum):
    """What comes of a comparison, the best first."""

    EQUAL = "equal"
    """Bit for bit."""
    WITHIN = "within"
    """Not bit for bit, but within the stated tolerance."""
    DIFFERENT = "different"


def worst(answers: Iterable[Answer]) -> Answer:
    """The worst of several answers."""
    return max(answers, key=list(Answer).index)


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One number that is not what the record says."""

    report: int
    metric: str
    recorded: float | None
    """None where the record has none."""
    found: float | None
    """None where the training has none."""

    @property
    def off(self) -> float:
        """How far off: absolute below 1, relative above; infinite where a number is missing, or is where it stands."""
        if self.recorded is None or self.found is None or self.metric in PLACE:
            return math.inf
        distance = abs(self.found - self.recorded) / max(1.0, abs(self.recorded))
        return distance if math.isfinite(distance) else math.inf

    def __str__(self) -> str:
        """The difference in a line."""
        was, now = ("nothing" if one is None else repr(one) for one in (self.recorded, self.found))
        return f"report {self.report}, {self.metric}: recorded {was}, found {now}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """Answers on validation, held against the stored ones."""

    equal: bool
    """Bit for bit, as they are stored."""
    images: int
    changed: int
    """Images that are answered otherwise."""
    largest: float
    """The largest difference of a logit; infinite where they answer other questions."""

    def __str__(self) -> str:
        """In words."""
        if self.equal:
            return f"answers on validation: equal bit for bit on {self.images} images"
        if math.isinf(self.largest):
            return "answers on validation: of other images or other classes"
        return (
            f"answers on validation: {self.changed} of {self.images} images are answered otherwise, "
            f"logits differ by up to {self.largest:.3g}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """Weights, held against the stored ones."""

    equal: bool
    tensors: int
    first: str
    """The first tensor by name that differs, empty where none does."""
    largest: float
    """The largest difference of a number; infinite where tensors are missing or of other shapes."""

    def __str__(self) -> str:
        """In words."""
        if self.equal:
            return f"weights: equal bit for bit in all {self.tensors} tensors, so the stored test answers are theirs"
        return f"weights: {self.first} is the first of {self.tensors} tensors that differs, by up to {self.largest:.3g}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """All that was held against a record."""

    tolerance: float
    wanted: int
    """Reports that the record has."""
    reports: int
    """Reports that were compared."""
    differences: tuple[Difference, ...]
    answers: Answers | None = None
    """None where none are stored, or the training was not taken to its end."""
    weights: Weights | None = None
    failure: str = ""
    """How the training failed where the recorded one did not."""

    @property
    def answer(self) -> Answer:
        """Equal, within the tolerance, or different."""
        if self.failure or self.reports < self.wanted or not _alike(self.differences, self.tolerance):
            return Answer.DIFFERENT
        if any(one is not None and math.isinf(one.largest) for one in (self.answers, self.weights)):
            return Answer.DIFFERENT
        same = all(one is None or one.equal for one in (self.answers, self.weights))
        return Answer.EQUAL if same and not self.differences else Answer.WITHIN

    @property
    def first(self) -> Difference | None:
        """The first difference, none where records are equal."""
        return self.differences[0] if self.differences else None

    @property
    def largest(self) -> Difference | None:
        """The largest difference, none where records are equal."""
        return max(self.differences, key=lambda one: one.off, default=None)

    def lines(self) -> Iterator[str]:
        """What a person wants to know of it, after the answer."""
        if self.first is not None:
            yield f"first difference: {self.first}"
        if self.largest is not None and self.largest != self.first:
            yield f"largest difference: {self.largest}"
        if self.failure:
            yield f"failed after report {self.reports}: {self.failure}"
        elif self.reports < self.wanted:
            yield f"stopped after report {self.reports} of {self.wanted}; --keep-going compares the rest"
        yield from (str(one) for one in (self.answers, self.weights) if one is not None)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "answer": str(self.answer),
            "tolerance": self.tolerance,
            "wanted": self.wanted,
            "reports": self.reports,
            "first": None if self.first is None else asdict(self.first),
            "largest": None if self.largest is None else asdict(self.largest),
            "failure": self.failure,
            "answers": None if self.answers is None else asdict(self.answers),
            "weights": None if self.weights is None else asdict(self.weights),
        }


def differences(recorded: Record, found: Record) -> Iterator[Difference]:
    """Where a record is not what it was: where it stands first, then its metrics by name.

    A metric that only the new one has is none: newer code may measure more.
    """
    pairs: list[tuple[str, float | None, float | None]] = [
        (name, getattr(recorded, name), getattr(found, name)) for name in PLACE
    ]
    pairs += [(name, value, found.metrics.get(name)) for name, value in sorted(recorded.metrics.items())]
    for name, was, now in pairs:
        if not _same(was, now):
            yield Difference(report=recorded.report, metric=name, recorded=was, found=now)


def compare(
    recorded: Sequence[Record], found: Iterable[Record], *, tolerance: float = TOLERANCE, keep_going: bool = False
) -> Comparison:
    """Hold records against recorded ones, report by report, as they come.

    No more is asked of `found` once the answer is certain, unless it is to keep going, nor more than was recorded.
    """
    seen: list[Difference] = []
    reports = 0
    for was, now in zip(recorded, found, strict=False):
        fresh = list(differences(was, now))
        seen += fresh
        reports += 1
        if not keep_going and not _alike(fresh, tolerance):
            break
    return Comparison(tolerance=tolerance, wanted=len(recorded), reports=reports, differences=tuple(seen))


def compare_answers(recorded: Predictions, found: Predictions) -> Answers:
    """Hold answers against stored ones."""
    images = len(recorded.labels)
    if recorded.sha256 == found.sha256:
        return Answers(equal=True, images=images, changed=0, largest=0.0)
    same = recorded.logits.shape == found.logits.shape and recorded.task == found.task
    if not same or not np.array_equal(recorded.labels, found.labels):
        return Answers(equal=False, images=images, changed=images, largest=math.inf)
    was, now = (_answered(one.task, one.logits) for one in (recorded, found))
    largest = float(np.abs(recorded.logits.astype(np.float64) - found.logits).max(initial=0.0))
    return Answers(equal=False, images=images, changed=int((was != now).any(1).sum()), largest=largest)


def compare_weights(recorded: Tensors, found: Tensors) -> Weights:
    """Hold weights by name against stored ones."""
    off = {name: _distance(recorded.get(name), found.get(name)) for name in sorted({*recorded, *found})}
    unlike = [name for name, distance in off.items() if distance is not None]
    largest = max((distance for distance in off.values() if distance is not None), default=0.0)
    return Weights(equal=not unlike, tensors=len(off), first=unlike[0] if unlike else "", largest=largest)


def _alike(found: Iterable[Difference], tolerance: float) -> bool:
    return all(one.off <= tolerance for one in found)


def _same(was: float | None, now: float | None) -> bool:
    """Whether two numbers are the same; what is no number is the same as itself."""
    if was is None or now is None:
        return was is now
    return was == now or (math.isnan(was) and math.isnan(now))


def _answered(task: Kind, logits: npt.NDArray[np.float16]) -> npt.NDArray[Any]:
    """What is answered (N, 1 or classes): the class with the largest logit, or each that has more than even odds."""
    return logits.argmax(1)[:, None] if task == CLASSIFICATION else logits > 0


def _distance(was: npt.NDArray[Any] | None, now: npt.NDArray[Any] | None) -> float | None:
    """The largest difference of two tensors, none where their bits are equal."""
    if was is None or now is None or was.shape != now.shape or was.dtype != now.dtype:
        return math.inf
    if was.tobytes() == now.tobytes():
        return None
    distance = float(np.abs(was.astype(np.float64) - now).max(initial=0.0))
    return distance if math.isfinite(distance) else math.inf
