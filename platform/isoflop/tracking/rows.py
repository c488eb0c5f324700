"""Studies, trials and finalists as rows: what reads show, whether they come from the journal or from the cache."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoflop.choice import choose
from isoflop.config import ModelConfig, nest, parse
from isoflop.optimism import Optimism, optimism, spread_of_seeds
from isoflop.records import Result, State, Trial
from isoflop.scaling import Shape
from isoflop.statistics import Hits
from isoflop.study_spec import Constraint, Equal, Objective
from isoflop.tasks import TEST, USUAL, VAL, Kind, kind_of

FINALISTS = "finalists"


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known of a study beside its trials."""

    id: str
    study: Mapping[str, Any]
    """`name`, `plan`, `parent`, `data` and `spec`, as its newest STUDY event has them."""
    closed: Mapping[str, Any] | None
    """`state` and `reason` where it is closed."""
    began: float
    updated: float
    """Unix seconds."""

    @property
    def plan(self) -> str:
        """What it does: `search`, `finalists` or another plan."""
        return str(self.study.get("plan", "search"))

    @property
    def parent(self) -> str | None:
        """The study that it was made for."""
        parent: str | None = self.study.get("parent")
        return parent

    @property
    def kind(self) -> Kind:
        """The kind of task of its data set."""
        return kind_of(self.study.get("data", {}).get("task", USUAL.name))

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """Its objectives; the usual one where the spec leaves them out."""
        return tuple(Objective.model_validate(one) for one in self.part("objectives") or [{}])

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """Its constraints."""
        return tuple(Constraint.model_validate(one) for one in self.part("constraints") or ())

    @property
    def equal(self) -> Equal | None:
        """What its trials are equal in, none where they need not be."""
        found = self.part("equal")
        return Equal.model_validate(found) if found else None

    @property
    def picks_hits(self) -> bool:
        """Whether it picks by the share of images answered wholly rightly."""
        return [one.metric for one in self.objectives] == [VAL + self.kind.hit]

    def part(self, name: str) -> Any:
        """A part of the spec's `study:`, empty where the spec leaves it to the default."""
        return (self.study.get("spec") or {}).get("study", {}).get(name) or {}


def study_row(facts: Facts, counts: Mapping[str, int], complete: Iterable[Trial], *, running: bool) -> dict[str, Any]:
    """A study as JSON values, with its state counts and its COMPLETE trials by number and replicate."""
    objectives = facts.objectives
    best = next(iter(choose(complete, objectives, facts.constraints, 1)), None)
    data = facts.study.get("data") or {}
    return {
        "id": facts.id,
        "name": facts.study.get("name", facts.id),
        "plan": facts.plan,
        "parent": facts.parent,
        "state": state(facts, running=running),
        "reason": (facts.closed or {}).get("reason", ""),
        "data": data.get("name", ""),
        "data_digest": data.get("digest", ""),
        "trials": sum(counts.values()),
        "counts": dict(counts),
        "axis": facts.part("fidelity").get("axis", "epochs"),
        "objective": objectives[0].metric,
        "best": plain(best.value(objectives[0].metric)) if best else None,
        "best_trial": best.number if best else None,
        "began": facts.began,
        "updated": facts.updated,
    }


