"""ViT (Dosovitskiy et al. 2021, arXiv 2010.11929) as timm builds it, with a class token or without.

At depth and width 1 with patches of 16 pixels a variant is the published net; Ti and S are those of Touvron et al. 2021
(arXiv 2012.12877). Heads have 64 channels from the width of Ti on, and 16 below it, so that small nets keep several
heads; widths are multiples of that, whatever the divisor. `pool` says what the vector is: the class token's after the
last norm or, without such a token, the mean of all patches', then normalized (the paper's appendix D.3; in timm
`global_pool="avg", class_token=False`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from isoflop.config import ModelConfig
from isoflop.models.net import Body
from isoflop.models.registry import register
from isoflop.scaling import Shape

VARIANTS: Mapping[str, tuple[int, int]] = {"ti": (12, 192), "s": (12, 384), "b": (12, 768), "l": (24, 1024)}
"""Transformer blocks and channels."""
HEAD = 64
POOLS: Mapping[str, str] = {"token": "token", "average": "avg"}
"""What timm calls them."""


class ViT(Body):
    """Patches, transformer blocks, and the vector of the class token or of all patches."""

    def __init__(self, shape: Shape, variant: str, *, pool: str, channels: int, drop_path: float) -> None:
        super().__init__()
        depth, base = VARIANTS[variant]
        width, heads = shape.heads(base, HEAD)
        self.patch, self.channels = shape.stem, width
        self.blocks = VisionTransformer(
            img_size=shape.resolution,
            patch_size=shape.stem,
            in_chans=channels,
            num_classes=0,
            global_pool=POOLS[pool],
            class_token=pool == "token",
            embed_dim=width,
            depth=shape.layers(depth),
            num_heads=heads,
            drop_path_rate=drop_path,
        )
        self.tokens = self.blocks.patch_embed.num_patches + self.blocks.num_prefix_tokens

    def units(self) -> Sequence[nn.Module]:
        """The transformer blocks."""
        return [*self.blocks.blocks]

    def features(self, x: Tensor) -> dict[int, Tensor]:
        """The last grid of patches; it is the only stride there is. It is normalized where there is a class token."""
        grids: list[Tensor] = self.blocks.forward_intermediates(x, indices=1, norm=True, intermediates_only=True)
        return {self.patch: grids[-1]}

    def forward(self, x: Tensor) -> Tensor:
        """The class token's vector, or the patches' mean, after the last norm."""
        vector: Tensor = self.blocks(x)
        return vector


@register("vit")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """ViT of a shape; depth is the number of transformer blocks."""
    return ViT(shape, model.variant, pool=str(model.knob("pool")), channels=channels, drop_path=model.drop_path)
