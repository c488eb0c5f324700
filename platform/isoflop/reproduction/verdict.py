"""What came of bringing a run back: a verdict on each training, and the worst of them on the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from isoflop.records import Key
from isoflop.reproduction.comparison import Answer, Comparison, worst


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What came of one training, and on what it was made."""

    run: str
    """`STUDY/NUMBER.REPLICATE`; without a replicate the first."""
    key: Key
    seed: int
    comparison: Comparison
    metrics: Mapping[str, float]
    """What the training came to at the last report that was compared."""
    changes: tuple[str, ...]
    """What was known to be other than it was, a line each."""
    code: str
    source: str
    """Where the code came from, in words."""
    other_code: bool
    hardware: str
    versions: Mapping[str, str]
    data_digest: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON values: the payload of a VERDICT event."""
        return self.comparison.to_dict() | {
            "seed": self.seed,
            "changes": list(self.changes),
            "code": self.code,
            "source": self.source,
            "other_code": self.other_code,
            "hardware": self.hardware,
            "versions": dict(self.versions),
            "data_digest": self.data_digest,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Reproduction:
    """What came of a run."""

    run: str
    trainings: tuple[Verdict, ...]

    @property
    def answer(self) -> Answer:
        """The worst answer of its trainings."""
        return worst(one.comparison.answer for one in self.trainings)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, equal for equal trainings on equal machines: no time is in it."""
        return {
            "run": self.run,
            "answer": str(self.answer),
            "trainings": [{"run": one.run, "metrics": dict(one.metrics)} | one.to_dict() for one in self.trainings],
        }

    def lines(self) -> Iterator[str]:
        """What a person wants to know."""
        for one in self.trainings:
            yield f"{one.run} (seed {one.seed}): {in_words(one.comparison)}"
            yield from (f"  {line}" for line in one.comparison.lines())
        yield headline(self)


def headline(found: Reproduction) -> str:
    """The answer on a run, in words."""
    one = found.trainings[0]
    words = {
        Answer.EQUAL: "equal bit for bit",
        Answer.WITHIN: f"equal within the tolerance of {one.comparison.tolerance:g}, not bit for bit",
        Answer.DIFFERENT: "DIFFERENT",
    }
    many = f" ({len(found.trainings)} trainings)" if len(found.trainings) > 1 else ""
    return f"{found.run}{many}: {words[found.answer]}, on {one.hardware}, with {one.source}"


def in_words(comparison: Comparison) -> str:
    """The answer on a training, in words."""
    reports = f"{comparison.reports} report{'s' * (comparison.reports != 1)}"
    words = {
        Answer.EQUAL: f"equal bit for bit in {reports}",
        Answer.WITHIN: f"equal within {comparison.tolerance:g} in {reports}, not bit for bit",
        Answer.DIFFERENT: f"DIFFERENT (tolerance {comparison.tolerance:g})",
    }
    return words[comparison.answer]
