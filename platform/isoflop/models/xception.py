"""Xception (Chollet 2017, arXiv 1610.02357) of timm's blocks of separable convolutions.

With stem 2 at depth and width 1 it is the published net, timm's `legacy_xception`, its weights in timm's order; the two
convolutions of its stem do not pad.
"""

from __future__ import annotations

from itertools import pairwise

from timm.layers import DropPath
from timm.models.xception import Block, SeparableConv2d
from torch import nn

from isoflop.config import ModelConfig
from isoflop.families import family
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stride import fitted
from isoflop.scaling import Shape

STEM = (32, 64)
ENTRY = (128, 256, 728)
"""Channels of the blocks that shrink the map at first."""
MIDDLE = 8
"""Blocks that leave it."""
EXIT = (1024, 1536, 2048)
"""Channels of the last block and of the two convolutions after it."""


class Xception(Staged):
    """The entry flow, the middle flow behind its last block, and the exit flow (the paper's figure 5)."""

    def __init__(self, shape: Shape, *, channels: int, padded: bool, drop_path: float) -> None:
        super().__init__()
        first, inputs = (shape.channels(base) for base in STEM)
        self.stem = _stem(channels, first, inputs, shape.stem, padded=padded)
        stride, middle = shape.stem, shape.layers(MIDDLE)
        side = -(-shape.resolution // stride) if padded else (shape.resolution - 3) // stride - 1
        *steps, last = fitted((2, 2, 2, 2), side)
        drops = [drop_path * place / (middle + 3) for place in range(middle + 4)]
        blocks = nn.Sequential()
        for place, (base, step) in enumerate(zip(ENTRY, steps, strict=True)):
            outputs = shape.channels(base)
            block = Block(inputs, outputs, 2, step, start_with_relu=place > 0)
            blocks = nn.Sequential(_dropped(block, drops.pop(0)))
            self.stages.append(blocks)
            inputs, stride = outputs, stride * step
            self.strides.append(stride)
        blocks.extend(_dropped(Block(inputs, inputs, 3), drops.pop(0)) for _ in range(middle))
        outputs, wide, self.channels = (shape.channels(base) for base in EXIT)
        block = Block(inputs, outputs, 2, last, grow_first=False)
        self.stages.append(nn.Sequential(_dropped(block, drops.pop(0)), *_exit(outputs, wide, self.channels)))
        self.strides.append(stride * last)
        self.apply(_initialize)


def _stem(inputs: int, first: int, second: int, stride: int, *, padded: bool) -> nn.Sequential:
    # Up to stride 2 the paper's kernel; at stride 4, ResNet's 7x7, so that no pixel is left unseen.
    kernel = max(3, 2 * stride - 1)
    return nn.Sequential(
        nn.Conv2d(inputs, first, kernel, stride, padding=kernel // 2 if padded else 0, bias=False),
        nn.BatchNorm2d(first),
        nn.ReLU(inplace=True),
        nn.Conv2d(first, second, 3, padding=1 if padded else 0, bias=False),
        nn.BatchNorm2d(second),
        nn.ReLU(inplace=True),
    )


def _exit(*channels: int) -> list[nn.Module]:
    parts: list[nn.Module] = []
    for inputs, outputs in pairwise(channels):
        parts += [SeparableConv2d(inputs, outputs, 3, 1, 1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return parts


def _dropped(block: Block, drop: float) -> Block:
    """A block whose separable convolutions are left out so often in training: timm's knows no such thing."""
    if drop:
        block.rep.append(DropPath(drop))
    return block


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


@register("xception")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """Xception of a shape; depth is blocks of the middle flow."""
    padded = shape.stem != family(model.family).published
    return Xception(shape, channels=channels, padded=padded, drop_path=model.drop_path)
