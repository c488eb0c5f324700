"""Mixup (Zhang et al. 2018, arXiv:1710.09412) and CutMix (Yun et al. 2019, arXiv:1905.04899)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from isoflop.config import AugmentConfig
from isoflop.data.augmentation.boxes import inside
from isoflop.data.augmentation.draws import chance, numpy_generator


@dataclass(frozen=True, kw_only=True, slots=True)
class Mix:
    """With which image of its batch each is mixed, and how. All tensors are on the images' device."""

    partners: Tensor
    """Place of the other image (N,)."""
    own: Tensor
    """What an image keeps of itself (N, 1, 1, 1), or at each pixel (N, 1, H, W)."""
    share: Tensor
    """What it keeps of its label (N,): the mean of `own`."""

    @classmethod
    def draw(
        cls,
        shape: torch.Size,
        config: AugmentConfig,
        generator: torch.Generator,
        device: torch.device,
    ) -> Self:
        """Each image's own share, and mixup or CutMix where both are asked for; partners are one drawn place apart."""
        count, _, height, width = shape
        apart = int(torch.randint(1, max(2, count), (), generator=generator))
        partners = (torch.arange(count) + apart) % count
        cut = chance(count, 0.5 if config.mixup else 1.0, generator) if config.cutmix else torch.zeros(count).bool()
        beta = numpy_generator(generator)
        share = torch.ones(count)
        for alpha, taken in ((config.mixup, ~cut), (config.cutmix, cut)):
            if alpha:
                drawn = torch.from_numpy(beta.beta(alpha, alpha, count).astype(np.float32))
                share = torch.where(taken, drawn, share)
        if config.mix_chance < 1:
            share = torch.where(chance(count, config.mix_chance, generator), share, 1.0)
        if not config.cutmix:
            share = share.to(device)
            return cls(partners=partners.to(device), own=share[:, None, None, None], share=share)
        boxes, share = pasted(share, cut, height, width, generator)
        cut, share = cut.to(device), share.to(device)
        outside = 1 - inside(boxes.to(device), height, width)
        own = torch.where(cut[:, None, None, None], outside, share[:, None, None, None])
        return cls(partners=partners.to(device), own=own, share=share)

    def part(self, place: slice) -> Mix:
        """That of some images of the batch."""
        return Mix(partners=self.partners[place], own=self.own[place], share=self.share[place])

    def images(self, images: Tensor, others: Tensor) -> Tensor:
        """Images mixed with their partners, in place: float (N, C, H, W)."""
        return images.mul_(self.own).add_(others.mul_(1 - self.own))

    def targets(self, labels: Tensor, others: Tensor, classes: int) -> Tensor:
        """Labels mixed with those of the partners (N, classes); class indices (N,) become distributions."""
        own, other = (one_hot(given, classes) if given.dim() == 1 else given for given in (labels, others))
        return own * self.share[:, None] + other * (1 - self.share)[:, None]


def pasted(share: Tensor, cut: Tensor, height: int, width: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Boxes (4, N) to paste, with an area of 1 - share, and the shares that are left where they are cut at the edges.

    Centres are uniform over the image. Where an image is not cut its box is empty and its share stays.
    """
    root = torch.where(cut, (1 - share).clamp_min(0).sqrt(), 0.0)
    tall, wide = (root * height).floor(), (root * width).floor()
    down, across = torch.rand((2, len(share)), generator=generator)
    top, left = (down * height).floor() - (tall / 2).floor(), (across * width).floor() - (wide / 2).floor()
    boxes = torch.stack(
        (top.clamp(min=0), (top + tall).clamp(max=height), left.clamp(min=0), (left + wide).clamp(max=width))
    )
    area = (boxes[1] - boxes[0]) * (boxes[3] - boxes[2])
    return boxes, torch.where(cut, 1 - area / (height * width), share)
