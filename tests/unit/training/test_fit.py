"""A batch in pieces is the whole batch."""

from __future__ import annotations

import math
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from isoflop.config import TrialConfig
from isoflop.data.batches import Batches
from isoflop.errors import DivergedError
from isoflop.length import Length
from isoflop.models import build
from isoflop.training.fit import Fit
from isoflop.training.objective import Supervised
from isoflop.training.schedule import rate
from isoflop.training.task import Classification

CPU = torch.device("cpu")
IMAGES, BATCH = 60, 20
VIT = {"model.family": "vit", "model.stem": 2, "model.depth": 0.1, "model.width": 0.2}


def config(**params: object) -> TrialConfig:
    plain = {"data.name": "x", "train.batch_size": BATCH, "train.horizon": 2, "train.reports": 2, "augment.crop": 1}
    return TrialConfig.from_params({**VIT, **plain, "augment.flip": True, **params})  # type: ignore[arg-type]


def split() -> Batches:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (IMAGES, 1, 8, 8), dtype=np.uint8)
    labels = random.integers(0, 4, IMAGES)
    return Batches(pixels, labels, mean=[0.5], std=[0.3], resolution=8, device=CPU)


def fit(made: TrialConfig, net: nn.Module | None = None, seed: int = 3) -> Fit:
    net = net or build(made.model, image=(1, 8, 8), classes=4, seed=0)
    length = Length.of(made.train, images=IMAGES, flops=1.0)
    task = Classification(made.loss)
    return Fit(net, task, objective=Supervised(task), train=split(), val=split(), config=made, length=length, seed=seed)


def weights(training: Fit) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in training.net.parameters()])


class Seen(nn.Module):
    """A linear net that remembers how many images it saw at once."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.head, self.sizes = nn.BatchNorm2d(1), nn.Linear(64, 4), []

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append(len(x))
        logits: Tensor = self.head(self.norm(x).flatten(1))
        return logits


@pytest.mark.parametrize("piece", [1, 7, 10])
@pytest.mark.parametrize("recipe", [{"optim.clip": 0.01}, {"loss.label_smoothing": 0.1}])
def test_pieces_come_to_the_step_of_the_whole_batch_up_to_rounding(piece: int, recipe: dict[str, object]):
    whole, cut = fit(config(**recipe)), fit(config(**recipe, **{"train.micro_batch": piece}))
    for end in (1, 4):
        assert cut.advance(end) == pytest.approx(whole.advance(end), rel=1e-5)
    assert torch.allclose(weights(cut), weights(whole), rtol=1e-4, atol=1e-6)
    assert not torch.equal(weights(cut), weights(fit(config(**recipe))))


def test_a_step_in_pieces_is_what_a_plain_loop_over_the_whole_batch_does():
    made = config(**{"train.micro_batch": 6, "loss.label_smoothing": 0.1, "optim.clip": 0.05, "optim.momentum": 0.0})
    cut = fit(made)
    net = build(made.model, image=(1, 8, 8), classes=4, seed=0).train()
    images, targets = split().at(0, size=BATCH, seed=3, config=made.augment)
    loss = cross_entropy(net(images), targets, label_smoothing=0.1)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 0.05)
    learning_rate = rate(0, cut.length.steps, made.optim.lr, made.schedule)
    expected = []
    for parameter in net.parameters():
        decay = made.optim.weight_decay if parameter.ndim > 1 else 0.0
        if parameter is net.body.blocks.pos_embed or parameter is net.body.blocks.cls_token:  # type: ignore[union-attr]
            decay = 0.0
        expected.append(parameter.detach() - learning_rate * (parameter.grad + decay * parameter.detach()))
    assert cut.advance(1) == pytest.approx(loss.item(), rel=1e-6)
    found = torch.cat([p.detach().flatten() for p in cut.net.parameters()])
    assert torch.allclose(found, torch.cat([e.flatten() for e in expected]), rtol=1e-5, atol=1e-7)


def test_the_last_piece_may_be_smaller_and_looking_takes_as_many_images():
    net = Seen()
    training = fit(config(**{"train.micro_batch": 8}), net)
    training.advance(2)
    assert net.sizes == [8, 8, 4, 8, 8, 4]
    assert int(net.norm.num_batches_tracked) == 6
    training.outputs(training.val)
    assert net.sizes[6:] == [8] * 7 + [4]


@pytest.mark.parametrize("piece", [BATCH, 999])
def test_a_piece_as_large_as_the_batch_changes_no_bit(piece: int):
    whole, one = fit(config()), fit(config(**{"train.micro_batch": piece}))
    assert [r.metrics for r in whole] == [r.metrics for r in one]
    assert torch.equal(weights(whole), weights(one))


def test_dropout_draws_in_pieces_are_a_function_of_seed_and_step():
    made = config(**{"train.micro_batch": 7, "model.dropout": 0.3})
    first, again = fit(made), fit(made)
    first.advance(2)
    state = deepcopy(first.state_dict())
    first.advance(4)
    torch.rand(5)
    again.load_state_dict(state)
    again.advance(4)
    assert torch.equal(weights(first), weights(again))


def test_a_loss_that_is_not_finite_in_one_piece_is_seen_with_its_step():
    class Broken(Seen):
        def forward(self, x: Tensor) -> Tensor:
            logits = super().forward(x)
            return logits * math.nan if len(self.sizes) == 5 else logits

    with pytest.raises(DivergedError) as caught:
        fit(config(**{"train.micro_batch": 8}), Broken()).advance(4)
    assert caught.value.step == 2


def test_what_is_dropped_takes_no_memory():
    training = fit(config(**{"optim.momentum": 0.9}))
    training.advance(1)
    assert training.optimizer.state
    training.drop()
    assert not training.optimizer.state
    assert all(parameter.grad is None for parameter in training.net.parameters())
