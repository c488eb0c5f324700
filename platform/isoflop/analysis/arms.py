"""What a search's sampler earns beside its control arm, which is drawn at random: both at equal training FLOPs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

from isoflop.analysis.anytime import Point, anytime, steps
from isoflop.analysis.spending import Cost, spent
from isoflop.choice import choose
from isoflop.records import CONTROL, Trial
from isoflop.study_spec import Constraint, Objective, StudySpec
from isoflop.table import quantity

GIVEN = frozenset({"default", "enqueued"})
"""Sources of trials that neither the sampler nor chance chose: they count for no arm."""
BLIND = frozenset({"sobol", "grid", "random"})
"""Samplers that never learn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Some trials of an arm, and what they came to."""

    trials: int
    flops: float
    """Training FLOPs of all of them."""
    number: int | None
    """The best of them; none where none is COMPLETE within the constraints."""
    best: float | None
    """Its objective."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arms:
    """Both arms after as much compute as the one spent that spent less, as near to that as whole trials come."""

    sampler: str
    objective: Objective
    startup: int
    """Trials after which the sampler begins to learn; 0 for one that never does."""
    flops: float
    """Training FLOPs of the arm that spent less."""
    control: Part
    """The control arm's first trials; all of them unless it spent more."""
    first: Part
    """The sampler's first trials."""
    latest: Part | None
    """The sampler's last trials: what it chose once it had learned. None with halving, which judges late trials against
    more others than the control arm's, so that they would look better whoever chose them."""
    curves: tuple[Sequence[Point], Sequence[Point]]
    """How each arm stood at any time, the control's first."""

    def gain(self, part: Part) -> float | None:
        """By how much a part's best is better than the control's, less than 0 where it is worse; none without both."""
        if part.best is None or self.control.best is None:
            return None
        return self.objective.sign * (part.best - self.control.best)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; of the curves, the points at which the best changed."""
        control, sampler = ([point.to_dict() for point in steps(curve)] for curve in self.curves)
        return {
            "sampler": self.sampler,
            "flops": self.flops,
            "control": asdict(self.control),
            "first": asdict(self.first) | {"gain": self.gain(self.first)},
            "latest": self.latest and asdict(self.latest) | {"gain": self.gain(self.latest)},
            "anytime": {"control": control, "sampler": sampler},
        }

    def lines(self) -> Iterator[str]:
        """In words."""
        metric = self.objective.metric
        yield (
            f"{quantity(self.flops)} training FLOPs of each arm: best {metric} of {_trials(self.control)} drawn at "
            f"random {_best(self.control)}, of the first {_trials(self.first)} of {self.sampler} {_best(self.first)} "
            f"({self._said(self.first)})"
        )
        if self.latest is not None:
            yield (f"as much of its latest: of {_trials(self.latest)} {_best(self.latest)} ({self._said(self.latest)})")
        if self.first.trials <= self.startup:
            yield f"{self.sampler} learns from {self.startup} trials on, so its first ones were drawn blindly too"
        yield "one study is one draw, whose difference may be luck: docs/search.md tells how often it is"

    def _said(self, part: Part) -> str:
        gain = self.gain(part)
        if gain is None:
            return "not to be compared"
        return "equal" if gain == 0 else f"{abs(gain):.4g} {'better' if gain > 0 else 'worse'}"


def arms(trials: Iterable[Trial], spec: StudySpec) -> Arms | None:
    """Both arms of a search by its first objective; none where one of them has no trial that is over."""
    charged = [t for t in sorted(trials, key=lambda trial: trial.key) if t.state.final and not t.free]
    control = [trial for trial in charged if trial.source == CONTROL]
    chosen = [trial for trial in charged if trial.source not in {CONTROL, *GIVEN}]
    if not control or not chosen:
        return None
    objective, limits = spec.objectives[0], spec.constraints
    flops = min(spent(control).flops, spent(chosen).flops)

    def part(some: Sequence[Trial]) -> Part:
        return _part(_worth(some, flops), objective, limits)

    return Arms(
        sampler=spec.sampler.name,
        objective=objective,
        startup=0 if spec.sampler.name in BLIND else spec.sampler.startup,
        flops=flops,
        control=part(control),
        first=part(chosen),
        latest=None if spec.halving else part(chosen[::-1]),
        curves=(anytime(control, objective, limits), anytime(chosen, objective, limits)),
    )


def _worth(trials: Sequence[Trial], flops: float) -> Sequence[Trial]:
    """The first trials that are together worth so many FLOPs, as near as whole ones come: by turns above and below."""
    sums = list(accumulate((Cost.of(trial).flops for trial in trials), initial=0.0))
    return trials[: min(range(len(sums)), key=lambda count: abs(sums[count] - flops))]


def _part(trials: Sequence[Trial], objective: Objective, constraints: Sequence[Constraint]) -> Part:
    best = next(iter(choose(trials, [objective], constraints, 1)), None)
    return Part(
        trials=len(trials),
        flops=spent(trials).flops,
        number=None if best is None else best.number,
        best=None if best is None else best.value(objective.metric),
    )


def _trials(part: Part) -> str:
    return f"{part.trials} trial{'' if part.trials == 1 else 's'}"


def _best(part: Part) -> str:
    return "-" if part.best is None else f"{part.best:.4g}"
