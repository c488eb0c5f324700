"""Images a second with augmentation and with one constant batch, and the share of the device's peak that is used."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.device.setting import Setting
from isoflop.config import AugmentConfig
from isoflop.models import Net
from isoflop.training.fit import Fit
from isoflop.training.objective import Objective
from isoflop.training.split import Split


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One net in one variant."""

    net: str
    variant: str
    images_per_second: float
    constant: float
    """The same, each step fed with one and the same batch."""
    flops_per_second: float
    """Training FLOPs, counted, with augmentation."""
    share_of_peak: float
    """Of the fastest product of matrices in the variant's numbers, measured here."""

    @property
    def ratio_to_constant_batch(self) -> float:
        """What augmentation leaves."""
        return self.images_per_second / self.constant


class Constant:
    """A split that gives one batch again and again."""

    def __init__(self, split: Split, *, size: int) -> None:
        self._split = split
        self._pieces = list(split.pieces(0, size=size, piece=size, seed=0, config=AugmentConfig()))

    def pieces(
        self, step: int, *, size: int, piece: int, seed: int, config: AugmentConfig
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The batch, whatever the step."""
        del step, size, piece, seed, config
        return iter(self._pieces)

    def all(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Every image once."""
        return self._split.all(size)


class Half:
    """An objective whose net computes in bfloat16 where that is safe, as torch's autocast decides."""

    def __init__(self, plain: Objective, net: Net) -> None:
        del net
        self._plain = plain

    def __call__(self, net: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """The mean loss."""
        with torch.autocast(images.device.type, torch.bfloat16):
            return self._plain(net, images, targets)


class Contiguous:
    """An objective whose net sees images and weights in torch's first layout, channels before places."""

    def __init__(self, plain: Objective, net: Net) -> None:
        self._plain = plain
        net.to(memory_format=torch.contiguous_format)

    def __call__(self, net: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """The mean loss."""
        return self._plain(net, images.contiguous(), targets)


class Compiled:
    """An objective whose net torch's compiler has made a program of, in bfloat16."""

    def __init__(self, plain: Objective, net: Net) -> None:
        self._plain, self._net = Half(plain, net), torch.compile(net)

    def __call__(self, net: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """The mean loss."""
        del net
        return self._plain(self._net, images, targets)  # type: ignore[arg-type]


VARIANTS: Mapping[str, Callable[[Objective, Net], Objective] | None] = {
    "float32": None,
    "float32, contiguous": Contiguous,
    "bf16": Half,
    "bf16, compiled": Compiled,
}
SLOW = ("bf16", "bf16, compiled")
"""What only a GPU is measured with: the CPU's bfloat16 and the compiler take too long."""
SIZES = {"cuda": 8192, "cpu": 1024}
"""Sides of the matrices whose product gives the peak."""


def rows(setting: Setting, peaks: Mapping[str, float]) -> Iterator[Row]:
    """Every net in every variant."""
    for net in setting.nets:
        for variant, changed in VARIANTS.items():
            if setting.device.type == "cuda" or variant not in SLOW:
                yield _row(setting, net, variant, changed, peaks["bf16" if variant in SLOW else "float32"])


def peaks(device: torch.device) -> dict[str, float]:
    """FLOPs a second of a large product of matrices; on a GPU float32 means TF32, in which convolutions are done."""
    kinds = {"float32": torch.float32} | ({"bf16": torch.bfloat16} if device.type == "cuda" else {})
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        return {name: _peak(device, kind) for name, kind in kinds.items()}
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _row(
    setting: Setting, net: str, variant: str, changed: Callable[[Objective, Net], Objective] | None, peak: float
) -> Row:
    config = setting.config(net)
    augmented, constant = (setting.fit(config, 0, changed=changed) for _ in range(2))
    constant.train = Constant(constant.train, size=config.train.batch_size)
    times: dict[str, list[float]] = {"augmented": [], "constant": []}
    for fit in (augmented, constant):
        fit.advance(fit.step + 3)
    for _ in range(setting.rounds):
        times["augmented"].append(_seconds(augmented, setting.steps))
        times["constant"].append(_seconds(constant, setting.steps))
    images = setting.steps * augmented.length.batch
    took = statistics.median(times["augmented"])
    speed = augmented.length.spent(setting.steps) / took
    return Row(
        net=net,
        variant=variant,
        images_per_second=images / took,
        constant=images / statistics.median(times["constant"]),
        flops_per_second=speed,
        share_of_peak=speed / peak,
    )


def _seconds(fit: Fit, steps: int) -> float:
    began = time.perf_counter()
    fit.advance(fit.step + steps)
    return time.perf_counter() - began


def _peak(device: torch.device, kind: torch.dtype) -> float:
    side = SIZES[device.type]
    one, other = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    best = 0.0
    for _ in range(10):
        _wait(device)
        began = time.perf_counter()
        torch.mm(one, other)
        _wait(device)
        best = max(best, 2 * side**3 / (time.perf_counter() - began))
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
