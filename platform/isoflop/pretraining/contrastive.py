"""SimCLR: the two views of an image are to be found among all of a batch (Chen et al. 2020, arXiv 2002.05709)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from isoflop.config import AugmentConfig
from isoflop.data.augmentation import Draws
from isoflop.data.batches import Batches
from isoflop.models.net import LAYOUT, Net
from isoflop.seeds import derive

VIEWS = 2


class Contrastive(Net):
    """A net's body, and in the head's place two dense layers to the vectors that are compared (section 2.1)."""

    def __init__(self, net: Net, size: int) -> None:
        nn.Module.__init__(self)
        self.body, self.shape, self.auxiliary, self.frozen = net.body, net.shape, nn.ModuleList(), False
        width = net.body.channels
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, size))
        self.flops = 2 * width * (width + size)
        """FLOPs of the head for one view."""

    def forward(self, x: Tensor) -> Tensor:
        """Vectors (N, views, size) of the views (N, views, C, H, W) of images; all go through the body at once."""
        found = self.body(x.flatten(0, 1).contiguous(memory_format=LAYOUT))
        vectors: Tensor = self.head(found.flatten(2).mean(2) if found.ndim > 2 else found)
        return vectors.reshape(*x.shape[:2], -1)


class Contrast:
    """A task without targets: outputs are vectors (N, 2, size), which are compared in blocks of a training batch."""

    def __init__(self, temperature: float, block: int) -> None:
        self.temperature, self.block = temperature, block

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """NT-Xent over the piece: with `train.micro_batch` there are fewer other images to tell an image from."""
        del targets
        return nt_xent(outputs[:, 0], outputs[:, 1], self.temperature)

    def metrics(self, outputs: Tensor, targets: Tensor, *, last: bool = True) -> dict[str, float]:
        """The mean loss; of a last block of one image, which has no other to be told from, there is none."""
        del targets, last
        blocks = [block for block in torch.split(outputs.double(), self.block) if len(block) > 1]
        total = sum(len(block) * nt_xent(block[:, 0], block[:, 1], self.temperature).item() for block in blocks)
        return {"loss": total / sum(map(len, blocks))}


class Views:
    """A split of which each image comes as two views, each changed by its own draw.

    Images, order and changes are functions of seed and step alone, as those of `Batches` are.
    """

    def __init__(self, batches: Batches, config: AugmentConfig) -> None:
        self.batches, self.config = batches, config
        self._draws = [Draws() for _ in range(VIEWS)]

    def pieces(
        self, step: int, *, size: int, piece: int, seed: int, config: AugmentConfig
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The training batch of a step, in pieces of so many images, each with its two views."""
        chosen = self.batches.order.at(step, size=size, seed=seed)
        views = self._drawn(self.batches.images.index_select(0, chosen), step, seed=seed, config=config)
        parts = (torch.split(part, piece) for part in (*views, self.batches.labels[chosen]))
        for first, second, labels in zip(*parts, strict=True):
            yield self._seen(first, second), labels

    def all(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Every image once in its stored order, its views drawn alike each time."""
        for place, start in enumerate(range(0, len(self.batches), size)):
            part = slice(start, start + size)
            views = self._drawn(self.batches.images[part], place, seed=0, config=self.config)
            yield self._seen(*views), self.batches.labels[part]

    def _drawn(self, images: Tensor, step: int, *, seed: int, config: AugmentConfig) -> list[Tensor]:
        """Each view by draws of its own."""
        views = []
        for place, draws in enumerate(self._draws):
            drawn = draws.of(step, images, seed=derive(seed, "view", place), config=config)
            views.append(drawn(images.clone(), step, self.batches.colour))
        return views

    def _seen(self, *views: Tensor) -> Tensor:
        """Views (N, 2, C, H, W) as the model sees them."""
        return torch.stack([self.batches.normalized(view) for view in views], 1)


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Normalized temperature-scaled cross-entropy of two views' vectors (N, size) each, equation 1.

    Each view is to be told from all 2 N - 1 others by its cosine to the other view of its image.
    """
    count = len(first)
    vectors = normalize(torch.cat([first, second]), dim=1)
    similar = vectors @ vectors.T / temperature
    similar = similar.masked_fill(torch.eye(2 * count, dtype=torch.bool, device=similar.device), float("-inf"))
    partners = torch.arange(2 * count, device=similar.device).roll(count)
    return cross_entropy(similar, partners)
