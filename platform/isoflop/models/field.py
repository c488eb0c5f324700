"""Which pixels a value sees: receptive fields, followed through every operation of a net.

Place i of a map sees, along each axis, the pixels from `first + i * jump` to `last + i * jump`. A window of kernel k,
stride s, padding p and dilation d moves these by -p * jump and ((k - 1) * d - p) * jump and multiplies the jump by s;
where paths meet, the field is what any of them sees. These are the intervals of Araujo et al. 2019, Computing receptive
fields of convolutional neural networks (distill.pub/2019/computing-receptive-fields, section "Derivation"): paths whose
windows are not centred alike meet rightly.

Attention over places, and a mean or a dense layer over a whole map, see everything; attention within windows is taken
for attention over all, an upper bound. A gate (one number a channel that multiplies a map) brings global context, which
is told apart: squeeze-and-excitation leaves the window as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

Pair: TypeAlias = tuple[int, int]
Named: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Axis:
    """What place 0 of a map sees along one axis, and how far on the next place's window is."""

    first: int = 0
    last: int = 0
    jump: int = 1

    @property
    def seen(self) -> int:
        """Pixels."""
        return self.last - self.first + 1

    def slid(self, kernel: int, stride: int, padding: int, dilation: int) -> Axis:
        """After a window slid over it."""
        first = self.first - padding * self.jump
        last = self.last + ((kernel - 1) * dilation - padding) * self.jump
        return Axis(first, last, self.jump * stride)

    def joined(self, other: Axis) -> Axis:
        """What either sees."""
        return Axis(min(self.first, other.first), max(self.last, other.last), max(self.jump, other.jump))


@dataclass(frozen=True, slots=True)
class Field:
    """What one place of a map sees."""

    height: Axis = Axis()
    width: Axis = Axis()
    context: bool = False
    """Whether it depends on the whole image in some way: it sees all of it, or a gate does."""
    everything: bool = False
    """Whether it sees the whole image."""
    pooled: bool = False
    """Whether it was pooled to a fixed number of places, as heads do."""

    @property
    def side(self) -> int:
        """Pixels of its longer side, as if the image had no end."""
        return max(self.height.seen, self.width.seen)

    def slid(self, window: Window) -> Field:
        """After a window slid over it."""
        axes = (
            axis.slid(*sizes)
            for axis, *sizes in zip(
                (self.height, self.width), window.kernel, window.stride, window.padding, window.dilation, strict=True
            )
        )
        height, width = axes
        return replace(self, height=height, width=width)

    def joined(self, other: Field) -> Field:
        """What either sees."""
        return Field(
            self.height.joined(other.height),
            self.width.joined(other.width),
            self.context or other.context,
            self.everything or other.everything,
            self.pooled or other.pooled,
        )


@dataclass(frozen=True, slots=True)
class Window:
    """What slides over a map, by height and width."""

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)


class Fields:
    """The fields of all that is made from some images (N, C, H, W)."""

    def __init__(self, images: Tensor) -> None:
        self._known: dict[int, tuple[Tensor, Field]] = {id(images): (images, Field())}
        self.pooled: Field | None = None
        """The field of the map that was made one vector last: for a classifier, of the last map of its body."""

    def of(self, tensor: Tensor) -> Field | None:
        """A tensor's field, none where it does not depend on the images."""
        found = self._known.get(id(tensor))
        return found[1] if found else None

    def note(
        self, func: Any, inputs: Iterable[Tensor], outputs: Iterable[Tensor], args: tuple[Any, ...], kwargs: Named
    ) -> None:
        """That a function of torch made some tensors of others, called with these arguments."""
        seen = [tensor for tensor in inputs if id(tensor) in self._known]
        if seen:
            for output in outputs:
                self._known[id(output)] = output, self._field(func, seen, output, args, kwargs)

    def _field(
        self, func: Any, inputs: Sequence[Tensor], output: Tensor, args: tuple[Any, ...], kwargs: Named
    ) -> Field:
        field = self._met(inputs)
        if func in POOLS and not _gathered(func, inputs[0], output):
            self._pool(field)
            return replace(field.slid(_adapted(*args, **kwargs)), pooled=True)
        if func in WINDOWS and inputs[0].ndim == 4:
            return field.slid(WINDOWS[func](*args, **kwargs))
        if func in MIXING and len(inputs) > 1:
            self.pooled = replace(field, context=True, everything=True)
            return self.pooled
        if func in NORMS:
            return replace(field, context=True)
        if _gathered(func, inputs[0], output):
            self._pool(field)
            return replace(field, context=True, everything=True)
        return field

    def _pool(self, field: Field) -> None:
        """A map is about to be made a vector."""
        if not field.pooled:
            self.pooled = field

    def _met(self, inputs: Sequence[Tensor]) -> Field:
        """What any of the inputs sees; a gate beside a map brings context alone."""
        largest = max(inputs, key=torch.Tensor.numel)
        found = self._known[id(largest)][1]
        for tensor in inputs:
            field = self._known[id(tensor)][1]
            gate = field.everything and _spread(tensor, largest)
            found = replace(found, context=True) if gate else found.joined(field)
        return found


