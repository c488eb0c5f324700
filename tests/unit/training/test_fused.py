"""Several trainings as one program: what each member does is what its separate run does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from isoflop.config import OptimConfig, TrialConfig
from isoflop.data.batches import Batches
from isoflop.errors import DivergedError, SpecError, TrialError
from isoflop.evaluation.predictions import load_predictions
from isoflop.fused import faster, members_of, run_fused
from isoflop.home import Home
from isoflop.length import Length
from isoflop.models import build
from isoflop.records import Record
from isoflop.trained import load_net
from isoflop.training.fit import Fit
from isoflop.training.fused.fit import Fused
from isoflop.training.fused.update import UPDATES
from isoflop.training.objective import Supervised
from isoflop.training.optimizers import build_optimizer
from isoflop.training.task import Classification
from isoflop.trial import run_trial

CPU = torch.device("cpu")
NETS = {
    "lenet": {"model.family": "lenet", "optim.lr": 0.05, "loss.label_smoothing": 0.1},
    "resnet": {"model.family": "resnet", "model.depth": 0.5, "model.width": 0.125, "optim.lr": 0.05, "optim.clip": 0.5},
    "vit": {
        "model.family": "vit",
        "model.stem": 4,
        "model.depth": 0.17,
        "model.width": 0.25,
        "optim.name": "adamw",
        "optim.lr": 2e-3,
        "optim.weight_decay": 0.1,
        "train.micro_batch": 24,
    },
}


class Doubles(Batches):
    """Images in double precision, so that only the order of sums is left to differ."""

    def pieces(self, *given: object, **named: object) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for images, targets in super().pieces(*given, **named):  # type: ignore[arg-type]
            yield images.double(), targets


def config(name: str = "lenet", **params: object) -> TrialConfig:
    plain = {"data.name": "digits", "train.horizon": 0.5, "train.reports": 2, "augment.crop": 1, "augment.flip": True}
    return TrialConfig.from_params({**plain, **NETS[name], **params})  # type: ignore[arg-type]


def both(
    configs: list[TrialConfig], seeds: list[int], objective: type[Supervised] = Supervised
) -> tuple[list[Fit], Fused]:
    """Separate trainings of random images and the same as one program, all in double precision."""
    drawn = np.random.default_rng(0)
    images = drawn.integers(0, 256, (64, 1, 16, 16), dtype=np.uint8)
    labels = drawn.integers(0, 4, 64)
    length = Length.of(configs[0].train, images=64, flops=1.0)
    task = Classification(configs[0].loss)

    def nets() -> list[nn.Module]:
        return [
            build(c.model, image=(1, 16, 16), classes=4, seed=s).double() for c, s in zip(configs, seeds, strict=True)
        ]

    def split() -> Doubles:
        return Doubles(images, labels, mean=[0.5], std=[0.25], resolution=16, device=CPU)

    common = {"objective": objective(task), "val": split(), "length": length}
    alone = [
        Fit(net, task, train=split(), config=c, seed=s, **common)  # type: ignore[arg-type]
        for net, c, s in zip(nets(), configs, seeds, strict=True)
    ]
    fused = Fused(nets(), task, trains=[split() for _ in seeds], configs=configs, seeds=seeds, **common)  # type: ignore[arg-type]
    return alone, fused


@pytest.mark.parametrize("name", NETS)
def test_ten_steps_are_those_of_separate_runs(name: str):
    plain = config(name, **{"train.batch_size": 32, "train.horizon": 8, "augment.flip": False})
    other = config(
        name,
        **{
            "train.batch_size": 32,
            "train.horizon": 8,
            "augment.flip": True,
            "optim.lr": plain.optim.lr / 3,
            "optim.weight_decay": 0.01,
            "optim.momentum": 0.5,
            "optim.clip": 0.1,
            "schedule.warmup": 0.3,
        },
    )
    alone, fused = both([plain, other, plain], [5, 6, 7])
    losses = fused.advance(10)
    assert losses == pytest.approx([fit.advance(10) for fit in alone], abs=1e-9)
    for place, fit in enumerate(alone):
        net = build(plain.model, image=(1, 16, 16), classes=4, seed=0).double()
        begun = build(plain.model, image=(1, 16, 16), classes=4, seed=fused.seeds[place]).double()
        fused.stack.write(place, net)
        moved = 0.0
        for key, found in net.state_dict().items():
            assert torch.allclose(found, fit.net.state_dict()[key], rtol=0, atol=1e-9), key
            moved = max(moved, float((found - begun.state_dict()[key]).abs().max()))
        assert moved > 1e-3


@pytest.mark.parametrize("name", UPDATES)
def test_an_update_is_torchs_with_rates_of_each_members_own(name: str):
    settings = [
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "clip": 0.0},
        {"lr": 0.3, "momentum": 0.0, "weight_decay": 0.0, "clip": 1.0},
    ]
    for nesterov in (True, False):
        configs = [OptimConfig(name=name, nesterov=nesterov, **one) for one in settings]  # type: ignore[arg-type]
        weights = torch.randn(2, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        decayed = torch.tensor([1.0, 1, 1, 1, 0, 0, 0], dtype=torch.float64)
        nets = [nn.ParameterList([w[:4].reshape(2, 2).clone(), w[4:].clone()]) for w in weights]
        optimizers = [build_optimizer(net, one) for net, one in zip(nets, configs, strict=True)]
        update = UPDATES[name](configs, weights, decayed)
        for step in range(5):
            gradient = torch.randn(2, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(step))
            for net, optimizer, part, one in zip(nets, optimizers, gradient, configs, strict=True):
                net[0].grad, net[1].grad = part[:4].reshape(2, 2).clone(), part[4:].clone()
                if one.clip:
                    nn.utils.clip_grad_norm_(net.parameters(), one.clip)
                optimizer.step()
            update.step(weights, gradient, [one.lr for one in configs])
        expected = torch.stack([torch.cat([p.detach().reshape(-1) for p in net]) for net in nets])
        assert torch.allclose(weights, expected, rtol=1e-12, atol=1e-12)


def said(records: object) -> list[dict[str, float]]:
    return [dict(record.metrics) for record in records]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["resnet", "vit"])
def test_a_members_configuration_repeats_it_bit_for_bit_also_when_cut(name: str, home: Home, tmp_path: Path):
    data = home.data / "digits"
    plain = config(name, **{"model.drop_path": 0.2, "model.dropout": 0.1})
    configs, seeds = [plain, config(name, **{**_drops(), "optim.lr": 0.01}), plain], [3, 4, 5]
    run = run_fused(configs, seeds, data=data, device=CPU)
    rows = [said(column) for column in zip(*run, strict=True)]
    assert len(rows) == 3
    assert rows[0] != rows[2]
    again = run_trial(run.configs[1], seeds[1], data=data, checkpoints=tmp_path / "one", device=CPU)
    head = said([next(again)])
    again.save(1)
    rest = run_trial(run.configs[1], seeds[1], data=data, checkpoints=tmp_path / "one", device=CPU)
    assert head + said(rest) == rows[1]
    whole = run_fused(configs, seeds, data=data, checkpoints=tmp_path / "all", device=CPU)
    next(whole)
    whole.save(1)
    torch.rand(3)
    gone_on = run_fused(configs, seeds, data=data, checkpoints=tmp_path / "all", device=CPU)
    assert gone_on.step == whole.step
    assert [said(column) for column in zip(*gone_on, strict=True)] == [row[1:] for row in rows]


def _drops() -> dict[str, float]:
    return {"model.drop_path": 0.2, "model.dropout": 0.1}


def test_what_members_leave_is_what_they_said(home: Home, tmp_path: Path):
    run = run_fused([config("lenet")] * 2, [0, 1], data=home.data / "digits", device=CPU)
    *_, last = run
    left = run.finish([tmp_path / "a", tmp_path / "b"])
    assert [[artifact.kind for artifact in one] for one in left] == [["weights", "val_predictions", "val_report"]] * 2
    alone = run_trial(run.configs[1], 1, data=home.data / "digits", device=CPU)
    list(alone)
    mine = alone.finish(tmp_path / "c")
    assert mine[1].sha256 == left[1][1].sha256
    (net, facts), (again, _) = load_net(tmp_path / "b", CPU), load_net(tmp_path / "c", CPU)
    assert facts.config == run.configs[1]
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), again.state_dict().values(), strict=True))
    stored = load_predictions(tmp_path / "b" / "val_predictions.npz")
    assert isinstance(last[1], Record)
    assert stored.hits.mean() == pytest.approx(last[1].metrics["val_accuracy"], abs=1e-9)


def test_a_member_that_diverges_says_so_and_the_others_go_on(home: Home):
    data = home.data / "digits"
    tame, wild = config("resnet"), config("resnet", **{"optim.lr": 1e30, "schedule.warmup": 0.0})
    first, second = run_fused([tame, wild], [0, 1], data=data, device=CPU)
    lost = [first[1], second[1]]
    assert all(isinstance(one, DivergedError) for one in lost)
    assert {one.step for one in lost} == {2}  # type: ignore[union-attr]
    calm = list(run_fused([tame, tame], [0, 1], data=data, device=CPU))
    assert said([first[0], second[0]]) == said([one[0] for one in calm])
    place = members_of([tame, wild], [0, 1])[1]
    with pytest.raises(DivergedError) as caught:
        list(run_trial(place, 1, data=data, device=CPU))
    assert caught.value.step == 2


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"train.freeze": True}, "train.freeze: True cannot be fused; train it alone, or leave it out"),
        ({"train.patience": 2}, "train.patience: 2 cannot be fused"),
        ({"train.precision": "bf16"}, "train.precision: bf16 cannot be fused"),
        ({"train.compile": True}, "train.compile: True cannot be fused"),
        ({"train.checkpointing": True}, "train.checkpointing: True cannot be fused"),
        ({"average.name": "ema"}, "average.name: ema cannot be fused"),
        ({"distill.teacher": "lenet-run-01234567"}, "distill.teacher: lenet-run-01234567 cannot be fused"),
        ({"adversary.name": "fgsm"}, "adversary.name: fgsm cannot be fused"),
        ({"optim.name": "lion"}, "optim.name: lion cannot be fused; train it alone, or give one of: sgd, adamw"),
        ({"optim.clip_by": "value"}, "optim.clip_by: value cannot be fused"),
        ({"optim.layer_decay": 0.5}, "optim.layer_decay: 0.5 cannot be fused"),
        ({"optim.lookahead": 5}, "optim.lookahead: 5 cannot be fused"),
        ({"schedule.name": "plateau"}, "schedule.name: plateau cannot be fused; train it alone, or give one of: "),
        ({"fused.place": 3}, "fused.place: 3 is none of 3 members"),
        ({"fused.members": 1, "fused.seed": 3}, "fused.seed: means nothing for a training that runs alone"),
    ],
)
def test_what_cannot_be_fused_is_refused_in_a_line(params: dict[str, object], text: str):
    with pytest.raises(SpecError) as caught:
        config("lenet", **{"fused.members": 3, **params})
    assert str(caught.value).startswith(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "params",
    [
        {"data.fraction": 0.5, "data.balance": 1.0, "loss.class_weights": "balanced", "loss.name": "focal"},
        {"data.folds": 3, "data.fold": 1, "augment.mixup": 0.4, "augment.cutmix": 1.0, "augment.rotation": 10.0},
        {"curriculum.by": "distance", "curriculum.start": 0.4, "resize.start": 0.5, "schedule.name": "wsd"},
        {"data.window": 256, "schedule.name": "onecycle", "loss.name": "focal", "augment.mixup": 0.2},
    ],
)
def test_members_see_what_separate_runs_see_whatever_the_data(params: dict[str, object], home: Home):
    """After so few small steps rounding has hardly grown, and another image or rate would show at once."""
    plain = config("resnet", **{"train.horizon": 0.4, "optim.lr": 0.01, **params})
    data, seeds = home.data / "digits", [1, 2]
    run = run_fused([plain] * 2, seeds, data=data, device=CPU)
    fused = [said(column) for column in zip(*run, strict=True)]
    for seed, mine in zip(seeds, fused, strict=True):
        alone = said(run_trial(plain, seed, data=data, device=CPU))
        for one, other in zip(mine, alone, strict=True):
            assert one.keys() == other.keys()
            assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-4)
            assert one["lr"] == other["lr"]
            assert one["val_loss"] == pytest.approx(other["val_loss"], rel=1e-3)
    assert fused[0][0]["train_loss"] != pytest.approx(fused[1][0]["train_loss"], rel=1e-3)


def test_a_gradient_that_is_lost_is_noticed_at_its_step():
    class Steep(Supervised):
        """A loss without a slope where the images are so and so bright: its root at 0."""

        def __call__(self, net: nn.Module, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return super().__call__(net, images, targets) + (net(images) * 0).abs().sum().sqrt()

    alone, fused = both([config(**{"train.horizon": 4})] * 2, [0, 1], Steep)
    with pytest.raises(DivergedError) as caught:
        alone[0].advance(3)
    fused.advance(3)
    assert fused.diverged == dict.fromkeys((0, 1), (caught.value.step, caught.value.what))
    assert caught.value.what == "gradient"


def test_members_that_are_not_alike_are_refused_in_a_line_each():
    plain = {"train.horizon": 8}
    several = [config(**plain), config(**plain, **{"train.batch_size": 32, "loss.label_smoothing": 0.2})]
    with pytest.raises(SpecError) as caught:
        both(several, [0, 1])
    first, second = str(caught.value).splitlines()
    assert first.startswith("loss.label_smoothing: differs between the members: 0.1, 0.2; ")
    assert second.startswith("train.batch_size: differs between the members: 32, 64; ")
    mixed = [config(**{"augment.mixup": alpha, **plain}) for alpha in (0.0, 0.2)]
    with pytest.raises(SpecError, match=r"augment.mixup: differs between the members: 0.0, 0.2"):
        both(mixed, [0, 1])
    with pytest.raises(SpecError, match="1 configurations and 1 seeds"):
        members_of(several[:1], [0])


def test_a_net_that_cannot_be_fused_is_said_in_a_line(home: Home):
    odd = config("lenet", **{"model.family": "shake_shake", "model.depth": 0.3, "model.width": 0.1})
    with pytest.raises(TrialError, match="the net cannot be fused") as caught:
        next(run_fused([odd, odd], [0, 1], data=home.data / "digits", device=CPU))
    assert "\n" not in str(caught.value)


def test_a_fused_row_is_another_than_that_of_a_separate_run():
    plain = config("lenet")
    prints = {plain.fingerprint("c"), *(member.fingerprint("c") for member in members_of([plain] * 3, [0, 1, 2]))}
    assert len(prints) == 4


def test_accuracies_are_those_of_separate_runs_but_for_rounding(home: Home):
    """In single precision both drift apart by rounding alone: after 4 epochs the means of 4 seeds still agree."""
    quick = {"train.horizon": 4, "train.reports": 1, "augment.flip": False, "optim.name": "adamw", "optim.lr": 1e-2}
    long = config("lenet", **quick)
    seeds = list(range(4))
    (last,) = run_fused([long] * 4, seeds, data=home.data / "digits", device=CPU)
    alone = [next(run_trial(long, seed, data=home.data / "digits", device=CPU)) for seed in seeds]
    fused, separate = (np.array([one.metrics["val_accuracy"] for one in found]) for found in (last, alone))  # type: ignore[union-attr]
    assert separate.mean() > 0.7
    assert abs(fused - separate).max() < 0.02
    error = math.sqrt((fused.var(ddof=1) + separate.var(ddof=1)) / 4)
    assert abs(fused.mean() - separate.mean()) < max(5 * error, 0.01)


def test_speeds_are_measured_both_ways(home: Home):
    found = faster(config("lenet"), [0, 1], data=home.data / "digits", device=CPU, steps=3)
    assert found.members == 2
    assert found.separate > 1
    assert found.fused > 1
    assert replace(found, fused=2 * found.separate).better == "fused"
    assert replace(found, fused=0.5 * found.separate).better == "separate"
