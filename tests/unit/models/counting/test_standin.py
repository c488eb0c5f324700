"""Stand-ins against the operations that they stand for: their result's shape, and what autograd keeps."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from isoflop.models.counting import Tally
from isoflop.models.counting.standin import STANDINS
from isoflop.models.field import Fields

IMAGES, CHANNELS, SIDE = 2, 16, 12
SMALL = 8192
"""Bytes below which what is kept does not count: means and spreads of norms, sums of attention."""


def attended(x: Tensor) -> Tensor:
    heads = x.flatten(2).transpose(1, 2).unflatten(2, (4, -1)).transpose(1, 2)
    return functional.scaled_dot_product_attention(heads, heads, heads).transpose(1, 2).flatten(2)


LAYERS: dict[str, Callable[[], Callable[[Tensor], Tensor]]] = {
    "conv": lambda: nn.Conv2d(CHANNELS, 24, 3, 2, padding=1),
    "wide conv": lambda: nn.Conv2d(CHANNELS, 24, (1, 7), padding=(0, 3)),
    "dilated grouped conv": lambda: nn.Conv2d(CHANNELS, 24, 3, dilation=2, groups=4),
    "same conv": lambda: nn.Conv2d(CHANNELS, 24, 5, padding="same"),
    "linear": lambda: nn.Linear(SIDE, 7),
    "batch norm": lambda: nn.BatchNorm2d(CHANNELS),
    "layer norm": lambda: nn.LayerNorm(SIDE),
    "group norm": lambda: nn.GroupNorm(4, CHANNELS),
    "instance norm": lambda: nn.InstanceNorm2d(CHANNELS),
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "prelu": nn.PReLU,
    "gelu": nn.GELU,
    **{
        f"{kind.__name__}{' in place' * inplace}": lambda kind=kind, inplace=inplace: kind(inplace=inplace)
        for kind in (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Hardsigmoid)
        for inplace in (False, True)
    },
    "dropout": lambda: nn.Dropout(0.1),
    "no dropout": lambda: nn.Dropout(0.0),
    "mean of a map": lambda: nn.AdaptiveAvgPool2d(1),
    "adaptive pool": lambda: nn.AdaptiveAvgPool2d((5, None)),
    "sum": lambda: lambda x: x + x.flip(1),
    "sum with a vector": lambda: lambda x: x + x[0, 0],
    "sum with a number": lambda: lambda x: x + 1,
    "product": lambda: lambda x: x * x.flip(1),
    "product with a gate": lambda: lambda x: x * x[:, :, :1, :1],
    "product with a number": lambda: lambda x: 2 * x,
    "attention": lambda: attended,
}


def kept(layer: Callable[[Tensor], Tensor], x: Tensor) -> tuple[tuple[int, ...], int]:
    """The shape of what comes out, and the bytes that autograd keeps, of storages that do not belong to the layer."""
    module = layer if isinstance(layer, nn.Module) else nn.Identity()
    own = {id(tensor.untyped_storage()) for tensor in (*module.parameters(), *module.buffers())}
    found: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if id(tensor.untyped_storage()) not in own:
            found[id(tensor.untyped_storage())] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        made = layer(x)
    sizes = [tensor.untyped_storage().nbytes() for tensor in found.values()]
    return tuple(made.shape), sum(size for size in sizes if size >= SMALL)


def noted(layer: Callable[[Tensor], Tensor], x: Tensor) -> tuple[tuple[int, ...], int]:
    """The same by a tally."""
    tally = Tally(layer if isinstance(layer, nn.Module) else nn.Identity(), Fields(x))
    with tally.watching():
        made = layer(x)
    sizes = {key: size for operation in tally.operations for key, size in operation.kept.items()}
    return tuple(made.shape), sum(size for size in sizes.values() if size >= SMALL)


@pytest.mark.parametrize("name", LAYERS)
def test_a_stand_in_gives_the_shape_and_keeps_what_the_operation_keeps(name: str):
    torch.manual_seed(0)
    layer = LAYERS[name]()
    real = torch.randn(IMAGES, CHANNELS, SIDE, SIDE, requires_grad=True).contiguous(memory_format=torch.channels_last)
    expected = kept(layer, real * 1)
    if isinstance(layer, nn.Module):
        layer.to("meta")
    counted = torch.empty_like(real, device="meta", requires_grad=True)
    assert noted(layer, counted * 1) == expected


def test_every_stand_in_is_a_function_of_torch():
    assert all(callable(func) for func in STANDINS)


def test_what_does_not_fit_is_left_to_torch_to_refuse():
    layer, x = nn.Conv2d(3, 4, 9, device="meta"), torch.empty(1, 3, 8, 8, device="meta")
    with (
        pytest.raises(RuntimeError, match="Kernel size can't be greater than actual input size"),
        Tally(layer, Fields(x)),
    ):
        layer(x)
