"""What a training keeps beside its weights: a cut training goes on bit for bit, whatever its recipe."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from isoflop.config import TrialConfig
from isoflop.data.batches import Batches
from isoflop.errors import DivergedError
from isoflop.length import Length
from isoflop.models import build
from isoflop.records import Record
from isoflop.training.fit import Fit
from isoflop.training.objective import Supervised
from isoflop.training.patience import Patience
from isoflop.training.recompute import recompute
from isoflop.training.task import Classification

CPU = torch.device("cpu")
IMAGES, BATCH, REPORTS = 60, 12, 6
RESNET = {"model.family": "resnet", "model.depth": 0.1, "model.width": 0.1, "model.drop_path": 0.2}

RECIPES: dict[str, dict[str, Any]] = {
    **{
        name: {"optim.name": name, "optim.lr": 0.01}
        for name in ("sgd", "adam", "radam", "nadam", "rmsprop", "adafactor", "lion", "lamb", "adopt", "muon")
    },
    "layers": {"optim.layer_decay": 0.5, "optim.clip": 0.1},
    "value": {"optim.clip": 0.01, "optim.clip_by": "value"},
    "adaptive": {"optim.clip": 0.01, "optim.clip_by": "adaptive"},
    "lookahead": {"optim.lookahead": 2, "optim.name": "radam", "optim.lr": 0.01},
    "plateau": {"schedule.name": "plateau", "schedule.patience": 0, "schedule.warmup": 0.0, "optim.lr": 0.5},
    "onecycle": {"schedule.name": "onecycle"},
    "bf16": {"train.precision": "bf16"},
    "fp16": {"train.precision": "fp16", "train.micro_batch": 5},
    "ema": {"average.name": "ema", "average.decay": 0.9},
    "swa": {"average.name": "swa", "average.start": 0.3, "average.every": 0.5, "model.dropout": 0.3},
    "patience": {"train.patience": 1, "optim.lr": 2.0, "schedule.name": "constant"},
    "all": {
        "optim.name": "adamw", "optim.lr": 0.1, "optim.lookahead": 3, "optim.clip": 0.5, "optim.layer_decay": 0.9,
        "schedule.name": "plateau", "train.precision": "fp16", "average.name": "ema", "average.decay": 0.5,
        "train.patience": 2, "train.checkpointing": True, "train.micro_batch": 7,
    },
}  # fmt: skip


def config(**params: Any) -> TrialConfig:
    plain = {"data.name": "x", "train.batch_size": BATCH, "train.horizon": 3, "train.reports": REPORTS}
    return TrialConfig.from_params({**RESNET, **plain, "augment.flip": True, **params})


def split(seed: int = 0) -> Batches:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (IMAGES, 1, 8, 8), dtype=np.uint8)
    labels = pixels[:, 0, :2, :2].mean((1, 2)) // 64
    return Batches(pixels, labels.astype(np.int64), mean=[0.5], std=[0.3], resolution=8, device=CPU)


def fit(made: TrialConfig, net: nn.Module | None = None) -> Fit:
    if net is None:
        net = build(made.model, image=(1, 8, 8), classes=4, seed=0)
        if made.train.checkpointing:
            recompute(net.body.units())
    length = Length.of(made.train, images=IMAGES, flops=1.0)
    task, data = Classification(made.loss), split()
    return Fit(net, task, objective=Supervised(task), train=data, val=split(1), config=made, length=length, seed=3)


def cut(made: TrialConfig, after: int) -> Iterator[Record]:
    """The records of a training that is dropped after a report and goes on from a checkpoint's file."""
    first, file = fit(made), io.BytesIO()
    records = iter(first)
    yield from (next(records) for _ in range(after))
    torch.save(first.state_dict(), file)
    file.seek(0)
    rest = fit(made)
    rest.load_state_dict(torch.load(file, weights_only=True))
    torch.rand(3)
    yield from rest
    found.append(rest)


found: list[Fit] = []
"""The trainings that went on."""


def values(records: Iterator[Record]) -> list[Any]:
    return [(r.report, r.step, r.flops, r.fidelity, dict(r.metrics), r.measured.get("stopped")) for r in records]


@pytest.mark.parametrize("recipe", RECIPES)
def test_cut_and_resumed_equals_uncut(recipe: str):
    made = config(**RECIPES[recipe])
    whole = fit(made)
    expected = values(iter(whole))
    assert len(expected) == REPORTS
    for after in (1, 4):
        assert values(cut(made, after)) == expected
        mine, other = whole.answering.state_dict(), found.pop().answering.state_dict()
        assert all(torch.equal(mine[name], other[name]) for name in mine)


def test_the_recipes_do_something():
    plain = values(iter(fit(config())))
    for name in ("layers", "value", "adaptive", "bf16", "ema", "swa"):
        assert values(iter(fit(config(**RECIPES[name])))) != plain, name
    rates = [record[4]["lr"] for record in values(iter(fit(config(**RECIPES["plateau"]))))]
    assert rates[0] > rates[-1]


def test_computing_blocks_again_changes_no_number_but_the_flops():
    plain, again = (values(iter(fit(config(**{"train.checkpointing": on})))) for on in (False, True))
    for one, other in zip(plain, again, strict=True):
        assert one[4] == other[4]
        assert other[2] == one[2] * 4 / 3


