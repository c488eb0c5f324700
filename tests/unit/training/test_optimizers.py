"""Every optimizer takes its reference's steps, learns, and goes on bit for bit; weight decay touches weights alone."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, get_args

import pytest
import torch
from timm.optim import create_optimizer_v2
from torch import nn, optim
from torch.optim import Optimizer

from isoflop.config import ModelConfig, OptimConfig
from isoflop.config.optim import Optimizer as Named
from isoflop.families import BUILT_IN
from isoflop.models import build
from isoflop.training.optimizers import build_optimizer, release, set_rate
from isoflop.training.optimizers.build import BUILDERS
from isoflop.training.optimizers.clip import clip
from isoflop.training.optimizers.groups import groups

NAMES = get_args(Named)
RATE, DECAY, MOMENTUM, BETA = 0.01, 0.3, 0.8, 0.95
BETAS = (MOMENTUM, BETA)
SMALL = {"depth": 0.1, "width": 0.1}


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.pos_embed = nn.Parameter(torch.zeros(1, 5, 4))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 4))
        self.relative_position_bias_table = nn.Parameter(torch.zeros(9, 4))
        self.dense = nn.Linear(4, 20)
        self.head = nn.Linear(20, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        vectors = self.norm(self.conv(x)).mean((2, 3)) + self.cls_token[0] + self.pos_embed[0, :1]
        logits: torch.Tensor = self.head(self.dense(vectors + self.relative_position_bias_table[:1]))
        return logits


DECAYED = {"conv.weight", "dense.weight", "head.weight"}
TOKENS = {"pos_embed", "cls_token", "relative_position_bias_table"}


def net(seed: int = 0) -> Net:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return Net()


def draw(module: nn.Module, step: int) -> None:
    """The gradient of a step."""
    generator = torch.Generator().manual_seed(step)
    for parameter in module.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator) * 0.1


def config(name: str, **settings: Any) -> OptimConfig:
    given = {"lr": RATE, "weight_decay": DECAY, "momentum": MOMENTUM, "beta2": BETA, **settings}
    return OptimConfig(name=name, **given)  # type: ignore[arg-type]


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def timm(name: str, module: nn.Module, **settings: Any) -> Optimizer:
    """As timm's own factory makes it, with its own rule for what decays."""
    found: Optimizer = create_optimizer_v2(module, opt=name, lr=RATE, weight_decay=DECAY, **settings)
    return found


def torchs(kind: Callable[..., Optimizer], module: nn.Module, **settings: Any) -> Optimizer:
    named = dict(module.named_parameters())
    parts = [
        {"params": [named[name] for name in named if (name in DECAYED) == decays], "weight_decay": DECAY * decays}
        for decays in (True, False)
    ]
    return kind(parts, lr=RATE, **settings)


REFERENCES: dict[str, Callable[[nn.Module], Optimizer]] = {
    "sgd": lambda m: torchs(optim.SGD, m, momentum=MOMENTUM, nesterov=True),
    "adam": lambda m: torchs(optim.Adam, m, betas=BETAS),
    "adamw": lambda m: torchs(optim.AdamW, m, betas=BETAS),
    "radam": lambda m: torchs(optim.RAdam, m, betas=BETAS, decoupled_weight_decay=True),
    "nadam": lambda m: torchs(optim.NAdam, m, betas=BETAS, decoupled_weight_decay=True),
    "rmsprop": lambda m: torchs(optim.RMSprop, m, alpha=BETA, momentum=MOMENTUM),
    "adafactor": lambda m: timm(
        "adafactorbv", m, momentum=MOMENTUM, momentum_dtype=torch.float32, beta2_cap=BETA, param_group_fn=undecayed
    ),
    "lion": lambda m: timm("lion", m, betas=BETAS, param_group_fn=undecayed),
    "lamb": lambda m: timm("lamb", m, betas=BETAS, param_group_fn=undecayed),
    "adopt": lambda m: timm("adoptw", m, betas=BETAS, param_group_fn=undecayed),
    "muon": lambda m: timm("nmuon", m, momentum=MOMENTUM, betas=BETAS, param_group_fn=partial(undecayed, adamw=True)),
}


