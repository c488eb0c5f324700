"""CoAtNet (Dai et al. 2021, arXiv 2106.04803) of timm's blocks: convolution on large maps, attention on small ones.

With stem 2 at depth and width 1 a variant is the published net on 224 pixels, its weights in timm's order. timm has the
paper's nets with the last layers of the authors' later code (MaxViT): a norm, a dense layer and tanh before the
classifier. Heads have 32 channels, or 8 in stages of fewer than three such. Each stage of attention has tables of
position biases for its own map, so parameters depend on the resolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from timm.layers import calculate_drop_path_rates
from timm.models.maxxvit import (
    Downsample2d,
    MaxxVitConvCfg,
    MaxxVitStage,
    MaxxVitTransformerCfg,
    MbConvBlock,
    Stem,
    TransformerBlock2d,
)
from torch import Tensor, nn

from isoflop.config import ModelConfig
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stride import fitted
from isoflop.scaling import Shape

VARIANTS: Mapping[str, tuple[int, tuple[int, ...], tuple[int, ...]]] = {
    "0": (64, (96, 192, 384, 768), (2, 3, 5, 2)),
    "1": (64, (96, 192, 384, 768), (2, 6, 14, 2)),
    "2": (128, (128, 256, 512, 1024), (2, 6, 14, 2)),
    "3": (192, (192, 384, 768, 1536), (2, 6, 14, 2)),
}
"""Channels of the stem, channels of each stage and its blocks (the paper's table 3)."""
KINDS, HEAD = "CCTT", 32
"""Stages of convolution and of transformer blocks, and channels of a head."""
STEMS: Mapping[int, tuple[int, int]] = {1: (1, 1), 2: (2, 1), 4: (2, 2)}
"""Strides of the stem's two convolutions."""
CONVOLUTION, ATTENTION = MaxxVitConvCfg(), MaxxVitTransformerCfg()


class CoAtNet(Staged):
    """A stem, two stages of MBConv blocks and two of transformer blocks."""

    def __init__(self, shape: Shape, variant: str, *, channels: int, drop_path: float) -> None:
        super().__init__()
        first, widths, blocks = VARIANTS[variant]
        layers = [shape.layers(count) for count in blocks]
        drops = calculate_drop_path_rates(drop_path, layers, stagewise=True)
        inputs, side, stride = shape.channels(first), -(-shape.resolution // shape.stem), shape.stem
        self.stages.append(_stem(channels, inputs, stride))
        self.strides.append(stride)
        for kind, base, rates, step in zip(KINDS, widths, drops, fitted((2, 2, 2, 2), side), strict=True):
            side, stride = -(-side // step), stride * step
            outputs, head = _widths(shape, base, kind)
            if kind == "T" and self.tokens is None:
                self.tokens = side**2
            self.stages.append(_stage(inputs, outputs, kind=kind, head=head, side=side, step=step, drops=rates))
            self.strides.append(stride)
            inputs = outputs
        self.apply(_initialize)
        self.channels = inputs
        self.neck = nn.Sequential(nn.LayerNorm(inputs, eps=ATTENTION.norm_eps), nn.Linear(inputs, inputs), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        """The last map, averaged over its place, through the last dense layer."""
        vector: Tensor = self.neck(super().forward(x))
        return vector


def _stem(inputs: int, outputs: int, stride: int) -> Stem:
    stem = Stem(inputs, outputs)
    for conv, step in zip((stem.conv1, stem.conv2), STEMS[stride], strict=True):
        conv.stride = (step, step)
    return stem


def _widths(shape: Shape, base: int, kind: str) -> tuple[int, int]:
    """Channels of a stage, and of its heads."""
    if kind == "C":
        return shape.channels(base), HEAD
    outputs, heads = shape.heads(base, HEAD)
    return outputs, outputs // heads


def _stage(
    inputs: int, outputs: int, *, kind: str, head: int, side: int, step: int, drops: list[float]
) -> MaxxVitStage:
    """Blocks that give a map of so many pixels a side.

    timm's first block halves maps of an even side; here it halves any, or leaves them as large as they are.
    """
    stage = MaxxVitStage(
        inputs,
        outputs,
        depth=len(drops),
        feat_size=(side, side),
        block_types=kind,
        # A gate has at least one channel.
        conv_cfg=replace(CONVOLUTION, attn_ratio=max(CONVOLUTION.attn_ratio, 1 / outputs)),
        transformer_cfg=replace(ATTENTION, dim_head=head),
        drop_path=drops,
    )
    if kind == "C":
        stage.blocks[0].conv2_kxk.stride = (step, step)
    for module in stage.modules():
        if isinstance(module, Downsample2d):
            module.pool = nn.AvgPool2d(step, ceil_mode=True) if step > 1 else nn.Identity()
    return stage


def _initialize(module: nn.Module) -> None:
    if isinstance(module, (Stem, MbConvBlock, TransformerBlock2d)):
        module.init_weights("vit_eff")  # convolutions as EfficientNet's, the rest as ViT's


@register("coatnet")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """CoAtNet of a shape; depth is blocks a stage."""
    return CoAtNet(shape, model.variant, channels=channels, drop_path=model.drop_path)
