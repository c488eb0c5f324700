"""What a spec would take, before anything is run: the share that is feasible, trials, hours and disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isoflop.config import TrialConfig
from isoflop.data import open_prepared
from isoflop.execution.capacity import workers
from isoflop.plan import Proposal
from isoflop.planning.search import SearchPlan
from isoflop.records import State
from isoflop.space import random_suggester
from isoflop.spec import Spec
from isoflop.speed import speed
from isoflop.study import fitted, search_plan
from isoflop.study_spec import StudySpec, seconds

UNLIMITED = 1000
"""Trials that an estimate counts on where the budget sets no number."""
BYTES = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Feasibility:
    """How much of a space can be trained."""

    drawn: int
    feasible: int
    reasons: Mapping[str, int]
    """What the others broke, and how many each."""
    flops: tuple[float, float]
    """Least and most FLOPs of an image among the feasible ones."""
    parameters: tuple[int, int]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For people."""
        found = [f"feasible: {self.feasible} of {self.drawn} drawn ({self.feasible / self.drawn:.0%})"]
        found += [f"  {number} break {reason}" for reason, number in self.reasons.items()]
        if self.feasible:
            low, high = self.flops
            found.append(f"FLOPs an image: {low:.3g} to {high:.3g}")
            found.append(f"parameters: {self.parameters[0]:,} to {self.parameters[1]:,}")
        return found


def feasible_share(spec: Spec, data: Path, *, samples: int) -> Feasibility:
    """Draw configurations at random and count which could be trained."""
    drawn = _draw(_plan(spec, data), samples)
    good = [p for p in drawn if p.state is not State.INFEASIBLE]
    broken = Counter(p.reason.split(" (")[0] for p in drawn if p.state is State.INFEASIBLE)
    flops, parameters = [p.flops for p in good] or [0.0], [p.parameters for p in good] or [0]
    return Feasibility(
        drawn=len(drawn),
        feasible=len(good),
        reasons=dict(broken.most_common(5)),
        flops=(min(flops), max(flops)),
        parameters=(min(parameters), max(parameters)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a study will take."""

    trials: int
    workers: int
    hours: float
    """Wall time of the search if every trial ran to the horizon, and"""
    halved: float
    """if halving stops as many as it should."""
    disk: float
    """Bytes: checkpoints of the trials that are open, and finalists."""
    limit: float | None
    """The time budget in hours."""

    def lines(self) -> list[str]:
        """For people."""
        most = "" if self.limit is None else f"; the time budget ends it after {self.limit:.2f} h"
        return [
            f"trials: {self.trials} on {self.workers} workers",
            f"hours: about {self.halved:.2f} with halving, at most {self.hours:.2f}{most}",
            f"disk: about {self.disk / 1e6:.1f} MB in the state folder",
            "nothing was run but a few steps of one model of each family, to time it",
        ]


def estimate(spec: Spec, data: Path, *, samples: int = 40) -> Estimate:
    """Time a few steps of each family's default here and extrapolate over a random sample of the space."""
    study, plan = spec.study, _plan(spec, data)
    good = [p for p in _draw(plan, samples) if p.state is None]
    speeds = {name: speed(_default(plan, name), study.seed, data) for name in spec.space.families()}
    times = [_training_flops(p, plan) / speeds[str(p.config["model.family"])] for p in good]
    trials = study.budget.trials or UNLIMITED
    full = trials * (sum(times) / len(times) if times else 0.0) / workers(study.resources) / 3600
    weights = max((p.parameters for p in good), default=0) * BYTES
    finalists = study.finalists.top * study.finalists.seeds
    return Estimate(
        trials=trials,
        workers=workers(study.resources),
        hours=full,
        halved=full * _halved(study),
        disk=weights * (6.0 * workers(study.resources) + finalists) + trials * 2e4,
        limit=seconds(study.budget.time) / 3600 if study.budget.time else None,
    )


def _plan(spec: Spec, data: Path) -> SearchPlan:
    prepared = open_prepared(data)
    return search_plan(fitted(spec, prepared), prepared)


def _draw(plan: SearchPlan, samples: int) -> list[Proposal]:
    suggester = random_suggester(plan.spec.seed)
    return [plan.settled(n, plan.space.sample(suggester), source="random") for n in range(samples)]


def _training_flops(proposal: Proposal, plan: SearchPlan) -> float:
    length = plan.lengths.of(TrialConfig.from_params(proposal.config), proposal.flops)
    return length.spent(length.steps)


def _default(plan: SearchPlan, family: str) -> TrialConfig:
    """A family's default configuration, solved where the study solves."""
    return TrialConfig.from_params(
        plan.settled(0, plan.space.default(family, stored=plan.pixels), source="default").config
    )


def _halved(study: StudySpec) -> float:
    """Share of the full training that halving leaves: at each rung 1 in eta goes on."""
    if study.halving is None:
        return 1.0
    ends = (*study.rungs, study.fidelity.reports)
    legs = [end - start for start, end in zip((0, *study.rungs), ends, strict=True)]
    return sum(leg / float(study.halving.eta) ** k for k, leg in enumerate(legs)) / study.fidelity.reports