def undecayed(module: nn.Module, *, adamw: bool = False) -> list[dict[str, Any]]:
    """Timm's groups by weight decay, tokens among those that do not, as its models say of theirs."""
    from timm.optim import param_groups_weight_decay

    fallback = (*TOKENS, "head.*") if adamw else ()
    found: list[dict[str, Any]] = param_groups_weight_decay(
        module, DECAY, no_weight_decay_list=TOKENS, fallback_list=fallback
    )
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_step_is_its_references(name: str):
    mine, other = net(), net()
    made, reference = build_optimizer(mine, config(name)), REFERENCES[name](other)
    for step in range(6):
        set_rate(made, RATE / (step + 1))
        for group in reference.param_groups:
            group["lr"] = RATE / (step + 1)
        for module, optimizer in ((mine, made), (other, reference)):
            draw(module, step)
            optimizer.step()
        assert torch.allclose(weights(mine), weights(other), rtol=1e-5, atol=1e-6)
    assert not torch.allclose(weights(mine), weights(net()), atol=1e-3)


def test_there_is_a_builder_and_a_reference_for_every_name():
    assert set(NAMES) == set(BUILDERS) == set(REFERENCES)


def test_looking_ahead_is_timms():
    from timm.optim import Lookahead

    mine, other = net(), net()
    made = build_optimizer(mine, config("adamw", lookahead=2))
    reference = Lookahead(REFERENCES["adamw"](other), alpha=0.5, k=2)
    for step in range(7):
        for module, optimizer in ((mine, made), (other, reference)):
            draw(module, step)
            optimizer.step()
    assert torch.allclose(weights(mine), weights(other), rtol=1e-5, atol=1e-6)
    plain = build_optimizer(alone := net(), config("adamw"))
    for step in range(7):
        draw(alone, step)
        plain.step()
    assert not torch.allclose(weights(mine), weights(alone), atol=1e-3)


@pytest.mark.parametrize("lookahead", [0, 2])
@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_learns_and_goes_on_bit_for_bit(name: str, lookahead: int):
    rates = {"sgd": 0.1, "rmsprop": 0.003, "lion": 0.003, "adafactor": 0.01}
    made = OptimConfig(name=name, lr=rates.get(name, 0.02), weight_decay=0.01, lookahead=lookahead)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    images, targets = torch.randn(32, 2, 5, 5, generator=generator), torch.arange(32) % 2
    images[targets == 1] += 0.5

    def learn(module: nn.Module, optimizer: Optimizer, steps: int) -> float:
        for _ in range(steps):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(module(images), targets)
            loss.backward()
            optimizer.step()
        return loss.item()

    whole = net()
    training = build_optimizer(whole, made)
    first = learn(whole, training, 1)
    learn(whole, training, 6)
    file = io.BytesIO()
    torch.save({"net": whole.state_dict(), "optimizer": training.state_dict()}, file)
    assert learn(whole, training, 40) < 0.7 * first
    file.seek(0)
    state = torch.load(file, weights_only=True)
    cut = net(1)
    rest = build_optimizer(cut, made)
    cut.load_state_dict(state["net"])
    rest.load_state_dict(state["optimizer"])
    learn(cut, rest, 40)
    assert torch.equal(weights(cut), weights(whole))


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.0}, {"lookahead": 1}], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_the_states_are_as_many_copies_of_the_weights_as_is_said(name: str, settings: dict[str, Any]):
    module = nn.Sequential(nn.Conv2d(16, 64, 3), nn.Linear(64, 128))
    made = config(name, **settings)
    training = build_optimizer(module, made)
    draw(module, 0)
    training.step()
    states = getattr(training, "_base_optimizer", training).state.values()
    kept = sum(value.numel() for state in states for value in state.values() if isinstance(value, torch.Tensor))
    copies = kept / sum(parameter.numel() for parameter in module.parameters())
    assert copies <= made.states + 0.01  # beside copies, some keep the number of their steps
    if name not in {"adafactor", "muon"}:  # which keep less of matrices
        assert copies >= made.states - 0.01
    release(training)
    assert not any(getattr(training, "_base_optimizer", training).state.values())


def test_norms_biases_and_tokens_do_not_decay():
    module = net()
    decayed, kept = groups(module, OptimConfig(weight_decay=0.1))
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    assert {names[id(p)] for p in decayed["params"]} == DECAYED
    assert decayed["weight_decay"] == 0.1
    assert kept["weight_decay"] == 0.0
    assert len(decayed["params"]) + len(kept["params"]) == len(names)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_without_gradient_shrinks_only_decayed_weights(name: str):
    module = net()
    before = {key: parameter.detach().clone() for key, parameter in module.named_parameters()}
    made = build_optimizer(module, config(name))
    for _ in range(2):  # the first step of some only looks
        for parameter in module.parameters():
            parameter.grad = torch.zeros_like(parameter)
        made.step()
    changed = {key for key, parameter in module.named_parameters() if not torch.equal(parameter, before[key])}
    assert changed == DECAYED


