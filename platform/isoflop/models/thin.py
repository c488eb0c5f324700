"""A detour around a fault of torch 2.15 on the CPU: thin convolutions that skip pixels destroy memory.

The backward pass of a convolution of 1 x 1 pixels with a stride and fewer than 8 input channels writes outside its
memory where its input is in channels-last layout (oneDNN; of 3 to 7 channels 16 of 20 cases tried ended the process,
of 8 and more none did, and none without a stride). Such a layer therefore gets the pixels that it does not skip, and
no stride, which is the same sum.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

FEWEST = 8
"""Input channels from which on nothing happens."""


def spare(net: nn.Module) -> None:
    """Have the layers of a net that would end the process skip pixels beforehand; others stay as they are."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and _thin(module):
            module.register_forward_pre_hook(partial(_sampled, stride=module.stride))
            module.stride = (1, 1)


def _thin(layer: nn.Conv2d) -> bool:
    strided = layer.kernel_size == (1, 1) and max(layer.stride) > 1 and layer.padding == (0, 0)
    return strided and 1 < layer.in_channels < FEWEST


def _sampled(layer: nn.Module, inputs: tuple[Tensor, ...], *, stride: tuple[int, ...]) -> tuple[Tensor, ...]:
    del layer
    return tuple(x[..., :: stride[0], :: stride[1]] for x in inputs)
