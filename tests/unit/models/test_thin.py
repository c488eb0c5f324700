"""Nets with very few channels are trained on the CPU."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from isoflop.config import ModelConfig
from isoflop.models import build, cost
from isoflop.models.net import LAYOUT

STEPS = """
import sys, torch
from isoflop.config import ModelConfig
from isoflop.models import build
from isoflop.models.net import LAYOUT
torch.set_num_threads(1)
model = ModelConfig(family="resnet", variant="34", depth=0.34, width=float(sys.argv[1]), divisor=1)
net = build(model, image=(1, 8, 8), classes=10, seed=0).to(memory_format=LAYOUT)
for _ in range(3):
    net(torch.rand(64, 1, 8, 8).contiguous(memory_format=LAYOUT)).square().sum().backward()
"""


@pytest.mark.parametrize("width", [0.05, 0.0625, 0.1])
def test_thin_nets_do_not_end_the_process(width: float):
    done = subprocess.run([sys.executable, "-c", STEPS, str(width)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_detour_changes_no_number():
    config = ModelConfig(family="resnet", variant="34", depth=0.34, width=0.0625, divisor=1)
    net = build(config, image=(1, 8, 8), classes=10, seed=0).eval()
    plain = build(config, image=(1, 8, 8), classes=10, seed=0).eval()
    hooked = [module for module in plain.modules() if module._forward_pre_hooks]
    assert len(hooked) == 1
    hooked[0]._forward_pre_hooks.clear()
    assert isinstance(hooked[0], torch.nn.Conv2d)
    hooked[0].stride = (2, 2)
    images = torch.rand(4, 1, 8, 8)
    torch.testing.assert_close(net.to(memory_format=LAYOUT)(images), plain(images))


def test_a_thin_net_is_counted_as_any_other():
    thin, plain = (ModelConfig(family="resnet", width=width, divisor=1) for width in (0.109375, 0.125))
    found, other = (cost(model, image=(1, 32, 32), classes=10) for model in (thin, plain))
    assert found.receptive_field == other.receptive_field
    assert found.flops == pytest.approx(other.flops * (7 / 8) ** 2, rel=0.02)


def test_other_nets_have_none():
    net = build(ModelConfig(family="resnet", width=0.125), image=(1, 8, 8), classes=10)
    assert not any(module._forward_pre_hooks for module in net.body.modules())
