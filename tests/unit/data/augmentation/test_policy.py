"""Policies: published magnitudes, and draws of each image's own."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor
from torchvision.transforms import AutoAugmentPolicy
from torchvision.transforms.v2 import AugMix, AutoAugment, RandAugment, TrivialAugmentWide

from isoflop.config import AugmentConfig
from isoflop.data.augmentation import policy
from isoflop.data.augmentation.operations import NAMES
from isoflop.data.augmentation.policy import COARSE, MIXED, SIGNED, WEAK, WIDE, Magnitudes, follow, table
from isoflop.data.augmentation.published import policies

PUBLISHED = {"randaugment": 31, "trivialaugment": 31, "augmix": 10}
POLICIES = [*PUBLISHED, *(f"autoaugment_{name.value}" for name in AutoAugmentPolicy)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 64, channels: int = 3, side: int = 16) -> Tensor:
    return torch.randint(0, 256, (count, channels, side, side), generator=generator(1), dtype=torch.uint8)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (32, 48)])
@pytest.mark.parametrize(
    ("scale", "published"),
    [(WEAK, RandAugment), (COARSE, AutoAugment), (WIDE, TrivialAugmentWide), (MIXED, AugMix)],
)
def test_magnitudes_are_torchvisions(scale: Magnitudes, published: type, height: int, width: int):
    rows = table(scale, height, width)
    for name, (levels, signed) in published._AUGMENTATION_SPACE.items():  # type: ignore[attr-defined]
        expected = levels(scale.steps, height, width)
        place = NAMES.index(name)
        assert SIGNED[place].item() == signed
        assert torch.equal(rows[place], torch.zeros(scale.steps) if expected is None else expected.float()), name


@pytest.mark.parametrize("found_on", AutoAugmentPolicy)
def test_policies_that_were_found_are_torchvisions(found_on: AutoAugmentPolicy):
    found = policies(found_on.value)
    expected = AutoAugment(found_on)._policies
    assert len(found.operations) == len(expected) == 25
    for place, halves in enumerate(expected):
        for half, (name, probability, step) in enumerate(halves):
            assert NAMES[found.operations[place, half]] == name
            assert found.probabilities[place, half].item() == pytest.approx(probability)
            assert found.bins[place, half].item() == (step or 0)


class Heard:
    """Takes the place of the operations and notes what was drawn."""

    def __init__(self) -> None:
        self.rounds: list[tuple[Tensor, Tensor]] = []

    def __call__(self, images: Tensor, drawn: Tensor, magnitudes: Tensor, mode: str) -> Tensor:
        self.rounds.append((drawn, magnitudes))
        return images


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    found = Heard()
    monkeypatch.setattr(policy, "operate", found)
    return found


def near(share: float, expected: float, count: int) -> bool:
    """Within five standard errors of so many draws."""
    return abs(share - expected) <= 5 * (expected * (1 - expected) / count) ** 0.5


def check_operations(drawn: Tensor, names: set[str]) -> None:
    counts = Counter(NAMES[place] for place in drawn.tolist())
    assert set(counts) == names
    assert all(near(count / len(drawn), 1 / len(names), len(drawn)) for count in counts.values())


def test_randaugment_draws_operations_alike_with_one_magnitude(heard: Heard):
    follow(images(4000, 1, 4), AugmentConfig(policy="randaugment", operations=3, magnitude=12), generator())
    assert len(heard.rounds) == 3
    for drawn, magnitudes in heard.rounds:
        check_operations(drawn, set(NAMES) - {"Invert"})
        expected = table(WEAK, 4, 4)[drawn, 12]
        assert torch.equal(magnitudes.abs(), expected)
        signed = SIGNED[drawn]
        assert (magnitudes[~signed] >= 0).all()
        assert near((magnitudes[signed] < 0).float().mean().item(), 0.5, int(signed.sum()))
    assert not torch.equal(heard.rounds[0][0], heard.rounds[1][0])


def test_trivialaugment_draws_one_operation_and_any_magnitude(heard: Heard):
    follow(images(4000, 1, 4), AugmentConfig(policy="trivialaugment"), generator())
    ((drawn, magnitudes),) = heard.rounds
    check_operations(drawn, set(NAMES) - {"Invert"})
    turned = magnitudes[drawn == NAMES.index("Rotate")].abs()
    steps = (turned / 135 * 30).round()
    assert torch.allclose(turned, steps / 30 * 135)
    assert all(near((steps == step).float().mean().item(), 1 / 31, len(steps)) for step in range(31))


@pytest.mark.parametrize("found_on", AutoAugmentPolicy)
def test_autoaugment_draws_a_policy_and_its_operations_by_their_probabilities(
    found_on: AutoAugmentPolicy, heard: Heard
):
    count = 5000
    follow(images(count, 1, 4), AugmentConfig(policy=f"autoaugment_{found_on.value}"), generator())
    found = policies(found_on.value)
    for half, (drawn, _) in enumerate(heard.rounds):
        for name in set(found.operations[:, half].tolist()):
            expected = float(found.probabilities[:, half][found.operations[:, half] == name].sum() / 25)
            assert near((drawn == name).float().mean().item(), expected, count)
    assert len(heard.rounds) == 2


def test_augmix_draws_chains_of_one_to_three_operations(heard: Heard):
    count = 3000
    follow(images(count, 1, 4), AugmentConfig(policy="augmix", operations=2, magnitude=4), generator())
    assert len(heard.rounds) == 2 * 3
    for place, (drawn, magnitudes) in enumerate(heard.rounds):
        taken = drawn >= 0
        assert near(taken.float().mean().item(), 1 - place % 3 / 3, count)
        check_operations(drawn[taken], set(NAMES) - {"Invert", "Identity"})
        assert (magnitudes[taken].abs() <= table(MIXED, 4, 4)[drawn[taken], :4].amax(1)).all()


def test_augmix_of_chains_that_change_nothing_is_the_image(heard: Heard):
    batch = images()
    assert torch.equal(follow(batch, AugmentConfig(policy="augmix"), generator()), batch)
    assert heard.rounds


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_changes_images_and_draws_for_each_by_itself(name: str, channels: int):
    one = images(1, channels)
    batch = one.expand(64, -1, -1, -1)
    found = follow(batch, AugmentConfig(policy=name), generator())
    assert found.shape == batch.shape
    assert found.dtype == torch.uint8
    assert torch.equal(found, follow(batch, AugmentConfig(policy=name), generator()))
    assert len({image.numpy().tobytes() for image in found}) > 10
    assert torch.equal(batch, one.expand(64, -1, -1, -1))
