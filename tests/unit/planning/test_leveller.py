"""Equal FLOPs: a dimension of each net is solved, in the plan and by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.config import ModelConfig, TrialConfig
from isoflop.errors import SpecError
from isoflop.families import families, family
from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.models import cost
from isoflop.planning.leveller import FREE, VARY, Leveller
from isoflop.planning.search import SearchPlan
from isoflop.records import State, Trial
from isoflop.scaling import LARGEST, PHI, Shape, smallest
from isoflop.study_spec import Equal
from tests.scripted import plan, run, states, table

TARGET = 6e6
IMAGE = (1, 8, 8)
SPACE: dict[str, Any] = {
    "model.family": {
        "choice": {
            "lenet": {"model.stem": 1, "model.depth": {"choice": [1.0, 2.0]}},
            "resnet": {"model.stem": 1, "model.divisor": 2, "model.depth": {"float": [0.25, 1.0], "step": 0.125}},
            "mobilenet_v2": {"model.stem": 1, "model.divisor": 2, "model.phi": {"choice": [-1.0, 0.0]}},
            "vit": {"model.stem": 2, "model.width": {"choice": [0.167, 0.25, 0.3333, 1.0]}},
        }
    },
    "model.dropout": {"float": [0.0, 0.5]},
    "optim.lr": {"float": [1e-4, 1e-1], "log": True},
}
EQUAL: dict[str, Any] = {"flops": TARGET, "by": "width", "families": {"vit": "depth"}}


@dataclass(frozen=True)
class Count:
    flops: int
    parameters: int = 1000
    memory: int = 0


def counted(model: ModelConfig, *, batch: int, states: int, share: float = 1.0, recompute: bool = False) -> Any:
    return cost(model, image=IMAGE, classes=10, batch=batch, states=states, share=share, recompute=recompute)


class Volume:
    """A price that grows as that of convolutions does, stairs included, and counts how often it was asked."""

    def __init__(self, divisor: int = 8) -> None:
        self.divisor, self.asked = divisor, 0

    def __call__(
        self, model: ModelConfig, *, batch: int, states: int, share: float = 1.0, recompute: bool = False
    ) -> Count:
        self.asked += 1
        shape = replace(Shape.of(model, 32), divisor=self.divisor)
        return Count(flops=shape.layers(16) * shape.channels(64) ** 2 * shape.resolution**2)


def equal_plan(*, price: Any = counted, **study: Any) -> SearchPlan:
    space, equal = study.pop("space", SPACE), study.pop("equal", EQUAL)
    return replace(plan(space=space, **{"constraints": [], "equal": equal, **study}), price=price)


def config(**model: Any) -> TrialConfig:
    return TrialConfig.from_params({"data.name": "d", **{f"model.{key}": value for key, value in model.items()}})


def trials(history: History) -> list[Trial]:
    return [history.trials[key] for key in sorted(history.trials)]


def nets(history: History) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in trial.config.items() if key.startswith("model.")} for trial in trials(history)
    ]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return run(equal_plan(), tmp_path_factory.mktemp("one"), workers=1, order=0)


def test_every_trial_costs_the_same_counted_flops(history: History):
    found = trials(history)
    assert {trial.config["model.family"] for trial in found} == set(SPACE["model.family"]["choice"])
    for trial in found:
        model = ModelConfig.model_validate(
            {k.removeprefix("model."): v for k, v in trial.config.items() if k.startswith("model.")}
        )
        assert trial.flops == counted(model, batch=1, states=1).flops
        assert (abs(trial.flops / TARGET - 1) <= 0.05) == (trial.state is not State.INFEASIBLE)
        assert (trial.reason.count("flops within 5% by model.depth") == 1) == (trial.state is State.INFEASIBLE)
    # Of a ViT at its full width not even one block is so small; nothing else is rejected.
    assert {t.params.get("model.width") for t in found if t.state is State.INFEASIBLE} == {1.0}


def test_what_is_solved_is_in_the_configuration_and_not_among_the_parameters(history: History):
    space = equal_plan().space
    for trial in trials(history):
        key = "model.depth" if trial.config["model.family"] == "vit" else "model.width"
        assert key not in trial.params
        assert space.contains(trial.params)
        assert trial.config[key] != 1.0


@pytest.mark.parametrize(("workers", "order"), [(4, 1), (4, 2)])
def test_workers_and_order_of_arrival_change_nothing(history: History, tmp_path: Path, workers: int, order: int):
    again = run(equal_plan(), tmp_path, workers=workers, order=order)
    assert table(again) == table(history)
    assert nets(again) == nets(history)


def test_a_study_that_goes_on_equals_the_longer_one(history: History, tmp_path: Path):
    journal = MemoryJournal()
    run(equal_plan(budget={"trials": 11}), tmp_path, workers=2, order=3, journal=journal)
    longer = run(equal_plan(), tmp_path, workers=4, order=4, journal=journal)
    assert table(longer) == table(history)
    assert nets(longer) == nets(history)


def test_equal_parameters_are_duplicates(tmp_path: Path):
    space = {"model.family": "resnet", "model.depth": {"choice": [0.5, 1.0]}, "model.divisor": 1}
    found = run(
        equal_plan(space=space, equal={"flops": TARGET}, sampler={"name": "random"}), tmp_path, workers=1, order=0
    )
    assert states(found)[State.DUPLICATE] > 10
    assert sum(not trial.free for trial in trials(found)) == 2


def test_flops_an_image_and_a_horizon_in_flops_make_images_equal(tmp_path: Path):
    made = equal_plan(fidelity={"axis": "flops", "horizon": 3 * TARGET * 10_000, "reports": 9})
    found = run(made, tmp_path, workers=1, order=0)
    lengths = [
        made.lengths.of(TrialConfig.from_params(trial.config), trial.flops)
        for trial in trials(found)
        if trial.state is not State.INFEASIBLE
    ]
    assert all(9_400 <= length.steps * length.batch <= 10_600 for length in lengths)


def test_what_differs_in_nothing_that_is_counted_is_solved_once():
    price = Volume()
    leveller = Leveller(Equal(flops=1e8), price)
    first = leveller.level(config(family="resnet"))
    asked = price.asked
    other = leveller.level(config(family="resnet", dropout=0.3, drop_path=0.1))
    assert price.asked == asked <= 15
    assert other.model.width == first.model.width
    assert other.model.dropout == 0.3
    leveller.level(config(family="resnet", depth=0.5))
    assert price.asked > asked


@pytest.mark.parametrize("name", families())
def test_what_is_taken_for_free_changes_no_flops(name: str):
    side = max(32, smallest(name, family(name).stem))
    plain = ModelConfig(family=name, width=0.25)
    costly = {"dropout": 0.5, "drop_path": 0.5 if family(name).residual else 0.0}
    other = ModelConfig(family=name, width=0.25, **costly)
    assert {*costly, "weights"} == set(FREE)
    assert cost(plain, image=(1, side, side), classes=10).flops == cost(other, image=(1, side, side), classes=10).flops


@given(
    by=st.sampled_from(sorted(VARY)),
    target=st.floats(1e6, 1e10),
    divisor=st.sampled_from([1, 8]),
    depth=st.floats(0.25, 2.0),
)
def test_a_solved_net_is_near_or_nearest_and_says_which(by: Any, target: float, divisor: int, depth: float):
    free = {"depth": depth} if by != "depth" else {"width": depth}
    given_, price = config(family="resnet", stem=4, **free), Volume(divisor)
    leveller = Leveller(Equal(flops=target, by=by), price)
    solved = leveller.level(given_)
    flops = price(solved.model, batch=1, states=1).flops
    assert (leveller.amiss(solved.model, flops) == "") == (abs(flops / target - 1) <= 0.05)
    assert {key for key, value in solved.model if value != getattr(given_.model, key)} <= {by}
    assert Leveller(Equal(flops=target, by=by), Volume(divisor)).level(given_) == solved
    if abs(flops / target - 1) > 0.05:
        value = getattr(solved.model, by)
        steps = {"resolution": (-4, 4), "phi": (-0.01, 0.01)}.get(by, (-0.005 * value, 0.005 * value))
        least, most = {"resolution": (8, 1024), "phi": (-PHI, PHI)}.get(by, (0, LARGEST))
        for step in steps:
            near = solved.model.model_copy(update={by: min(max(value + step, least), most)})
            assert abs(price(near, batch=1, states=1).flops - target) >= abs(flops - target)


@pytest.mark.parametrize(
    ("by", "settings", "remedy"),
    [
        ("width", {"divisor": 64}, "give a divisor of 1 or 2"),
        ("depth", {"width": 2.0}, "let nets be deeper and narrower"),
        ("resolution", {"stem": 4}, "give a smaller stem"),
    ],
)
def test_a_net_that_cannot_come_near_is_infeasible_with_residual_and_remedy(by: str, settings: Any, remedy: str):
    space = {"model.family": "resnet", **{f"model.{key}": value for key, value in settings.items()}}
    found = equal_plan(space=space, equal={"flops": 5e6, "by": by}).settled(0, {}, source="test")
    assert found.state is State.INFEASIBLE
    assert f"5e+06 flops within 5% by model.{by} (is {found.flops:.4g}, {found.flops / 5e6 - 1:+.1%}; " in found.reason
    assert remedy in found.reason
    taken = equal_plan(space=space, equal={"flops": 5e6, "by": by, "tolerance": 1.0}).settled(0, {}, source="test")
    assert (taken.state is None) == (abs(taken.flops / 5e6 - 1) <= 1)


def test_a_net_that_cannot_be_is_infeasible_with_its_reason():
    space = {"model.family": "resnet", "model.stem": 4, "model.resolution": 10}
    found = equal_plan(space=space, equal={"flops": 5e6}).settled(0, {}, source="test")
    assert found.state is State.INFEASIBLE
    assert found.reason.startswith("model.resolution: 10 pixels are no multiple")
    assert found.flops == 0


def test_a_solved_value_is_short():
    for by in VARY:
        model = Leveller(Equal(flops=3e8, by=by), Volume(1)).level(config(family="resnet", stem=4)).model
        assert len(f"{getattr(model, by)!r}".replace(".", "").lstrip("-0")) <= 6


def test_the_leveller_raises_what_the_price_raises():
    def illegal(model: ModelConfig, **_: Any) -> Count:
        raise SpecError

    with pytest.raises(SpecError):
        Leveller(Equal(flops=1e6), illegal).level(config(family="resnet"))
