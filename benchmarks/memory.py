"""Estimated training memory against the peak of the allocator, for pairs of a family and a shape.

A second step of AdamW, one of SGD, and one of SGD that computes blocks again for its backward pass, on the CPU by what
torch's profiler sees of its allocator, or with `--device cuda` by CUDA's own peak. The first step makes the optimizer's
states. Exit code 1 where an estimate is more than 15 % off.

Time: about a minute.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer
from torch.profiler import ProfilerActivity, profile

from benchmarks.report import table
from isoflop.config import ModelConfig, OptimConfig
from isoflop.models import build, cost
from isoflop.models.net import LAYOUT
from isoflop.training.optimizers import build_optimizer
from isoflop.training.recompute import recompute

LIMIT = 0.15
CLASSES = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A family and a shape, trained on so many images at once."""

    family: str
    settings: dict[str, Any]
    side: int
    batch: int
    again: bool = False
    """Whether blocks are computed again for the backward pass."""

    @property
    def model(self) -> ModelConfig:
        """As a configuration."""
        return ModelConfig(family=self.family, **self.settings)

    @property
    def image(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return 3, self.side, self.side

    def __str__(self) -> str:
        """In a line."""
        settings = " ".join(f"{key}={value}" for key, value in self.settings.items())
        again = ", blocks again" if self.again else ""
        return f"{self.family} {settings} at {self.side} pixels, batch {self.batch}{again}"


PAIRS = (
    Pair(family="lenet", settings={"width": 2.0}, side=32, batch=128),
    Pair(family="basic_cnn", settings={}, side=32, batch=64),
    Pair(family="vgg", settings={"width": 0.5, "variant": "11"}, side=32, batch=16),
    Pair(family="resnet", settings={"width": 0.25}, side=32, batch=64),
    Pair(family="resnet", settings={"stem": 4, "variant": "50"}, side=96, batch=8),
    Pair(family="densenet", settings={"width": 0.5, "depth": 0.25}, side=32, batch=16),
    Pair(family="mobilenet_v2", settings={"width": 0.5}, side=32, batch=32),
    Pair(family="shufflenet", settings={}, side=32, batch=32),
    Pair(family="efficientnet", settings={"stem": 2}, side=96, batch=8),
    Pair(family="regnet", settings={"stem": 2}, side=96, batch=16),
    Pair(family="convnext", settings={"width": 0.25, "depth": 0.5}, side=32, batch=16),
    Pair(family="vit", settings={"stem": 4}, side=32, batch=64),
    Pair(family="vit", settings={"stem": 16, "variant": "s"}, side=224, batch=4),
    Pair(family="alexnet", settings={"stem": 4}, side=224, batch=16),
    Pair(family="googlenet", settings={}, side=32, batch=8),
    Pair(family="inception_resnet", settings={"stem": 2, "depth": 0.25}, side=64, batch=4),
    Pair(family="shake_shake", settings={}, side=32, batch=16),
    Pair(family="squeezenet", settings={"stem": 2}, side=64, batch=16),
    Pair(family="xception", settings={"depth": 0.5}, side=32, batch=4),
    Pair(family="mobilenet_v3", settings={"stem": 2}, side=96, batch=8),
    Pair(family="ghostnet", settings={"stem": 2}, side=96, batch=8),
    Pair(family="swin", settings={"depth": 0.5}, side=64, batch=8),
    Pair(family="pvt", settings={}, side=64, batch=8),
    Pair(family="coatnet", settings={"stem": 2, "depth": 0.5}, side=64, batch=8),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A pair's peak in bytes, and what was expected."""

    pair: str
    optimizer: str
    expected: int
    peak: int

    @property
    def ratio(self) -> float:
        """Of what was expected to the peak."""
        return self.expected / self.peak


def measure(pair: Pair, optimizer: str, device: torch.device) -> Found:
    """Train two steps; the peak of the second."""
    config = OptimConfig(name="adamw" if optimizer == "adamw" else "sgd")
    net = build(pair.model, image=pair.image, classes=CLASSES, seed=0).to(device).to(memory_format=LAYOUT).train()
    if pair.again:
        recompute(net.body.units())
    training = build_optimizer(net, config)
    images = torch.randn(pair.batch, *pair.image, device=device).contiguous(memory_format=LAYOUT)
    targets = torch.zeros(pair.batch, dtype=torch.long, device=device)
    _step(net, training, images, targets)
    training.zero_grad(set_to_none=True)
    peak = _cuda if device.type == "cuda" else _cpu
    counted = cost(
        pair.model, image=pair.image, classes=CLASSES, batch=pair.batch, states=config.states, recompute=pair.again
    )
    found = peak(net, training, images, targets)
    return Found(pair=str(pair), optimizer=optimizer, expected=counted.memory, peak=found)


def _step(net: nn.Module, optimizer: Optimizer, images: torch.Tensor, targets: torch.Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    answers = net(images)  # several of a net with auxiliary heads
    heads = [(1.0, answers)] if isinstance(answers, torch.Tensor) else answers
    loss = torch.stack([weight * cross_entropy(logits, targets) for weight, logits in heads]).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _cuda(net: nn.Module, optimizer: Optimizer, images: torch.Tensor, targets: torch.Tensor) -> int:
    torch.cuda.reset_peak_memory_stats()
    _step(net, optimizer, images, targets)
    return torch.cuda.max_memory_allocated()


def _cpu(net: nn.Module, optimizer: Optimizer, images: torch.Tensor, targets: torch.Tensor) -> int:
    held = sum({id(t.untyped_storage()): t.untyped_storage().nbytes() for t in _held(net, optimizer, images)}.values())
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        _step(net, optimizer, images, targets)
    events = sorted(seen.profiler.kineto_results.events(), key=lambda event: event.start_ns())
    sizes: list[int] = [event.nbytes() for event in events if event.name() == "[memory]"]
    return held + max(accumulate(sizes))


def _held(net: nn.Module, optimizer: Optimizer, images: torch.Tensor) -> Iterator[torch.Tensor]:
    """What lives from step to step."""
    yield from net.parameters()
    yield from net.buffers()
    yield images
    for state in optimizer.state.values():
        yield from (value for value in state.values() if isinstance(value, torch.Tensor))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quick", action="store_true", help="the first four pairs")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device, pairs = torch.device(options.device), PAIRS[:4] if options.quick else PAIRS
    found = [measure(pair, optimizer, device) for pair in pairs for optimizer in ("adamw", "sgd")]
    found += [measure(replace(pair, again=True), "sgd", device) for pair in pairs]
    if options.json:
        print(json.dumps([asdict(row) | {"ratio": row.ratio} for row in found]))
    else:
        rows = [
            (row.pair, row.optimizer, f"{row.expected / 2**20:.1f}", f"{row.peak / 2**20:.1f}", f"{row.ratio:.3f}")
            for row in found
        ]
        print(table(("family and shape", "optimizer", "expected MiB", "peak MiB", "ratio"), rows))
    sys.exit(any(abs(row.ratio - 1) > LIMIT for row in found))


if __name__ == "__main__":
    main()
