"""Attacks stay inside their bound and raise the loss; training withstands them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from isoflop.config import AdversaryConfig, LossConfig, TrialConfig
from isoflop.length import Length
from isoflop.training.adversary import Adversarial, Attack, Pixels, whole
from isoflop.training.objective import Supervised
from isoflop.training.task import Classification

MEAN, STD = [0.4, 0.6], [0.2, 0.3]
PIXELS = Pixels(MEAN, STD, torch.device("cpu"))
TEACHER = "resnet-run-01234567"
PLAIN = Supervised(Classification(LossConfig()))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 8, side: int = 6) -> tuple[Tensor, Tensor]:
    """Normalized images of random pixels, and their labels."""
    pixels = torch.rand(count, 2, side, side, generator=generator())
    return (pixels - PIXELS.mean) / PIXELS.std, torch.arange(count) % 3


def net(**more: float) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drop = nn.Dropout(more.get("dropout", 0.0))
        return nn.Sequential(nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), drop, nn.Flatten(), nn.Linear(128, 3))


def pixels_of(normalized: Tensor) -> Tensor:
    return normalized * PIXELS.std + PIXELS.mean


def test_a_step_of_fgsm_against_a_linear_net_is_the_closed_form():
    linear = nn.Linear(2 * 36, 2, bias=False).requires_grad_(False)
    flat = nn.Sequential(nn.Flatten(), linear)
    clean, _ = images()
    clean = clean.clamp(PIXELS.low + PIXELS.length(0.1), PIXELS.high - PIXELS.length(0.1))  # away from black and white
    labels = torch.arange(8) % 2
    attack = Attack(AdversaryConfig(name="fgsm", epsilon=0.05, random_start=False), PIXELS)
    moved = attack(whole(PLAIN, flat, labels), clean)
    # Of two classes the log-loss falls along w_label - w_other: Goodfellow et al. 2015, section 3.
    away = (linear.weight[1 - labels] - linear.weight[labels]).reshape(clean.shape)
    torch.testing.assert_close(pixels_of(moved) - pixels_of(clean), 0.05 * away.sign(), rtol=1e-4, atol=1e-5)
    margin = (linear.weight[0] - linear.weight[1]).reshape(2, 6, 6).abs() / PIXELS.std[0]
    before, after = (
        flat(x).gather(1, labels[:, None]) - flat(x).gather(1, 1 - labels[:, None]) for x in (clean, moved)
    )
    torch.testing.assert_close(before - after, (0.05 * margin).sum().expand(8, 1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["fgsm", "pgd"])
@pytest.mark.parametrize("random", [True, False])
@pytest.mark.parametrize("epsilon", [0.01, 0.3])
def test_attacked_images_stay_in_the_bound_and_the_loss_rises(name: str, random: bool, epsilon: float):
    model, (clean, labels) = net().eval(), images()
    attack = Attack(AdversaryConfig(name=name, epsilon=epsilon, random_start=random), PIXELS)
    moved = attack(whole(PLAIN, model, labels), clean, generator(1))
    found = pixels_of(moved)
    assert (found - pixels_of(clean)).abs().max() <= epsilon + 1e-5
    assert found.min() >= -1e-5
    assert found.max() <= 1 + 1e-5
    assert not moved.requires_grad
    assert cross_entropy(model(moved), labels) > cross_entropy(model(clean), labels)


def test_more_steps_find_worse_images():
    model, (clean, labels) = net().eval(), images()
    losses = []
    for config in (AdversaryConfig(name="fgsm", epsilon=0.1), AdversaryConfig(name="pgd", epsilon=0.1, steps=20)):
        moved = Attack(config, PIXELS)(whole(PLAIN, model, labels), clean, generator(1))
        losses.append(cross_entropy(model(moved), labels).item())
    assert losses[1] > losses[0]


def test_a_random_start_is_drawn_evenly_within_the_bound():
    clean = torch.zeros(64, 2, 16, 16)
    attack = Attack(AdversaryConfig(name="fgsm", epsilon=0.1, step_size=1e-9), PIXELS)
    moved = (pixels_of(attack(lambda x: (x * 0).sum(), clean, generator())) - pixels_of(clean)) / 0.1
    count = moved.numel()
    assert moved.abs().max() <= 1 + 1e-5
    assert abs(moved.mean().item()) < 5 / math.sqrt(3 * count)
    assert abs(moved.square().mean().item() - 1 / 3) < 5 * math.sqrt(4 / 45 / count)


def test_the_step_is_the_inner_objectives_on_attacked_images_and_the_attack_leaves_no_trace():
    model, (clean, labels) = net(dropout=0.5).train(), images()
    config = AdversaryConfig(name="pgd", epsilon=0.1, steps=3)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    seen: list[Tensor] = []

    def inner(net: nn.Module, x: Tensor, targets: Tensor) -> Tensor:
        assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
        assert net.training
        assert torch.equal(targets, labels)
        assert all(parameter.grad is None for parameter in net.parameters())
        seen.append(x)
        return PLAIN(net, x, targets)

    objective = Adversarial(inner, Attack(config, PIXELS), against=PLAIN, share=0.3)
    torch.manual_seed(5)
    loss = objective(model, clean, labels)
    loss.backward()
    changed = [not torch.equal(a, b) for a, b in zip(seen[0], clean, strict=True)]
    assert changed == [True] * 3 + [False] * 5  # 0.3 of 8, rounded up
    torch.manual_seed(5)
    again = Adversarial(lambda _, x, t: x, Attack(config, PIXELS), against=PLAIN, share=0.3)  # type: ignore[arg-type,return-value]
    model.load_state_dict(before)
    assert torch.equal(again(model, clean, labels), seen[0])


class Flops(TorchDispatchMode):
    """Counts by torch's own formulas."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        self.count += formula(*args, **(kwargs or {}), out_val=out) if formula else 0
        return out


