"""The layers that an image goes through."""

from __future__ import annotations

import pytest

from isoflop.models.counting import Operation, depth, path, width

IMAGE, LEFT, RIGHT, SUM, GATE = range(5)
CHANNELS = {100: 8, 101: 16, 102: 32, 103: 1}


def operation(module: str, made: int, *taken: int, weights: tuple[int, ...] = (), flops: int = 1) -> Operation:
    return Operation(
        module, flops, dict.fromkeys(taken, 4), dict.fromkeys((made,), 4), weights=dict.fromkeys(weights, 4)
    )


def test_a_chain_is_as_deep_as_it_has_layers_with_weights():
    chain = [
        operation("body.a", LEFT, IMAGE, weights=(100,)),
        operation("body.norm", RIGHT, LEFT, weights=(103,), flops=0),
        operation("body.attention", SUM, RIGHT),
        operation("body.b", GATE, SUM, weights=(101,)),
    ]
    assert depth(path(chain)) == 2
    assert [step.module for step in path(chain)] == ["body.a", "body.b"]


def test_a_shortcut_beside_a_longer_path_adds_nothing():
    residual = [
        operation("body.a", LEFT, IMAGE, weights=(100,)),
        operation("body.b", LEFT, LEFT, weights=(100,)),
        operation("body.shortcut", RIGHT, IMAGE, weights=(100,)),
        operation("body", SUM, LEFT, RIGHT, flops=0),
        operation("body.c", GATE, SUM, weights=(100,)),
    ]
    assert depth(path(residual)) == 3


@pytest.mark.parametrize("module", ["head.1", "auxiliary.0", "body.auxiliary.0.2", "bodybuilder.a"])
def test_what_is_no_part_of_the_body_is_not_counted(module):
    chain = [operation("body.a", LEFT, IMAGE, weights=(100,)), operation(module, RIGHT, LEFT, weights=(101,))]
    assert depth(path(chain)) == 1


def test_nothing_is_not_deep():
    assert depth(path([])) == 0
    assert width([], [], {}) == 1.0


def test_width_is_the_mean_over_stages_of_what_the_last_layer_on_the_longest_path_gives():
    steps = [
        *path(
            [
                operation("body.1.a", LEFT, IMAGE, weights=(101, 103)),
                operation("body.1.b", LEFT, LEFT, weights=(100,)),
                operation("body.1.shortcut", RIGHT, IMAGE, weights=(102,)),
                operation("body.10.a", SUM, LEFT, RIGHT, weights=(102,)),
            ]
        )
    ]
    assert width(steps, ["body.1"], CHANNELS) == pytest.approx(8)
    assert width(steps, ["body.1", "body.10", "body.pool"], CHANNELS) == pytest.approx((8 * 32) ** 0.5)