def test_evaluation_is_with_the_averaged_weights():
    training = fit(config(**{"average.name": "ema", "average.decay": 0.9}))
    *_, last = training
    assert training.average is not None
    assert training.answering is training.average.net
    averaged = training.task.metrics(*training.outputs(training.val))
    assert last.metrics["val_loss"] == averaged["loss"]
    training.average.taken = 0
    assert training.task.metrics(*training.outputs(training.val))["loss"] != averaged["loss"]


def test_statistics_of_the_plain_average_are_those_of_the_last_batches():
    training = fit(config(**RECIPES["swa"]))
    for record in training:
        assert training.average is not None
        counted = {int(b) for name, b in training.average.net.named_buffers() if name.endswith("num_batches_tracked")}
        assert counted == {training.step if record.step >= 0.3 * training.length.steps else 0}


class Told:
    """A net of one weight, and reports with losses as told."""

    def __init__(self, limit: int) -> None:
        self.net, self.patience = nn.Linear(1, 1, bias=False), Patience(limit)

    def report(self, step: int, loss: float) -> int | None:
        with torch.no_grad():
            self.net.weight.fill_(step)
        self.patience.report(step, {"val_loss": loss, "val_accuracy": step / 10}, self.net)
        return self.patience.stopped


def test_patience_ends_with_the_weights_of_the_best_report():
    told = Told(2)
    stopped = [told.report(step, loss) for step, loss in enumerate([3.0, 1.0, 2.0, 0.5, 0.5, 0.9], 1)]
    assert stopped == [None, None, None, None, None, 6]
    assert told.net.weight.item() == 4
    assert told.patience.metrics == {"val_loss": 0.5, "val_accuracy": 0.4}
    never = Told(0)
    assert {never.report(step, 1.0) for step in range(1, 9)} == {None}
    assert never.net.weight.item() == 8


def test_a_training_that_is_stopped_repeats_its_best_report_at_what_it_cost():
    training = fit(config(**RECIPES["patience"]))
    records = list(training)
    losses = [record.metrics["val_loss"] for record in records]
    stop = next(place for place in range(1, REPORTS) if losses[place] >= min(losses[:place]))
    best = losses.index(min(losses[: stop + 1]))
    assert stop < REPORTS - 1, "the recipe no longer gets worse"
    for place, record in enumerate(records, 1):
        assert (record.report, record.fidelity) == (place, training.length.fidelity(training.length.reports[place - 1]))
        if place <= stop + 1:
            assert record.step == training.length.reports[place - 1]
            assert "stopped" not in record.measured
        else:
            assert record.metrics == records[best].metrics
            assert record.flops == records[stop].flops
            assert (record.step, record.images) == (records[stop].step, records[stop].images)
            assert record.measured["stopped"] == 1.0
    assert training.task.metrics(*training.outputs(training.val))["loss"] == records[best].metrics["val_loss"]


class Overflowing(nn.Module):
    """A linear net whose gradient is not finite in some calls, though its loss is."""

    def __init__(self, *calls: int) -> None:
        super().__init__()
        self.head, self.calls, self.call = nn.Linear(64, 4), calls, 0
        for parameter in self.parameters():
            nn.init.constant_(parameter, 0.1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(x.flatten(1))
        if self.training:
            self.call += 1
            if self.call in self.calls:
                logits.register_hook(lambda gradient: gradient * math.inf)
        return logits


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_a_gradient_that_is_not_finite_is_named_with_its_step(clip: float):
    made = config(**{"train.micro_batch": 5, "optim.clip": clip})
    with pytest.raises(DivergedError, match="gradient is not finite at step 2") as caught:
        list(fit(made, Overflowing(5)))
    assert caught.value.step == 2


@pytest.mark.parametrize("name", ["sgd", "adamw", "lion"])
def test_a_step_that_overflows_in_half_precision_is_left_out_and_counted(name: str):
    made = config(**{"train.precision": "fp16", "train.micro_batch": 5, "optim.name": name})
    calm, training = fit(made, Overflowing()), fit(made, Overflowing(5))
    calm.advance(1)
    training.advance(2)
    assert all(torch.equal(a, b) for a, b in zip(calm.net.parameters(), training.net.parameters(), strict=True))
    assert training.precision.state_dict()["scale"] == 2.0**15
    assert training.watch.skipped == 1
    first = fit(made, Overflowing(2))
    before = [parameter.detach().clone() for parameter in first.net.parameters()]
    first.advance(1)
    assert all(torch.equal(a, b) for a, b in zip(before, first.net.parameters(), strict=True))
    first.advance(4)
    assert all(torch.isfinite(parameter).all() for parameter in first.net.parameters())
    records = list(fit(made, Overflowing(5)))
    assert records[-1].metrics["skipped"] == 1


def test_a_training_that_overflows_at_any_scale_diverges():
    made = config(**{"train.precision": "fp16", "train.horizon": 30})
    with pytest.raises(DivergedError, match="gradient is not finite at step 35"):
        list(fit(made, Overflowing(*range(4, 200))))
