"""Stand-ins for operations that take torch long on the meta device, where many are written in Python.

Each gives a tensor of the right size and lets autograd keep what the operation itself would keep (torch's
derivatives.yaml), and costs about as much as making an empty tensor. All else is left to torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, broadcast_shapes
from torch.nn import functional, init
from torch.overrides import TorchFunctionMode

from isoflop.models.field import pair
from isoflop.models.net import LAYOUT

MAP = 4
"""Axes of a map: images, channels, height, width."""
FILLS = frozenset(
    {
        *(getattr(Tensor, f"{name}_") for name in ("normal", "uniform", "fill", "zero", "mul", "add", "clamp")),
        *(getattr(init, f"{name}_") for name in ("normal", "uniform", "constant", "kaiming_uniform")),
    }
)
"""What draws weights, and what trims what was drawn."""


class _Undrawn(TorchFunctionMode):
    """Leaves weights undrawn."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """What torch does, but for these."""
        kwargs = kwargs or {}
        if func in FILLS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


@contextmanager
def undrawn() -> Iterator[None]:
    """On the meta device, and no weight is drawn."""
    with torch.device("meta"), _Undrawn():
        yield


class _Made(torch.autograd.Function):
    """A tensor that autograd takes for made of others, of which it keeps the first few."""

    @staticmethod
    def forward(ctx: Any, empty: Callable[[], Tensor], kept: int, result: bool, *inputs: Tensor) -> Tensor:  # noqa: FBT001
        made = empty()
        ctx.save_for_backward(*inputs[:kept], *([made] if result else []))
        return made


def _made(
    inputs: Sequence[Tensor | None],
    *,
    shape: Sequence[int] = (),
    layout: torch.memory_format = torch.contiguous_format,
    kept: int = 0,
    result: bool = False,
) -> Tensor:
    """A tensor made of some others, of a shape, or of the first one's shape and layout.

    Autograd keeps the first `kept` of them, and the result where asked to.
    """
    given = [tensor for tensor in inputs if tensor is not None]
    like = {"device": given[0].device, "dtype": given[0].dtype, "memory_format": layout}
    empty = partial(torch.empty, shape, **like) if shape else partial(torch.empty_like, given[0])
    made: Tensor = _Made.apply(empty, kept, result, *given)
    return made


def _keeps_input(x: Tensor, *_: Any, **__: Any) -> Tensor:
    return _made([x], kept=1)


def _keeps_result(x: Tensor, *_: Any, **__: Any) -> Tensor:
    return _made([x], result=True)


def _bounded(x: Tensor, *_: Any, inplace: bool = False, **__: Any) -> Tensor:
    """An activation whose derivative follows from its input, and from its result when that took the input's place."""
    return _made([x], kept=0 if inplace else 1, result=inplace)


def _convolved(  # noqa: PLR0917
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """As wide as its windows fit, in the layout that convolutions are fastest in."""
    if x.ndim != MAP or isinstance(padding, str):
        return torch.conv2d(x, weight, bias, stride, padding, dilation, groups)
    sides = [
        (side + 2 * pad - dilated * (kernel - 1) - 1) // step + 1
        for side, kernel, step, pad, dilated in zip(
            x.shape[2:], weight.shape[2:], *map(pair, (stride, padding, dilation)), strict=True
        )
    ]
    if min(sides) < 1 or x.shape[1] != weight.shape[1] * groups:
        return torch.conv2d(x, weight, bias, stride, padding, dilation, groups)  # which says what is wrong
    shape = (x.shape[0], weight.shape[0], *sides)
    return _made([x, weight, bias], shape=shape, kept=2, layout=LAYOUT)


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return _made([x, weight, bias], shape=(*x.shape[:-1], weight.shape[0]), kept=2)


def _prelu(x: Tensor, weight: Tensor) -> Tensor:
    return _made([x, weight], kept=2)


def _dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:  # noqa: FBT001, FBT002
    """Keeps what it multiplied by."""
    del inplace
    return _made([x], result=True) if p and training else x


def _pooled(x: Tensor, output_size: Any) -> Tensor:
    """A mean over the whole map keeps nothing."""
    sides = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    sizes = [have if want is None else int(want) for have, want in zip(x.shape[-2:], sides, strict=True)]
    return _made([x], shape=(*x.shape[:-2], *sizes), kept=0 if sizes == [1, 1] else 1)


def _grown(x: Tensor, other: Any, **scale: Any) -> Tensor:
    """Adding in place, of a number too, as batch norms count their batches."""
    del scale
    return _made([x, other]) if isinstance(other, Tensor) and x.is_floating_point() else x


def _added(x: Any, other: Any, **scale: Any) -> Any:
    if scale or not _alike(x, other):
        return torch.add(x, other, **scale)
    return _made([x, other])


def _multiplied(x: Any, other: Any) -> Any:
    if not isinstance(x, Tensor) or not isinstance(other, Tensor):
        return torch.mul(x, other)
    shape = broadcast_shapes(x.shape, other.shape)  # type: ignore[no-untyped-call]
    return _made([x, other], shape=shape, kept=2)


def _attended(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **settings: Any) -> Tensor:
    """Fused kernels keep their inputs and their result; those that learn a mask do not fuse on every device."""
    if attn_mask is not None and attn_mask.requires_grad:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask, **settings)
    *batch, heads, tokens, _ = query.shape
    made = _made([query, key, value], shape=(*batch, tokens, heads, value.shape[-1]), kept=3, result=True)
    return made.transpose(-2, -3)  # so that the heads lie side by side


def _alike(x: Any, other: Any) -> bool:
    both = isinstance(x, Tensor) and isinstance(other, Tensor)
    return both and x.shape == other.shape and x.dtype == other.dtype


STANDINS: Mapping[Any, Callable[..., Any]] = {
    torch.conv2d: _convolved,
    functional.conv2d: _convolved,
    functional.relu: _keeps_result,
    torch.relu: _keeps_result,
    Tensor.relu: _keeps_result,
    torch.tanh: _keeps_result,
    Tensor.tanh: _keeps_result,
    torch.sigmoid: _keeps_result,
    Tensor.sigmoid: _keeps_result,
    functional.relu6: _keeps_input,
    functional.hardtanh: _keeps_input,
    functional.leaky_relu: _bounded,
    functional.elu: _bounded,
    functional.gelu: _keeps_input,
    functional.silu: _keeps_input,
    functional.mish: _keeps_input,
    functional.hardswish: _keeps_input,
    functional.hardsigmoid: _keeps_input,
    functional.prelu: _prelu,
    torch.prelu: _prelu,
    functional.batch_norm: _keeps_input,
    functional.layer_norm: _keeps_input,
    functional.group_norm: _keeps_input,
    functional.instance_norm: _keeps_input,
    functional.linear: _linear,
    functional.dropout: _dropout,
    functional.adaptive_avg_pool2d: _pooled,
    functional.scaled_dot_product_attention: _attended,
    torch.add: _added,
    Tensor.add: _added,
    Tensor.add_: _grown,
    Tensor.__add__: _added,
    Tensor.__iadd__: _grown,
    torch.mul: _multiplied,
    Tensor.mul: _multiplied,
    Tensor.mul_: _multiplied,
    Tensor.__mul__: _multiplied,
    Tensor.__imul__: _multiplied,
}