def test_muon_leaves_vectors_tokens_and_the_head_to_adamw():
    module = net()
    made = build_optimizer(module, config("muon"))
    draw(module, 0)
    made.step()
    turned = {name for name, parameter in module.named_parameters() if "momentum_buffer" in made.state[parameter]}
    assert turned == {"conv.weight", "dense.weight"}


def test_torchs_optimizers_leave_the_compiler_out():
    kinds = {name: type(build_optimizer(net(), OptimConfig(name=name))) for name in NAMES}
    own = [name for name, kind in kinds.items() if not kind.__module__.startswith("timm.")]
    assert own == ["sgd", "adam", "adamw", "radam", "nadam", "rmsprop"]
    code = f"""
import sys, torch
from isoflop.config import OptimConfig
from isoflop.training.optimizers import build_optimizer, set_rate
for name in {own}:
    net = torch.nn.Linear(2, 2)
    made = build_optimizer(net, OptimConfig(name=name))
    net(torch.ones(1, 2)).sum().backward()
    set_rate(made, 0.1)
    made.step()
    made.zero_grad()
    made.load_state_dict(made.state_dict())
print({{"torch._dynamo", "timm"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("family", [row.name for row in BUILT_IN])
def test_layers_learn_the_slower_the_deeper_they_lie_in_every_family(family: str):
    with torch.device("meta"):
        module = build(ModelConfig(family=family, depth=0.1, width=0.25), image=(3, 32, 32), classes=4)
    depths = module.depths()
    assert set(depths) == {name for name, _ in module.named_parameters()}
    units, top = module.body.units(), max(depths.values())
    assert units
    assert top == len(units) + 1
    assert {depths[name] for name in depths if name.startswith(("head.", "auxiliary."))} == {top}
    assert depths[next(name for name in depths if not name.startswith("body.auxiliary."))] <= 1
    places = {id(parameter): place for place, unit in enumerate(units, 1) for parameter in unit.parameters()}
    for name, parameter in module.named_parameters():
        assert depths[name] == places.get(id(parameter), depths[name])
    made = build_optimizer(module, config("sgd", layer_decay=0.5))
    set_rate(made, 1.0)
    rates = {id(parameter): group["lr"] for group in made.param_groups for parameter in group["params"]}
    for name, parameter in module.named_parameters():
        assert rates[id(parameter)] == 0.5 ** (top - depths[name])


def test_layer_wise_rates_are_timms():
    from timm.optim import param_groups_layer_decay

    module = build(ModelConfig(family="vit", depth=0.25, width=0.1), image=(3, 32, 32), classes=4)
    reference = param_groups_layer_decay(module.body.blocks, weight_decay=0.1, layer_decay=0.7)
    expected = {id(p): group["lr_scale"] for group in reference for p in group["params"]}
    made = groups(module, OptimConfig(layer_decay=0.7, weight_decay=0.1))
    found = {id(p): group["lr_scale"] for group in made for p in group["params"]}
    for name, parameter in module.body.blocks.named_parameters():
        # Without a head timm takes the last norm and the last block for the top.
        assert found[id(parameter)] == pytest.approx(expected[id(parameter)] * (1 if name.startswith("norm.") else 0.7))


def test_frozen_parameters_are_in_no_group():
    module = build(ModelConfig(family="resnet", depth=0.1, width=0.1), image=(1, 8, 8), classes=4)
    module.freeze()
    made = groups(module, OptimConfig(layer_decay=0.5))
    assert sum(len(group["params"]) for group in made) == len([*module.head.parameters()])
    assert {group["lr_scale"] for group in made} == {1.0}


def test_gradients_are_limited_by_norm_by_value_or_by_unit():
    from timm.utils import adaptive_clip_grad

    def limited(**settings: Any) -> dict[str, torch.Tensor]:
        module = net()
        draw(module, 0)
        clip(module, OptimConfig(**settings))
        return {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}

    free = limited()
    norm = torch.cat([g.flatten() for g in free.values()]).norm()
    assert all(torch.allclose(g * 0.01 / norm, limited(clip=0.01)[name]) for name, g in free.items())
    assert all(torch.equal(g.clamp(-0.05, 0.05), limited(clip=0.05, clip_by="value")[n]) for n, g in free.items())
    other = net()
    draw(other, 0)
    adaptive_clip_grad([p for name, p in other.named_parameters() if not name.startswith("head")], clip_factor=0.02)
    adaptive = limited(clip=0.02, clip_by="adaptive")
    for name, parameter in other.named_parameters():
        assert parameter.grad is not None
        assert torch.equal(adaptive[name], parameter.grad)
    assert torch.equal(adaptive["head.weight"], free["head.weight"])
    assert not torch.equal(adaptive["conv.weight"], free["conv.weight"])
