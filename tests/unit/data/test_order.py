"""Which images a step sees is a function of seed and step, and its statistics are what was asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from isoflop.data.order import Balanced, Curriculum, Order, Shuffled, Windowed, quotas
from isoflop.seeds import derive

LABELS = torch.from_numpy(np.random.default_rng(0).permutation(np.repeat(np.arange(3), [700, 200, 100])))
SIZE = 50


def made(kind: str) -> Order:
    return {
        "shuffled": lambda: Shuffled(1000),
        "balanced": lambda: Balanced(LABELS, 1.0),
        "curriculum": lambda: Curriculum(torch.arange(1000).flip(0), start=0.2, until=60, stages=4),
        "windowed": lambda: Windowed(1000, block=30, window=200),
    }[kind]()


def epoch(order: Order, number: int = 0, seed: int = 3, size: int = SIZE) -> Tensor:
    steps = order.count // size
    return torch.cat([order.at(number * steps + step, size=size, seed=seed) for step in range(steps)])


every_order = pytest.mark.parametrize("kind", ["shuffled", "balanced", "curriculum", "windowed"])


@every_order
def test_a_step_can_be_asked_for_again_out_of_order(kind: str):
    first, again = made(kind), made(kind)
    expected = [first.at(step, size=SIZE, seed=1) for step in range(90)]
    for step in (89, 3, 59, 60, 0):
        found = again.at(step, size=SIZE, seed=1)
        assert found.shape == (SIZE,)
        assert torch.equal(found, expected[step])


@every_order
def test_seeds_and_epochs_differ(kind: str):
    order = made(kind)
    assert not torch.equal(epoch(order), epoch(order, seed=4))
    assert not torch.equal(epoch(order, 4), epoch(order, 5))


@pytest.mark.parametrize("kind", ["shuffled", "windowed"])
def test_an_epoch_visits_each_image_once(kind: str):
    for number in range(3):
        assert sorted(epoch(made(kind), number).tolist()) == list(range(1000))


def test_the_plain_order_is_torchs_permutation_of_the_epochs_seed():
    generator = torch.Generator().manual_seed(derive(3, "order", 1))
    assert torch.equal(epoch(made("shuffled"), 1), torch.randperm(1000, generator=generator))


@pytest.mark.parametrize(("balance", "shares"), [(0.0, (0.7, 0.2, 0.1)), (1.0, (1 / 3, 1 / 3, 1 / 3)), (0.5, None)])
def test_classes_are_seen_in_the_ratio_that_the_balance_asks_for(balance: float, shares: tuple[float, ...] | None):
    order = Balanced(LABELS, balance)
    weights = np.array([0.7, 0.2, 0.1]) ** (1 - balance)
    expected = np.array(shares or weights / weights.sum()) * 1000
    for number in range(2):
        found = np.bincount(LABELS[epoch(order, number)])
        assert np.abs(found - expected).max() <= 1


def test_inside_a_class_images_are_seen_evenly_and_the_remainder_is_drawn_anew():
    order = Balanced(LABELS, 1.0)
    seen = torch.stack([torch.bincount(epoch(order, number), minlength=1000) for number in range(200)]).double()
    for label, quota in enumerate(order.quotas):
        inside = seen[:, label == LABELS]
        assert inside.max() - inside.min() <= 1
        part = quota / inside.shape[1] % 1
        error = (part * (1 - part) / 200) ** 0.5
        assert ((inside.mean(0) - quota / inside.shape[1]).abs() <= 5 * error + 1e-9).all()


def test_balanced_batches_mix_the_classes():
    batches = LABELS[torch.cat([epoch(made("balanced"), number) for number in range(50)])].view(-1, SIZE)
    counts = torch.stack([(batches == label).sum(1) for label in range(3)]).double()
    assert (counts.mean(1) - SIZE / 3).abs().max() < 0.1
    expected = (SIZE * (1 / 3) * (2 / 3) * (1000 - SIZE) / 999) ** 0.5  # hypergeometric, as an epoch has fixed quotas
    assert counts.std(1) == pytest.approx(np.full(3, expected), rel=5 / (2 * 1000) ** 0.5)


def test_a_curriculum_draws_from_the_easiest_share_and_each_of_its_images_once():
    easiest = torch.from_numpy(np.random.default_rng(1).permutation(1000))
    order = Curriculum(easiest, start=0.2, until=60, stages=4)
    for stage, share in enumerate((0.2, 0.4, 0.6, 0.8)):
        first = torch.cat([order.at(15 * stage + step, size=SIZE, seed=0) for step in range(4)])
        assert len(set(first.tolist())) == 200
        assert set(first.tolist()) <= set(easiest[: round(share * 1000)].tolist())
        if share == 0.2:
            assert sorted(first.tolist()) == sorted(easiest[:200].tolist())


def test_a_curriculum_ends_in_the_plain_order():
    order, plain = made("curriculum"), made("shuffled")
    for step in (60, 61, 99):
        assert torch.equal(order.at(step, size=SIZE, seed=2), plain.at(step, size=SIZE, seed=2))


def test_a_curriculum_never_begins_with_less_than_a_batch():
    order = Curriculum(torch.arange(100), start=0.01, until=10, stages=5)
    assert sorted(order.at(0, size=64, seed=0).tolist()) == list(range(64))


def test_a_window_holds_few_blocks_and_neighbours_in_it_are_mixed():
    order = Windowed(1000, block=50, window=200)
    windows = epoch(order).view(-1, 200)
    assert all(len(set((window // 50).tolist())) == 4 for window in windows)
    batches = windows.view(-1, SIZE)
    assert sum(len(set((batch // 50).tolist())) == 4 for batch in batches) >= 19
    assert not torch.equal(windows[0].sort().values, epoch(order, 1).view(-1, 200)[0].sort().values)


def test_windows_tell_what_they_need_before_they_need_it_once_an_epoch():
    told: list[tuple[int, int]] = []
    order = Windowed(1000, block=30, window=120, fetch=lambda start, stop: told.append((start, stop)))
    for number in range(2):
        for step in range(1000 // SIZE):
            chosen = order.at(number * 20 + step, size=SIZE, seed=0)
            known = torch.cat([torch.arange(*one) for one in told])
            assert torch.isin(chosen, known).all()
            assert len(known) <= step * SIZE + 4 * 120 + SIZE
        assert len(told) == len(set(told)) == 34
        told.clear()


def test_a_training_that_goes_on_is_told_its_window_too():
    told: list[tuple[int, int]] = []
    order = Windowed(1000, block=30, window=120, fetch=lambda start, stop: told.append((start, stop)))
    chosen = order.at(11, size=SIZE, seed=0)
    assert torch.isin(chosen, torch.cat([torch.arange(*one) for one in told])).all()
    assert len(told) < 14


@pytest.mark.parametrize("weights", [[1, 1, 1], [0.7, 0.2, 0.1], [5, 0.01]])
def test_quotas_add_up_and_are_within_one_of_their_share(weights: list[float]):
    for total in (1, 7, 100, 101):
        found = quotas(weights, total)
        assert sum(found) == total
        assert all(abs(one - weight * total / sum(weights)) < 1 for one, weight in zip(found, weights, strict=True))
