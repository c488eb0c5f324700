"""Scaling studies over a world whose law is known: trainings take no time, and their error is a function of the net."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from isoflop.config import ModelConfig
from isoflop.execution.recorder import Recorder
from isoflop.execution.simulator import Simulator
from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.planning.scaling.plan import ScalingPlan
from isoflop.records import Job, Record
from isoflop.scaling.extent import Extent
from isoflop.spec import spec_from_tree
from tests.scripted import Desk, Price, ScriptedTraining, draw, open_scripted

SIZES = 9
SCALE = {"fit_seeds": 2, "seeds": 3, "largest": 4.0, "predicted": 2, "controls": 2, "latency": False}
BASE = {"model.depth": 1.0, "model.width": 1.0, "model.resolution": 32, "model.divisor": 1}
GROWTH = {"depth": 0.5, "width": 0.3, "resolution": 0.2}
"""Shares of the FLOPs' growth that are best for each dimension in this world."""

WORSE = {"vit": 1.2}
"""What the error of other families is multiplied by."""


@cache
def count(model_json: str) -> Extent:
    model = ModelConfig.model_validate_json(model_json)
    depth = max(1, round(24 * model.depth))
    width = max(1, round(64 * model.width))
    return Extent(depth=depth, width=width, resolution=float(model.resolution or 32), flops=flops(depth, width, model))


def flops(depth: int, width: int, model: ModelConfig) -> float:
    return depth * width**2 * float(model.resolution or 32) ** 2


def counted(model: ModelConfig) -> Extent:
    return count(model.model_dump_json())


def price(model: ModelConfig, *, batch: int, states: int, share: float = 1.0, recompute: bool = False) -> Price:
    extent = counted(model)
    return Price(parameters=int(extent.depth * extent.width**2), flops=int(extent.flops))


def error(model: ModelConfig, seed: int) -> float:
    """A power law of FLOPs with an offset, times what a shape off the best line costs, and a seed's own luck."""
    extent, base = counted(model), counted(ModelConfig.model_validate({"family": "resnet", "resolution": 32}))
    times = math.log(extent.times(base))
    exponents = {"depth": 1.0, "width": 2.0, "resolution": 2.0}
    away = sum(
        (exponents[name] * value - GROWTH[name] * times) ** 2 for name, value in extent.over(base)._asdict().items()
    )
    luck = math.sqrt(12) * 0.005 * (draw(seed, model.model_dump_json()) - 0.5)
    worse = WORSE.get(model.family, 1.0)
    return worse * (0.02 + 0.1 * math.exp(-0.35 * times)) * math.exp(0.15 * away + luck)


@dataclass
class Trained(ScriptedTraining):
    """Comes to the error of its net at once."""

    def __next__(self) -> Record:
        record = super().__next__()
        model = ModelConfig.model_validate(
            {key.partition(".")[2]: value for key, value in self.job.config.items() if key.startswith("model.")}
        )
        return replace(record, metrics={"val_accuracy": 1 - error(model, self.job.seed)})

    @property
    def drawn(self) -> float:
        return 0.55


def plan(
    families: Sequence[str] = ("resnet",),
    recipe: Mapping[str, object] | None = None,
    teachers: Mapping[str, float] | None = None,
    **scale: object,
) -> ScalingPlan:
    tree = {
        "space": {"model.family": {"choice": dict.fromkeys(families, BASE)}, **(recipe or {})},
        "study": {
            "data": "digits",
            "fidelity": {"axis": "images", "horizon": 6400, "reports": 2},
            "halving": None,
            "scale": {**SCALE, **scale},
        },
    }
    spec = spec_from_tree(tree, where="test", name="test")
    return ScalingPlan(
        spec=spec.study,
        space=spec.space,
        digest="d",
        images=640,
        side=64,
        code="c",
        price=price,
        teachers=teachers or {},
        count=counted,
        floor=1e-4,
    )


def run(
    found: ScalingPlan,
    folder: Path,
    *,
    workers: int = 1,
    order: int = 0,
    journal: MemoryJournal | None = None,
    opened: Callable[[Job], Trained] | None = None,
) -> History:
    """Run a plan on so many workers whose reports arrive in an order that chance decides."""
    chance = random.Random(order)

    def begun(job: Job) -> Trained:
        saved = open_scripted(job).report
        return Trained(job, saved, delay=lambda job, report: chance.uniform(0.1, 10.0))

    with Recorder(journal or MemoryJournal(), "s", holder="t") as recorder:
        Simulator(workers=workers).run(found, recorder, Desk(folder), opened or begun)
        return recorder.history


def table(history: History) -> list[tuple[object, ...]]:
    """What must be equal on any executor."""
    return [
        (key, t.state, t.source, sorted(t.params.items()), t.seed, dict(t.forecast), [r.metrics for r in t.records])
        for key, t in sorted(history.trials.items())
    ]
