"""Mixup (Zhang et al. 2018, arXiv:1710.09412) and CutMix (Yun et al. 2019, arXiv:1905.04899)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isoflop.config import AugmentConfig
from isoflop.data.augmentation.boxes import Boxes, Edges, covered

Numbers = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mix:
    """With which image of its batch each is mixed, and how. All tensors are on the images' device."""

    partners: Tensor
    """Place of the other image (N,)."""
    share: Tensor
    """What an image keeps of its label, and takes of the other's (N, 2)."""
    blended: Tensor
    """The same of itself, at each pixel that is not pasted (2, N, 1, 1, 1)."""
    boxes: Boxes | None
    """Where the other image is pasted; none where nothing is."""

    def part(self, place: slice) -> Mix:
        """That of some images of the batch."""
        return Mix(
            partners=self.partners[place],
            share=self.share[place],
            blended=self.blended[:, place],
            boxes=self.boxes and self.boxes.take(place),
        )

    def images(self, images: Tensor, others: Tensor) -> Tensor:
        """Images mixed with their partners, in place: float (N, C, H, W)."""
        own, other = self.blended
        if self.boxes is not None:
            inside = self.boxes.inside()
            own, other = torch.where(inside, 0, own), torch.where(inside, 1, other)
        return images.mul_(own).add_(others.mul_(other))

    def targets(self, labels: Tensor, others: Tensor, classes: int) -> Tensor:
        """Labels mixed with those of the partners (N, classes); class indices (N,) become distributions."""
        if labels.dim() > 1:
            return labels * self.share[:, :1] + others * self.share[:, 1:]
        found = torch.zeros((len(labels), classes), device=labels.device)
        return found.scatter_add_(1, torch.stack((labels, others), 1), self.share)


def mixes(
    steps: int, shape: torch.Size, config: AugmentConfig, numbers: np.random.Generator, device: torch.device
) -> list[Mix]:
    """For batches of a shape: each image's own share, and mixup or CutMix where both are asked for.

    Partners are one drawn number of places apart, so none is its own.
    """
    count, _, height, width = shape
    apart = numbers.integers(1, max(2, count), (steps, 1))
    partners = torch.from_numpy((np.arange(count) + apart) % count).to(device)
    share, cut = shares((steps, count), config, numbers)
    blended = share
    boxes: list[Boxes | None] = [None] * steps
    if config.cutmix:
        edges, share = pasted(share, cut, height, width, numbers)
        blended = np.where(cut, np.float32(1), share)
        rows, columns = (found.to(device) for found in covered(edges, height, width))
        boxes = [Boxes(high, wide) for high, wide in zip(rows, columns, strict=True)]
    labels = torch.from_numpy(np.stack((share, 1 - share), 2)).to(device)
    pixels = torch.from_numpy(np.stack((blended, 1 - blended), 1)).to(device)[..., None, None, None]
    return [
        Mix(partners=places, share=own, blended=values, boxes=pasted_in)
        for places, own, values, pasted_in in zip(partners, labels, pixels, boxes, strict=True)
    ]


def shares(
    shape: tuple[int, int], config: AugmentConfig, numbers: np.random.Generator
) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """What each image keeps of itself, and whether it is cut or blended."""
    if config.mixup and config.cutmix:
        cut = numbers.random(shape) < 0.5
        blended, rest = (numbers.beta(alpha, alpha, shape) for alpha in (config.mixup, config.cutmix))
        share = np.where(cut, rest, blended)
    else:
        alpha = config.mixup or config.cutmix
        cut, share = np.full(shape, bool(config.cutmix)), numbers.beta(alpha, alpha, shape)
    if config.mix_chance < 1:
        share = np.where(numbers.random(shape) < config.mix_chance, share, 1)
    return share.astype(np.float32), cut


def pasted(
    share: Numbers, cut: npt.NDArray[np.bool_], height: int, width: int, numbers: np.random.Generator
) -> tuple[Edges, Numbers]:
    """Boxes (steps, 4, N) to paste, with an area of 1 - share, and the shares left where they are cut at the edges.

    Centres are uniform over the image. Where an image is not cut its box is empty and its share stays.
    """
    root = np.sqrt(np.maximum(1 - share, 0)) * cut
    edges, area = [], np.ones_like(share)
    for side, centre in zip((height, width), numbers.random((2, *share.shape)), strict=True):
        long = np.floor(root * side)
        low = np.floor(centre * side) - np.floor(long / 2)
        edges += [np.clip(low, 0, side), np.clip(low + long, 0, side)]
        area *= edges[-1] - edges[-2]
    return np.stack(edges, 1).astype(np.float32), np.where(cut, 1 - area / (height * width), share).astype(np.float32)