def trial_row(
    trial: Trial, objectives: Sequence[Objective], equal: Equal | None, verdict: Mapping[str, Any] | None
) -> dict[str, Any]:
    """A trial as JSON values, with what came last of repeating it."""
    return {
        "number": trial.number,
        "replicate": trial.replicate,
        "state": str(trial.state),
        "reason": trial.reason,
        "family": str(trial.config.get("model.family", "")),
        "params": plain(trial.params),
        "solved": plain(equal.solved(trial.config)) if equal and trial.flops else {},
        "residual": trial.flops / equal.flops - 1 if equal and trial.flops else None,
        "values": {objective.metric: plain(trial.value(objective.metric)) for objective in objectives},
        "rung": trial.reports if trial.state is State.PRUNED else None,
        "records": [plain(record.to_dict()) for record in trial.records],
        "flops": trial.flops,
        "parameters": trial.parameters,
        "memory": trial.memory,
        "latency": trial.latency,
        "seed": trial.seed,
        "fingerprint": trial.fingerprint,
        "source": trial.source,
        "reproduced": verdict,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Seed:
    """One COMPLETE replicate of a finalist."""

    trial: Trial
    test: Mapping[str, float]
    """Metrics on the test set, where it was opened for it."""
    verdict: Mapping[str, Any] | None


def finalists(facts: Facts, seeds: Iterable[Seed], lost: Mapping[int, int]) -> list[Result]:
    """The finalists of a study, without what stands elsewhere; `lost` counts failed replicates by trial number."""
    if facts.plan != FINALISTS:
        return []
    by_number: dict[int, list[Seed]] = {}
    for seed in sorted(seeds, key=lambda one: one.trial.key):
        by_number.setdefault(seed.trial.number, []).append(seed)
    return [_result(facts, number, many, lost.get(number, 0)) for number, many in sorted(by_number.items())]


def _result(facts: Facts, number: int, seeds: Sequence[Seed], lost: int) -> Result:
    """One finalist: its COMPLETE replicates side by side."""
    first, data, kind = seeds[0].trial, facts.study["data"], facts.kind
    earned = [_earned(seed) for seed in seeds]
    shared = [name for name in earned[0] if all(name in values for values in earned)]
    model = parse(ModelConfig, nest(first.config)["model"], "model")
    return Result(
        run=f"{facts.id}/{number}",
        study=facts.id,
        trial=number,
        source=first.source,
        family=model.family,
        shape=_shape(model, data.get("shape")),
        parameters=first.parameters,
        flops=first.flops,
        data_digest=data["digest"],
        task=kind,
        pick=next((one.metric for one in facts.objectives if one.metric.startswith(VAL)), kind.first),
        seeds=tuple(seed.trial.seed for seed in seeds),
        values={name: tuple(values[name] for values in earned) for name in shared},
        verdicts=tuple(seed.verdict for seed in seeds),
        lost=lost,
        fused=int(first.config.get("fused.members") or 1) > 1,
    )


def _earned(seed: Seed) -> dict[str, float]:
    """A replicate's validation metrics at its end, and its test metrics where the test set was opened for it."""
    val = seed.trial.last.metrics if seed.trial.last else {}
    return {name: float(value) for name, value in {**val, **seed.test}.items() if name.startswith((VAL, TEST))}


def _shape(model: ModelConfig, image: Sequence[int] | None) -> str:
    """The shape in words; without the stored resolution where neither configuration nor journal tells it."""
    if model.resolution is None and not image:
        return f"d{model.depth:.3g} w{model.width:.3g}" + (f" phi{model.phi:.3g}" if model.phi else "")
    return str(Shape.of(model, image[-1] if image else 0))


def luck(picked: Sequence[Hits], retrained: Iterable[Sequence[Hits]]) -> Optimism | None:
    """How much of a search's best score is luck, from the hits of its COMPLETE trials, one row an image each.

    `retrained` has the hits of its finalists, the seeds of each together. None with fewer than two trials.
    """
    if len(picked) < 2 or len({len(one) for one in picked}) > 1:
        return None
    rows = [np.stack(many) for many in retrained if many]
    return optimism(np.stack(picked), spread=spread_of_seeds(rows))


def searched(result: Result, trial: Trial | None) -> float | None:
    """What the trial that a finalist retrains came to in its search, by the metric that picks."""
    found: float | None = plain(trial.value(result.pick)) if trial is not None else None
    return found


def lost_of(trials: Iterable[Trial]) -> dict[int, int]:
    """How many replicates of each trial ended otherwise than COMPLETE."""
    return dict(Counter(trial.number for trial in trials if trial.state.final and trial.state is not State.COMPLETE))


def ordered(trials: Iterable[Trial]) -> list[Trial]:
    """Trials by number and replicate."""
    return sorted(trials, key=lambda trial: (trial.number, trial.replicate))


def complete(trials: Iterable[Trial]) -> list[Trial]:
    """The COMPLETE trials, by number and replicate."""
    return [trial for trial in ordered(trials) if trial.state is State.COMPLETE]


def counted(states: Mapping[str, int]) -> dict[str, int]:
    """State counts in the order of `State`, those that occur."""
    return {str(one): states[one] for one in State if states.get(one)}


def state(facts: Facts, *, running: bool) -> str:
    """COMPLETE, INTERRUPTED or FAILED once closed; before, RUNNING while a driver runs it, else INTERRUPTED."""
    if facts.closed is not None:
        return str(facts.closed["state"])
    return str(State.RUNNING if running else State.INTERRUPTED)


def plain(value: Any) -> Any:
    """A value as strict JSON knows it: numbers that are not finite become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
