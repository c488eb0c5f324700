"""The shape nearest to a budget."""

from __future__ import annotations

import pytest

from isoflop.config import ModelConfig
from isoflop.scaling import Shape, solve


def volume(model: ModelConfig) -> float:
    """A cost that grows as that of convolutions does, and counts how often it was asked."""
    shape = Shape.of(model, model.resolution or 32)
    return shape.layers(8) * shape.channels(64) ** 2 * shape.resolution**2


@pytest.mark.parametrize("vary", ["depth", "width", "resolution", "compound"])
@pytest.mark.parametrize("target", [1e5, 3e6, 1e8, 2e9])
def test_the_nearest_shape_to_a_budget_is_found(vary, target):
    start = ModelConfig(family="resnet", resolution=32, stem=4, divisor=1)
    asked = []
    found = solve(lambda model: asked.append(model) or volume(model), target, vary=vary, model=start)
    assert found.cost == volume(found.model)
    assert found.residual == pytest.approx(found.cost / target - 1)
    assert len(asked) < 30
    varied = {"compound": "phi"}.get(vary, vary)
    assert {key for key, value in found.model if value != getattr(start, key)} <= {varied}
    for factor in (0.9, 0.97, 1.03, 1.1):
        value = getattr(found.model, varied)
        near = {"resolution": value + 4 * round(10 * (factor - 1)), "phi": value + factor - 1}.get(
            varied, value * factor
        )
        if varied == "resolution" and not 8 <= near <= 1024:
            continue
        other = ModelConfig.model_validate({**found.model.model_dump(), varied: near})
        assert abs(volume(other) - target) >= abs(found.cost - target)


def test_a_budget_out_of_reach_gives_the_nearest_end():
    start = ModelConfig(family="resnet", resolution=32)
    assert solve(volume, 1e14, vary="resolution", model=start).model.resolution == 1024
    assert solve(volume, 1.0, vary="resolution", model=start).model.resolution == 8
    assert solve(volume, 1.0, vary="depth", model=start).cost == volume(
        ModelConfig(family="resnet", depth=0.01, resolution=32)
    )


def test_solving_again_from_the_solution_changes_nothing():
    found = solve(volume, 3e6, vary="width", model=ModelConfig(family="resnet", resolution=32))
    assert solve(volume, 3e6, vary="width", model=found.model).cost == found.cost


def test_solving_ends_once_near_and_asks_less():
    start = ModelConfig(family="resnet", resolution=32, stem=4, divisor=1)
    asked: list[ModelConfig] = []

    def noted(model: ModelConfig) -> float:
        asked.append(model)
        return volume(model)

    assert abs(solve(noted, 3e6, vary="width", model=start, near=0.02).residual) <= 0.02
    near = len(asked)
    solve(noted, 3e6, vary="width", model=start)
    assert near < len(asked) - near


@pytest.mark.parametrize("vary", ["depth", "width", "compound"])
def test_no_shape_beyond_the_largest_is_looked_at(vary):
    found = solve(volume, 1e14, vary=vary, model=ModelConfig(family="resnet", resolution=32, phi=2.0, depth=9.7))
    assert found.cost < 1e14
