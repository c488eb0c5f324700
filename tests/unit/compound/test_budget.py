"""What a scaling study is expected to spend, by what its trainings do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isoflop.compound.budget import image_flops, outlook
from isoflop.config import Axis
from isoflop.journal.history import History
from tests import scaled

TAUGHT, TEACHER = {"distill.teacher": "resnet-run-01234567"}, {"resnet-run-01234567": 1e6}


def test_a_budget_counts_attacks_and_blocks_computed_again():
    (plain,) = image_flops(scaled.plan()).values()
    (attacked,) = image_flops(scaled.plan(recipe={"adversary.name": "pgd", "adversary.steps": 7})).values()
    (again,) = image_flops(scaled.plan(recipe={"train.checkpointing": True})).values()
    assert (attacked / plain, again / plain) == (pytest.approx((3 + 7 * 2) / 3), pytest.approx(4 / 3))


def test_a_budget_counts_a_teacher_once_an_image_of_each_training():
    plain, taught = scaled.plan(), scaled.plan(recipe=TAUGHT, teachers=TEACHER)
    (before,), (after,) = image_flops(plain).values(), image_flops(taught).values()
    assert after - before == pytest.approx(1e6 * plain.trainings)
    total = before + 1e6 * plain.trainings
    assert outlook(taught)[-1] == f"training FLOPs: about {total * plain.spec.fidelity.horizon:.3g}"


def test_trainings_are_as_long_as_they_are_with_a_teacher():
    made = scaled.plan(recipe=TAUGHT, teachers=TEACHER)
    started = made(History()).start
    assert started is not None
    assert started.config["distill.teacher"] in TEACHER
    assert not started.reason
    short = replace(
        made,
        spec=made.spec.model_copy(
            update={"fidelity": made.spec.fidelity.model_copy(update={"axis": Axis.FLOPS, "horizon": 1e3})}
        ),
    )
    refused = short(History()).start
    assert refused is not None
    assert "fewer than its 2 reports" in refused.reason
