"""What `isoflop solve` finds."""

from __future__ import annotations

import shlex

import pytest

from isoflop.cli.describe import Asked
from isoflop.cli.solving import Solved
from isoflop.errors import InputError
from isoflop.models import cost


def solved(budgets: dict[str, float], vary: str = "width", name: str = "resnet", **shape) -> Solved:
    asked = Asked.of(name, {"stem": 2, **shape}, resolution=32, channels=1, classes=10, knobs=["norm=group"])
    return Solved.of(asked, budgets, vary)


@pytest.mark.parametrize("vary", ["depth", "width", "resolution", "compound"])
def test_the_shape_is_nearest_to_the_budget(vary: str):
    found = solved({"flops": 1e9}, vary)
    assert abs(found.found.residual) < 0.25
    assert found.found.cost == cost(found.found.model, image=(1, 32, 32), classes=10).flops
    assert found.to_dict()["flops"] == found.found.cost


def test_the_last_line_describes_the_same_net():
    found = solved({"parameters": 3e5}, "compound", variant="34")
    words = shlex.split(found.lines()[-1])[4:]
    given = dict(zip(words[::2], words[1::2], strict=True))
    knobs = [value for key, value in zip(words[::2], words[1::2], strict=True) if key == "--knob"]
    sizes = {name: float(given[f"--{name}"]) for name in ("depth", "width", "phi")}
    again = Asked.of(
        "resnet",
        {**sizes, "stem": int(given["--stem"])},
        resolution=int(given["--resolution"]),
        channels=int(given["--channels"]),
        classes=int(given["--classes"]),
        knobs=knobs,
    )
    assert again.cost().parameters == found.found.cost
    assert sorted(knobs) == ["norm=group", "variant=34"]


def test_latency_is_measured():
    found = solved({"latency": 1e-6}, "depth", width=0.125)
    assert found.found.cost > 0
    assert "ms" in found.lines()[1]


@pytest.mark.parametrize("budgets", [{}, {"flops": 1e6, "parameters": 1e6}])
def test_one_budget_is_needed(budgets: dict[str, float]):
    with pytest.raises(InputError, match=f"{len(budgets)} budgets are given"):
        solved({"flops": None, "parameters": None} | budgets)


def test_a_budget_is_above_zero():
    with pytest.raises(InputError, match="--flops: 0 is no budget; give a number above 0"):
        solved({"flops": 0})
