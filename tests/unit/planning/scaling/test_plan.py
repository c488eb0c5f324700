"""Scaling studies over a world whose law is known: trainings take no time, and their error is a function of the net."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from isoflop.config import ModelConfig
from isoflop.errors import DivergedError, SpecError
from isoflop.execution.recorder import Recorder
from isoflop.execution.simulator import Simulator
from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.planning.scaling.ascent import Ascent
from isoflop.planning.scaling.plan import ScalingPlan
from isoflop.planning.scaling.row import Stage
from isoflop.records import Job, Key, Record, State
from isoflop.scaling.extent import Extent
from isoflop.spec import spec_from_tree
from tests.scripted import Desk, Price, ScriptedTraining, draw, open_scripted

SIZES = 9
SCALE = {"fit_seeds": 2, "seeds": 3, "largest": 4.0, "predicted": 2, "controls": 2, "latency": False}
BASE = {"model.depth": 1.0, "model.width": 1.0, "model.resolution": 32, "model.divisor": 1}
GROWTH = {"depth": 0.5, "width": 0.3, "resolution": 0.2}
"""Shares of the FLOPs' growth that are best for each dimension in this world."""


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
    return (0.02 + 0.1 * math.exp(-0.35 * times)) * math.exp(0.15 * away + luck)


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


def plan(**scale: object) -> ScalingPlan:
    tree = {
        "space": {"model.family": "resnet", **BASE},
        "study": {
            "data": "digits",
            "fidelity": {"axis": "images", "horizon": 6400, "reports": 2},
            "halving": None,
            "scale": {**SCALE, **scale},
        },
    }
    spec = spec_from_tree(tree, where="test", name="test")
    return ScalingPlan(
        spec=spec.study, space=spec.space, digest="d", images=640, code="c", price=price, count=counted, floor=1e-4
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


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[ScalingPlan, History]:
    found = plan()
    return found, run(found, tmp_path_factory.mktemp("done"))


def test_everything_is_trained(done: tuple[ScalingPlan, History]):
    found, history = done
    assert {trial.state for trial in history.trials.values()} == {State.COMPLETE}
    assert len(history.trials) == found.trainings
    assert sorted({key.trial for key in history.trials}) == list(range(found.courses[0].rows_in_all))


def test_sizes_have_the_flops_of_their_phi(done: tuple[ScalingPlan, History]):
    found, history = done
    (course,) = found.courses
    sizes = [row for row in course.rows(found.results(history)) if row.stage is Stage.CLIMB]
    assert [row.place for row in sizes] == [0.5 * n for n in range(SIZES)]
    for row in sizes:
        assert row.placement is not None
        assert row.placement.extent.flops == pytest.approx(course.ground.extent.flops * 2**row.place, rel=0.05)


def test_growth_is_found(done: tuple[ScalingPlan, History]):
    found, history = done
    fit = found.courses[0].ascent(found.results(history))
    assert isinstance(fit, Ascent)
    for name, estimate, exponent in zip(GROWTH, fit.response.growth, (1, 2, 2), strict=True):
        assert estimate.holds(2 ** (GROWTH[name] / exponent)), (name, estimate)


def test_the_largest_are_predicted_before_they_are_trained(done: tuple[ScalingPlan, History]):
    _, history = done
    forecasts = {trial.source: trial.forecast for trial in history.trials.values() if trial.forecast}
    assert list(forecasts) == ["climb 3.5", "climb 4"]
    for source, forecast in forecasts.items():
        came = [1 - t.value("val_accuracy") for t in history.trials.values() if t.source == source]
        assert forecast["low"] <= sum(came) / len(came) <= forecast["high"]
        assert forecast["low"] < forecast["value"] < forecast["high"]


@pytest.mark.parametrize("workers", [2, 5])
def test_workers_change_nothing(done: tuple[ScalingPlan, History], workers: int, tmp_path: Path):
    assert table(run(plan(), tmp_path, workers=workers, order=workers)) == table(done[1])


@pytest.mark.parametrize("after", [3, 60, 100])
def test_what_is_cut_goes_on(done: tuple[ScalingPlan, History], after: int, tmp_path: Path):
    journal, found = MemoryJournal(), plan()

    def cut(job: Job) -> Trained:
        if len(journal.read("s")) > after * 4:
            raise KeyboardInterrupt
        return Trained(job, open_scripted(job).report)

    with pytest.raises(KeyboardInterrupt):
        run(found, tmp_path, journal=journal, opened=cut)
    begun = len(journal.read("s"))
    assert table(run(plan(), tmp_path, journal=journal, workers=3)) == table(done[1])
    assert begun < len(journal.read("s"))


def test_a_shape_that_diverges_is_left_out(tmp_path: Path):
    def opened(job: Job) -> Trained:
        if job.key.trial == 2:
            raise DivergedError(3, "train_loss")
        return Trained(job)

    found = plan(controls=0)
    history = run(found, tmp_path, opened=opened)
    assert isinstance(found.courses[0].ascent(found.results(history)), Ascent)
    assert history.trials[Key(trial=2)].state is State.FAILED
    assert len(history.trials) == found.trainings


def test_shapes_that_tell_nothing_are_not_climbed_from(tmp_path: Path):
    def opened(job: Job) -> Trained:
        raise DivergedError(3, "train_loss")

    found = plan()
    history = run(found, tmp_path, opened=opened)
    fit = found.courses[0].ascent(found.results(history))
    assert isinstance(fit, str)
    assert fit
    assert {trial.source.partition(" ")[0] for trial in history.trials.values()} == {"fit"}


def test_shares_of_the_data_are_trained_on(tmp_path: Path):
    history = run(plan(shares=[0.1, 0.5], controls=0), tmp_path)
    shares = {t.source: t.config["data.fraction"] for t in history.trials.values() if t.source.startswith("share")}
    assert shares == {"share 0.1": 0.1, "share 0.5": 0.5, "share 1": 1.0}


def test_latencies_are_measured_of_sizes_and_controls(tmp_path: Path):
    history = run(plan(latency=True), tmp_path, workers=2)
    measured = {t.source.partition(" ")[0] for t in history.trials.values() if t.latency is not None}
    assert measured == {"climb", "control"}


@pytest.mark.parametrize(
    ("scale", "line"),
    [
        ({"largest": 3.0}, "scale.predicted: 2 of 7 sizes leaves 5 to predict from, fewer than 7"),
        ({"largest": 4.2}, "scale.largest: 4.2 is no multiple of 0.5"),
        ({"rules": ["lr"]}, "scale.rules.0"),
        ({"shares": [1.0]}, "scale.shares.0"),
    ],
)
def test_what_cannot_be_is_said(scale: Mapping[str, Any], line: str):
    with pytest.raises(SpecError, match=re.escape(line)):
        plan(**scale)
