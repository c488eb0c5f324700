"""ConvNeXt (Liu et al. 2022, arXiv 2201.03545) of torchvision's blocks.

With stem 4 at depth and width 1 a variant is the published net, its weights in torchvision's order.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from torch import Tensor, nn
from torchvision.models.convnext import CNBlock, LayerNorm2d

from isoflop.config import ModelConfig
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stride import fitted
from isoflop.scaling import Shape

VARIANTS: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "t": ((3, 3, 9, 3), (96, 192, 384, 768)),
    "s": ((3, 3, 27, 3), (96, 192, 384, 768)),
    "b": ((3, 3, 27, 3), (128, 256, 512, 1024)),
    "l": ((3, 3, 27, 3), (192, 384, 768, 1536)),
}
"""Blocks and channels of each stage."""
SCALE = 1e-6
"""What each block's residual is multiplied by at first."""
norm = partial(LayerNorm2d, eps=1e-6)


class ConvNeXt(Staged):
    """Patches and four stages, with downsampling between them."""

    def __init__(self, shape: Shape, variant: str, *, channels: int, drop_path: float) -> None:
        super().__init__()
        layers, widths = VARIANTS[variant]
        counts = [shape.layers(count) for count in layers]
        drops = iter([drop_path * place / max(1, sum(counts) - 1) for place in range(sum(counts))])
        side, stride, inputs = -(-shape.resolution // shape.stem), shape.stem, shape.channels(widths[0])
        self.stem = nn.Sequential(nn.Conv2d(channels, inputs, shape.stem, shape.stem), norm(inputs))
        for place, (base, step) in enumerate(zip(widths, fitted((1, 2, 2, 2), side), strict=True)):
            outputs = shape.channels(base)
            down = [norm(inputs), _shrunk(inputs, outputs, step, side)] if place else []
            self.stages.append(
                nn.Sequential(*down, *(CNBlock(outputs, SCALE, next(drops)) for _ in range(counts[place])))
            )
            inputs, stride, side = outputs, stride * step, -(-side // step)
            self.strides.append(stride)
        self.channels = inputs
        self.norm = norm(inputs)
        self.apply(_initialize)

    def forward(self, x: Tensor) -> Tensor:
        """The last map, pooled, then normalized."""
        vector: Tensor = self.norm(self.pool(self.last(x))[:, :, None, None])
        return vector.flatten(1)


def _shrunk(inputs: int, outputs: int, step: int, side: int) -> nn.Conv2d:
    """A map of so many pixels a side, shrunk by a step; odd ones are padded, so that no pixel is left out."""
    return nn.Conv2d(inputs, outputs, step, step, padding=side % step)


def _initialize(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.trunc_normal_(module.weight, std=0.02)
        assert module.bias is not None
        nn.init.zeros_(module.bias)


@register("convnext")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """ConvNeXt of a shape; depth is blocks a stage."""
    return ConvNeXt(shape, model.variant, channels=channels, drop_path=model.drop_path)
