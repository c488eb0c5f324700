"""SimMIM: hidden patches are to be painted (Xie et al. 2021, arXiv 2111.09886), by any body that has maps.

Where the paper hides tokens, this hides pixels: bodies of convolutions have no tokens.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle

from isoflop.config import AugmentConfig
from isoflop.data.batches import Batches
from isoflop.models.net import LAYOUT, Net
from isoflop.seeds import derive

PUBLISHED = 7
"""A side holds so many hidden patches: 32 of 224 pixels (section 4.1)."""


class Masked(Net):
    """A net's body, and in the head's place one layer that paints the image from the body's last map (section 3.3)."""

    def __init__(self, net: Net, images: int, *, stride: int, channels: int) -> None:
        nn.Module.__init__(self)
        self.body, self.shape, self.auxiliary, self.frozen = net.body, net.shape, nn.ModuleList(), False
        self.stride = stride
        self.head = nn.Conv2d(channels, images * stride**2, 1)
        self.token = nn.Parameter(torch.zeros(1, images, 1, 1))
        """The colour that is put over what is hidden: learned, first the data's mean."""
        side = -(-net.shape.resolution // stride)
        self.flops = 2 * channels * images * stride**2 * side**2
        """FLOPs of the head for one image."""

    def forward(self, x: Tensor) -> Tensor:
        """The mean error of each image's hidden pixels (N,), of images with their masks (N, C + 1, H, W)."""
        images, mask = x[:, :-1], x[:, -1:]
        hidden = torch.where(mask > 0, self.token, images).contiguous(memory_format=LAYOUT)
        *_, last = self.body.features(hidden).values()
        painted = pixel_shuffle(self.head(last), self.stride)[..., : x.shape[-2], : x.shape[-1]]
        errors = (painted - images).abs() * mask
        return errors.sum((1, 2, 3)) / mask.sum((1, 2, 3)) / images.shape[1]


class Painting:
    """A task without targets: outputs are the error of each image (N,), the mean distance of a channel (equation 1)."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean over the images."""
        del targets
        return outputs.mean()

    def metrics(self, outputs: Tensor, targets: Tensor, *, last: bool = True) -> dict[str, float]:
        """The same over a whole split."""
        del targets, last
        return {"loss": outputs.mean(dtype=torch.float64).item()}


class Masks:
    """A split of which each image has one more channel: 1 where it is hidden, each by its own draw."""

    def __init__(self, batches: Batches, *, share: float, patch: int) -> None:
        self.batches, self.share, self.patch = batches, share, patch

    def pieces(
        self, step: int, *, size: int, piece: int, seed: int, config: AugmentConfig
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The training batch of a step, in pieces of so many images."""
        generator = torch.Generator().manual_seed(derive(seed, "mask", step))
        for images, labels in self.batches.pieces(step, size=size, piece=piece, seed=seed, config=config):
            yield self._masked(images, generator), labels

    def all(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Every image once in its stored order, its mask drawn alike each time."""
        for place, (images, labels) in enumerate(self.batches.all(size)):
            yield self._masked(images, torch.Generator().manual_seed(derive(0, "mask", place))), labels

    def _masked(self, images: Tensor, generator: torch.Generator) -> Tensor:
        mask = masks(len(images), images.shape[-1], self.patch, self.share, generator)
        return torch.cat([images, mask.to(images.device)], 1)


def masks(count: int, side: int, patch: int, share: float, generator: torch.Generator) -> Tensor:
    """Masks (N, 1, side, side) of 0 and 1 that hide a share of the patches of each image, at least one and not all."""
    cells = -(-side // patch)
    hidden = min(max(1, round(share * cells**2)), max(1, cells**2 - 1))
    ranks = torch.rand(count, cells**2, generator=generator).argsort(1).argsort(1)
    grid = (ranks < hidden).float().reshape(count, 1, cells, cells)
    return grid.repeat_interleave(patch, 2).repeat_interleave(patch, 3)[..., :side, :side]


def patch_of(side: int, stem: int) -> int:
    """Pixels of a side of what is hidden at once where nothing is asked for: whole cells of the body's stem."""
    return stem * max(1, round(side / PUBLISHED / stem))
