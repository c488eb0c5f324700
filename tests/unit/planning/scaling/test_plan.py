"""Scaling studies over a world whose law is known: equal on any workers, cut or whole, and true."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isoflop.errors import DivergedError, SpecError
from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.planning.scaling.ascent import Ascent
from isoflop.planning.scaling.plan import ScalingPlan
from isoflop.planning.scaling.row import Stage
from isoflop.records import Job, Key, State
from tests.scaled import GROWTH, SIZES, Trained, plan, run, table
from tests.scripted import open_scripted


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


def test_what_is_held_does_not_grow(tmp_path: Path):
    found = plan(vary=["depth", "width"], controls=0)
    history = run(found, tmp_path)
    assert {trial.config["model.resolution"] for trial in history.trials.values()} == {32}
    fit = found.courses[0].ascent(found.results(history))
    assert isinstance(fit, Ascent)
    assert fit.climb.line.gamma == 1
    assert found.courses[0].design.fixed == {"resolution": "held fixed"}


@pytest.mark.parametrize(("side", "presumed"), [(64, ("depth", "width", "resolution")), (32, ("depth", "width"))])
def test_more_pixels_than_the_images_have_are_not_presumed_to_help(side: int, presumed: tuple[str, ...]):
    (course,) = replace(plan(), side=side).courses
    assert course.presumed == presumed
