"""A mode of torch that notes every operation of a forward pass: its FLOPs, and the tensors that it takes and makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from isoflop.models.counting.peak import Operation, Sizes
from isoflop.models.counting.standin import STANDINS
from isoflop.models.field import Fields
from isoflop.models.tensors import tensors

META = torch.device("meta")
"""What is made on the way, such as masks, is made there too."""


FREE = frozenset(
    {
        *(getattr(Tensor, name) for name in ("size", "dim", "view", "contiguous", "expand", "unbind", "narrow")),
        *(getattr(Tensor, f"__{name}__") for name in ("getitem", "sub", "truediv", "neg")),
        *(
            getattr(where, name)
            for where in (Tensor, torch)
            for name in (
                "reshape",
                "flatten",
                "permute",
                "transpose",
                "chunk",
                "split",
                "mean",
                "sum",
                "amax",
                "softmax",
            )
        ),
        *(getattr(functional, f"{name}_pool2d") for name in ("avg", "max", "adaptive_max", "lp")),
        *(getattr(functional, name) for name in ("pad", "softmax", "local_response_norm", "normalize", "interpolate")),
        torch.cat,
        torch.stack,
    }
)
"""What moves, pools or scales numbers: no products are summed in it, so there is nothing to count."""


class Tally(TorchFunctionMode):
    """While it is entered, notes what a net does; FLOPs are torch's own count (`torch.utils.flop_counter`)."""

    def __init__(self, net: nn.Module, fields: Fields) -> None:
        super().__init__()
        self.fields = fields
        self.operations: list[Operation] = []
        self.weights: Sizes = dict(map(_storage, net.parameters()))
        self.channels = {_storage(weight)[0]: weight.shape[0] if weight.ndim > 1 else 1 for weight in net.parameters()}
        """What each weight's layer gives, by the same keys; 1 of vectors, such as biases."""
        self._buffers: Sizes = dict(map(_storage, net.buffers()))
        self._inside = [""]
        self._made: list[Any] = []  # as long as a tensor lives, no other takes its place

    @property
    def buffers(self) -> int:
        """Bytes of what the net keeps beside its weights, such as batch norm's means."""
        return sum(self._buffers.values())

    def flops(self) -> dict[str, int]:
        """By the name of the module that spent them."""
        spent: dict[str, int] = {}
        for operation in self.operations:
            spent[operation.module] = spent.get(operation.module, 0) + operation.flops
        return spent

    @contextmanager
    def watching(self) -> Iterator[None]:
        """What autograd keeps is noted too."""
        with torch.autograd.graph.saved_tensors_hooks(self._keep, lambda tensor: tensor), self:
            yield

    def enter(self, module: str) -> None:
        """What comes is done in a module."""
        self._inside.append(module)

    def leave(self) -> None:
        """The module has ended."""
        self._inside.pop()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """What torch does, or a stand-in."""
        if func.__name__ == "__get__" and not isinstance(made := func(*args), Tensor):
            return made
        operation = Operation(self._inside[-1])
        self.operations.append(operation)
        kwargs = kwargs or {}
        made = self._done(operation, func, args, kwargs)
        outputs = [*tensors(made)]
        if not outputs:
            self.operations.pop()
            return made
        self._made.append(outputs)
        operation.outputs = dict(map(_storage, outputs))
        inputs = [*tensors((args, kwargs))]
        for key, size in map(_storage, inputs):
            (operation.weights if key in self.weights else operation.inputs)[key] = size
        self.fields.note(func, inputs, outputs, args, kwargs)
        return made

    def _done(self, operation: Operation, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        standin = STANDINS.get(func)
        if (count := FORMULAS.get(func)) is not None:
            made = (standin or func)(*args, **kwargs)
            operation.flops = count(made, *args)
        elif standin is not None or func in FREE:
            made = (standin or func)(*args, **kwargs)
        else:
            with META, _Spent() as spent:
                made = func(*args, **kwargs)
            operation.flops = spent.flops
        return made

    def _keep(self, tensor: Tensor) -> Tensor:
        key, size = _storage(tensor)
        if self.operations and key not in self.weights and key not in self._buffers:
            self.operations[-1].kept[key] = size
            self._made.append(tensor)
        return tensor


class _Spent(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what torch's own formulas say of the operations below a function."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **kwargs, out_val=made)
        return made


def _storage(tensor: Tensor) -> tuple[int, int]:
    """What tells a tensor's storage apart while it lives, and its bytes: on the meta device there is no address."""
    storage = tensor.untyped_storage()
    return id(storage), storage.nbytes()


def _convolved(made: Tensor, _: Tensor, weight: Tensor, *__: Any) -> int:
    return 2 * made.numel() * weight[0].numel()


def _linear(made: Tensor, x: Tensor, *_: Any) -> int:
    return 2 * made.numel() * x.shape[-1]


def _attended(made: Tensor, query: Tensor, key: Tensor, *_: Any) -> int:
    return 2 * key.shape[-2] * (query.numel() + made.numel())


FORMULAS: Mapping[Any, Callable[..., int]] = {
    torch.conv2d: _convolved,
    functional.conv2d: _convolved,
    functional.linear: _linear,
    functional.scaled_dot_product_attention: _attended,
}
"""The same numbers without asking below."""