def test_the_gradient_by_the_image_costs_two_forward_passes():
    """Torch's own count: of a net of equal layers it is 2 of 3, for weights get no gradient."""
    model = nn.Sequential(nn.Flatten(), *(nn.Linear(72, 72, bias=False) for _ in range(6)))
    clean, labels = images()
    with Flops() as forward:
        model(clean)
    config = AdversaryConfig(name="pgd", steps=3)
    with Flops() as attack:
        Attack(config, PIXELS)(whole(PLAIN, model, labels), clean)
    assert attack.count == config.passes * forward.count > 0


def test_steps_count_attacks_and_a_teacher():
    params = {"model.family": "lenet", "data.name": "x", "train.batch_size": 10, "train.axis": "flops"}
    more = {"adversary.name": "pgd", "adversary.steps": 5, "adversary.share": 0.5, "distill.teacher": TEACHER}
    plain, both = ({**params, "train.horizon": 1e6, "train.reports": 1, **extra} for extra in ({}, more))
    spent = [
        Length.of_trial(
            TrialConfig.from_params(one), images=1000, flops=100, flops_at=lambda _: 100, teachers={TEACHER: 700.0}
        )
        for one in (plain, both)
    ]
    assert [length.spent(1) for length in spent] == [10 * 300, 10 * (300 + 2 * 5 * 0.5 * 100 + 700)]
    assert [length.steps for length in spent] == [1e6 // length.spent(1) for length in spent]


@pytest.mark.parametrize(
    ("config", "stride"),
    [
        ({"name": "fgsm"}, 0.125),
        ({"name": "fgsm", "random_start": False}, 0.1),
        ({"name": "pgd", "steps": 10}, 0.025),
        ({"name": "pgd", "step_size": 0.07}, 0.07),
    ],
)
def test_a_step_size_that_is_not_given_follows_from_the_bound(config: dict[str, object], stride: float):
    assert AdversaryConfig.model_validate({"epsilon": 0.1, **config}).stride == pytest.approx(stride)
