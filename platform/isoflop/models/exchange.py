"""Exchanges building blocks of a body, found by what they are, for those that a configuration names.

It is done before the head is made. A row says which parts its family takes (`Family.parts`); what is of another kind
than theirs, such as strided convolutions where pooling is exchanged, stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import torch
from timm.layers import BatchNormAct2d
from timm.models._efficientnet_blocks import SqueezeExcite
from timm.models.resnet import BasicBlock, Bottleneck
from torch import Tensor, nn
from torch.func import functional_call
from torchvision.ops import SqueezeExcitation

from isoflop.config import ModelConfig
from isoflop.errors import Fault, SpecError
from isoflop.families import family
from isoflop.models.blocks.activation import KINDS, activation
from isoflop.models.blocks.attention import attention
from isoflop.models.blocks.convolution import convolution
from isoflop.models.blocks.downsampling import downsampling
from isoflop.models.blocks.initialization import initialize
from isoflop.models.blocks.normalization import normalization
from isoflop.models.blocks.pooling import pooling
from isoflop.models.net import Body, Staged

GATES = (SqueezeExcitation, SqueezeExcite)
"""Squeeze-and-excitation of the families' blocks."""


def exchange(body: Body, model: ModelConfig, images: tuple[int, int]) -> None:
    """Put the parts that a configuration names in place of the family's own, for images of (channels, side).

    Raises `SpecError` where a shape has nothing to exchange: maps that are too small to be halved have no pooling.
    """
    parts = family(model.family).parts
    for part, change in EXCHANGES.items():
        kind = model.knobs.get(part)
        if part in parts and kind != parts[part][0] and not change(Bench(body, images), str(kind)):
            what = f"{model.family} of this shape has nothing that could be exchanged for {kind!r}"
            raise SpecError(Fault(f"model.{part}", what, f"give {parts[part][0]!r}, or another shape"))


@dataclass(frozen=True)
class Bench:
    """A body whose parts are exchanged."""

    body: Body
    images: tuple[int, int]

    def put(self, make: Callable[[nn.Module], nn.Module | None], root: nn.Module | None = None) -> int:
        """Put what `make` gives for a module in its place, if it gives one; how many were."""
        found = [*(root or self.body).named_modules(remove_duplicate=False)]
        pairs = [(name, made) for name, old in found if name and (made := make(old)) is not None]
        for name, made in pairs:
            (root or self.body).set_submodule(name, made)
        return len(pairs)

    @cached_property
    def widths(self) -> Mapping[nn.Module, int]:
        """Channels of the map that each module gives, seen on the meta device: nothing is computed."""
        channels, side = self.images
        state = {**dict(self.body.named_parameters()), **dict(self.body.named_buffers())}
        meta = {name: tensor.to("meta") for name, tensor in state.items()}
        self.body.eval()
        with _widths(self.body) as found, torch.no_grad():
            functional_call(self.body, meta, (torch.empty(1, channels, side, side, device="meta"),))
        self.body.train()
        return found


@contextmanager
def _widths(body: Body) -> Iterator[dict[nn.Module, int]]:
    found: dict[nn.Module, int] = {}

    def keep(module: nn.Module, _: object, output: object) -> None:
        if isinstance(output, Tensor):
            found[module] = output.shape[1]

    hooks = [module.register_forward_hook(keep) for module in body.modules()]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _attend(bench: Bench, kind: str) -> int:
    """In place of squeeze-and-excitation, or in residual blocks before paths meet, or else where stages end.

    The first is where the families with gates have them, the second where Hu et al. 2018 put them (arXiv 1709.01507,
    figure 3), the third as Park et al. 2018 do (BAM, arXiv 1807.06514).
    """
    gates = bench.put(lambda old: attention(kind, bench.widths[old]) if isinstance(old, GATES) else None)
    blocks = [block for block in bench.body.modules() if isinstance(block, (BasicBlock, Bottleneck))]
    for block in blocks:
        block.se = attention(kind, bench.widths[block])
    if gates or blocks or not isinstance(bench.body, Staged):
        return gates + len(blocks)
    for place, stage in enumerate(bench.body.stages):
        bench.body.stages[place] = _ended(stage, attention(kind, bench.widths[stage]))
    return len(bench.body.stages)


def _ended(stage: nn.Module, end: nn.Module) -> nn.Module:
    """A stage with a module at its end, before the pooling if it has one there."""
    if not isinstance(stage, nn.Sequential):
        return nn.Sequential(stage, end)
    pooled = len(stage) > 0 and _halves(stage[-1])
    return stage.insert(len(stage) - int(pooled), end)


def _convolve(bench: Bench, kind: str) -> int:
    """3x3 convolutions of all channels at once."""

    def make(old: nn.Module) -> nn.Module | None:
        if not isinstance(old, nn.Conv2d) or (old.kernel_size, old.padding, old.groups) != ((3, 3), (1, 1), 1):
            return None
        new = convolution(kind, old.in_channels, old.out_channels, stride=old.stride[0], bias=old.bias is not None)
        return new.apply(bench.body.initialize)

    return bench.put(make)


def _normalize(bench: Bench, kind: str) -> int:
    """Batch norms; the new ones begin with their scales, which may be zero, and keep their activations."""

    def make(old: nn.Module) -> nn.Module | None:
        if not isinstance(old, nn.BatchNorm2d):
            return None
        new = normalization(kind, old.num_features)
        new.load_state_dict(dict(old.named_parameters(recurse=False)), strict=False)
        return nn.Sequential(new, old.act) if isinstance(old, BatchNormAct2d) else new

    return bench.put(make)


def _activate(bench: Bench, kind: str) -> int:
    """Every activation; gates keep their sigmoids."""

    def make(old: nn.Module) -> nn.Module | None:
        return activation(kind, inplace=getattr(old, "inplace", False)) if isinstance(old, KINDS) else None

    return bench.put(make)


def _shrink(bench: Bench, kind: str) -> int:
    """Pooling that halves maps, but for the stem's."""
    root = bench.body.stages if isinstance(bench.body, Staged) else bench.body
    return bench.put(lambda old: downsampling(kind, bench.widths[old]) if _halves(old) else None, root)


def _halves(module: nn.Module) -> bool:
    return isinstance(module, (nn.MaxPool2d, nn.AvgPool2d)) and module.stride in {2, (2, 2)}


def _pool(bench: Bench, kind: str) -> int:
    """What makes a vector of the last map."""
    assert isinstance(bench.body, Staged)
    bench.body.pool = pooling(kind, bench.body.channels)
    bench.body.channels *= bench.body.pool.factor
    return 1


def _initialize(bench: Bench, kind: str) -> int:
    """The weights of all convolutions and dense layers, those of exchanged parts included."""
    return sum(initialize(kind, module) for module in bench.body.modules())


Exchange: TypeAlias = Callable[[Bench, str], int]
"""Exchanges what there is of a part for that of a name; how many were."""

EXCHANGES: Mapping[str, Exchange] = {
    "convolution": _convolve,
    "attention": _attend,
    "norm": _normalize,
    "activation": _activate,
    "downsample": _shrink,
    "pool": _pool,
    "init": _initialize,
}
"""In this order: what attention brings is normalized and activated as the rest is."""