def _spread(tensor: Tensor, largest: Tensor) -> bool:
    """Whether a tensor has one value where another has many."""
    pairs = zip(tensor.shape[1:], largest.shape[1:], strict=False)
    return tensor.ndim == largest.ndim and any(one == 1 < many for one, many in pairs)


def _gathered(func: Any, x: Tensor, output: Tensor) -> bool:
    """Whether all places of a map became one: by a mean or the like over both axes, or by laying them side by side."""
    if func in POOLS:
        return output.shape[-2:] == (1, 1) != x.shape[-2:]
    if func in REDUCTIONS:
        lost = x.numel() // max(1, output.numel())
        return x.ndim == 4 and lost in {x.shape[1] * x.shape[2], x.shape[2] * x.shape[3]} and _axes(x, output) > 1
    return x.ndim == 4 and output.ndim == 2 and x.shape[2] * x.shape[3] > 1


def _axes(x: Tensor, output: Tensor) -> int:
    """How many axes a reduction took away or made 1."""
    if output.ndim < x.ndim:
        return x.ndim - output.ndim
    return sum(one != other for one, other in zip(x.shape, output.shape, strict=True))


def _convolved(_: Tensor, weight: Tensor, bias: Tensor | None = None, *sizes: Any, **named: Any) -> Window:
    del bias
    given = dict(zip(("stride", "padding", "dilation", "groups"), sizes, strict=False)) | named
    kernel, dilation = (int(weight.shape[-2]), int(weight.shape[-1])), pair(given.get("dilation", 1))
    padding = given.get("padding", 0)
    if padding == "same":
        around = ((kernel[0] - 1) * dilation[0] // 2, (kernel[1] - 1) * dilation[1] // 2)
    else:
        around = (0, 0) if padding == "valid" else pair(padding)
    return Window(kernel, pair(given.get("stride", 1)), around, dilation)


def _max_pooled(
    _: Tensor,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    **others: object,
) -> Window:
    del others
    return Window(pair(kernel_size), pair(stride or kernel_size), pair(padding), pair(dilation))


def _averaged(
    _: Tensor,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    *rest: object,
    **others: object,
) -> Window:
    del rest, others
    return Window(pair(kernel_size), pair(stride or kernel_size), pair(padding))


def _normed(
    _: Tensor, norm_type: float, kernel_size: int | Pair, stride: int | Pair | None = None, **others: object
) -> Window:
    del norm_type, others
    return Window(pair(kernel_size), pair(stride or kernel_size))


def _fractional(x: Tensor, kernel_size: int | Pair, output_size: Sequence[int], **others: object) -> Window:
    """Where its windows lie is drawn; they are this far apart on the average, rounded."""
    del others
    stride = [round(have / want) for have, want in zip(x.shape[-2:], output_size, strict=True)]
    return Window(pair(kernel_size), (stride[0], stride[1]))


def _adapted(x: Tensor, output_size: Any, **others: object) -> Window:
    """The widest window of adaptive pooling: from floor(i n / m) to ceil((i + 1) n / m)."""
    del others
    wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    sides = [(int(have), int(want or have)) for have, want in zip(x.shape[-2:], wanted, strict=True)]
    kernel = [max(-(-(i + 1) * n // m) - i * n // m for i in range(m)) for n, m in sides]
    stride = [max(1, n // m) for n, m in sides]
    return Window((kernel[0], kernel[1]), (stride[0], stride[1]))


def _padded(_: Tensor, pad: Sequence[int], *rest: object, **others: object) -> Window:
    """Padding of a map moves its places: a window of one place that begins so far before the edge."""
    del rest, others
    left, _right, top, _bottom = [*pad, 0, 0, 0, 0][:4]
    return Window((1, 1), (1, 1), (int(top), int(left)))


def pair(value: Any) -> Pair:
    """A window's size by height and width, given as one number or two."""
    return (int(value[0]), int(value[-1])) if isinstance(value, (tuple, list)) else (int(value), int(value))


POOLS = frozenset({functional.adaptive_avg_pool2d, functional.adaptive_max_pool2d})
WINDOWS: dict[Any, Callable[..., Window]] = {
    torch.conv2d: _convolved,
    functional.conv2d: _convolved,
    functional.max_pool2d: _max_pooled,
    functional.max_pool2d_with_indices: _max_pooled,
    functional.avg_pool2d: _averaged,
    functional.lp_pool2d: _normed,
    functional.fractional_max_pool2d: _fractional,
    functional.pad: _padded,
}
REDUCTIONS = frozenset(
    getattr(where, name) for where in (torch, Tensor) for name in ("mean", "sum", "amax", "max", "std", "var")
)
MIXING = frozenset(
    {
        functional.scaled_dot_product_attention,
        functional.multi_head_attention_forward,
        torch.matmul,
        torch.bmm,
        torch.einsum,
        Tensor.matmul,
        Tensor.bmm,
        Tensor.__matmul__,
    }
)
"""What mixes places with places where both sides come from the image: attention."""
NORMS = frozenset({functional.group_norm, functional.instance_norm})
"""What divides a place by the spread of all."""
