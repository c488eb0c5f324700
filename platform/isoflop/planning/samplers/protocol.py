"""The seam: suggest a trial's parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from isoflop.families import Scalar
from isoflop.records import State


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """An earlier trial as a suggestion may see it.

    DUPLICATE trials are never shown; of the others every sampler has a stated view:

    - COMPLETE: scores up to the horizon.
    - PRUNED: stopped at a rung, with the scores up to it. Worse than most at that report; how it would have ended is
      not known, so its last score is never taken for one at the horizon.
    - RUNNING: still open, or going on beyond what may be seen: scores so far, perhaps none.
    - INFEASIBLE, FAILED (diverged or broken): what it asks for cannot be had. A violated constraint, without a score.
    - KILLED: stopped by a person: nothing is known beyond its scores.
    """

    number: int
    params: Mapping[str, Scalar]
    """What the space sampled, by dotted key."""
    state: State
    scores: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    """By report (1, 2, ... up to the study's `fidelity.reports`): one score for each objective, more being better and
    all finite. A report with a value that is not finite is left out."""
    violation: float = 0.0
    """By which share its constraints are broken, summed; 0 where they hold or nothing is known."""

    last: int = field(init=False, repr=False, compare=False)
    """The latest report that has scores, 0 where none has."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "last", max(self.scores, default=0))  # asked for again and again


class Sampler(Protocol):
    """Suggests parameters. Pure: equal arguments give equal parameters, whoever asks, in whatever order."""

    def __call__(self, number: int, seen: Sequence[Observation], seed: int) -> Mapping[str, Scalar]:
        """The parameters of trial `number`, one of the space's; `seen` ascends by number, all its randomness is `seed`.

        `seed` is derived from the study's and the number, so it is another one for every trial.
        """
        ...
