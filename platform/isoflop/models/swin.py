"""Swin Transformer (Liu et al. 2021, arXiv 2103.14030) of timm's blocks: attention within windows, linear in tokens.

With patches of 4 pixels at depth and width 1 a variant is the published net on 224 pixels, its weights in timm's order.
Heads have 32 channels from the width of Swin-T on, and 8 below it.

A window has 7 places a side, or all of a map that has fewer. Larger maps are padded to whole windows, as in the
authors' code, so that FLOPs never fall as the resolution grows. The table of position biases goes with the window: on
small images it is smaller than the published one.

What a place sees is told as everything (`field.py`). That is exact for the last map where it is no larger than a
window, which is up to 56 patches a side; beyond, and for earlier maps, it is an upper bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timm.layers import PatchEmbed, calculate_drop_path_rates
from timm.models.swin_transformer import PatchMerging, SwinTransformerBlock
from torch import Tensor, nn

from isoflop.config import ModelConfig
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stride import fitted
from isoflop.scaling import Shape

VARIANTS: Mapping[str, tuple[int, tuple[int, ...]]] = {
    "t": (96, (2, 2, 6, 2)),
    "s": (96, (2, 2, 18, 2)),
    "b": (128, (2, 2, 18, 2)),
}
"""Channels of the first stage, which each further one doubles, and blocks of each."""
WINDOW, HEAD = 7, 32


class Swin(Staged):
    """Patches and four stages of windowed attention, with patches merged between them."""

    def __init__(self, shape: Shape, variant: str, *, channels: int, drop_path: float) -> None:
        super().__init__()
        base, blocks = VARIANTS[variant]
        layers = [shape.layers(count) for count in blocks]
        drops = calculate_drop_path_rates(drop_path, layers, stagewise=True)
        width, heads = shape.heads(base, HEAD)
        self.stem = PatchEmbed(
            shape.resolution, shape.stem, channels, width, norm_layer=nn.LayerNorm, output_fmt="NHWC"
        )
        side, stride, inputs = shape.resolution // shape.stem, shape.stem, width
        self.tokens = side**2
        for place, step in enumerate(fitted((1, 2, 2, 2), side)):
            outputs, side, stride = width * 2**place, -(-side // step), stride * step
            down = [_merged(inputs, outputs, step)] if place else []
            self.stages.append(nn.Sequential(*down, *_blocks(outputs, heads * 2**place, side, drops[place])))
            self.strides.append(stride)
            inputs = outputs
        self.channels = inputs
        self.norm = nn.LayerNorm(inputs)
        self.apply(_initialize)

    def features(self, x: Tensor) -> dict[int, Tensor]:
        """The map after each stage by stride, channels first."""
        return {stride: found.permute(0, 3, 1, 2) for stride, found in super().features(x).items()}

    def forward(self, x: Tensor) -> Tensor:
        """The last map, normalized, then averaged over its place."""
        places: Tensor = self.norm(self.last(x).permute(0, 2, 3, 1))
        return places.mean((1, 2))


def _merged(inputs: int, outputs: int, step: int) -> nn.Module:
    """Patches of 2x2 places made one; where a map is too small to shrink, each place for itself."""
    if step == 1:
        return nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, outputs, bias=False))
    merged: nn.Module = PatchMerging(inputs, outputs)
    return merged


def _blocks(width: int, heads: int, side: int, drops: Sequence[float]) -> list[nn.Module]:
    """Blocks for a map of so many places a side; every second one has its windows shifted by half of one."""
    return [
        SwinTransformerBlock(
            width, (side, side), heads, window_size=WINDOW, shift_size=place % 2 * (WINDOW // 2), drop_path=drop
        )
        for place, drop in enumerate(drops)
    ]


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@register("swin")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """Swin of a shape; depth is blocks a stage."""
    return Swin(shape, model.variant, channels=channels, drop_path=model.drop_path)
