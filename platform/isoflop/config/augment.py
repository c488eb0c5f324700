"""What is changed in the images of a training batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from isoflop.config.part import Part, Share
from isoflop.errors import Fault, SpecError

Policy = Literal[
    "none",
    "randaugment",
    "trivialaugment",
    "augmix",
    "autoaugment_cifar10",
    "autoaugment_imagenet",
    "autoaugment_svhn",
]
Alpha = Annotated[float, Field(ge=0, le=64)]

MAGNITUDES: Mapping[str, tuple[int, int, int]] = {"randaugment": (0, 9, 30), "augmix": (1, 3, 10)}
"""Least, published and largest magnitude of the policies that have one."""
OPERATIONS: Mapping[str, int] = {"randaugment": 2, "augmix": 3}
"""Operations of RandAugment, and chains of AugMix, as published."""


class AugmentConfig(Part):
    """Changes drawn for each image of a training batch by itself, in pixels as stored. What is off costs nothing.

    They come in this order: crop and flips, resized crop with all affine changes and elastic deformation, the policy,
    colours, erasing, mixing. Saturation and hue change nothing in grey images.
    """

    flip: bool = False
    """Mirror left to right with probability one half."""
    flip_vertical: bool = False
    """Mirror top to bottom with probability one half."""
    crop: Annotated[int, Field(ge=0, le=64)] = 0
    """Zero padding around the image, of which a window of the stored size is cropped at random."""
    resized_crop: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Smallest share of the image's area that a window has, which is then resized to the image; 1 means no window."""
    resized_crop_aspect: Annotated[float, Field(ge=1, le=4)] = 4 / 3
    """Largest ratio of such a window's sides to each other, relative to the image's."""
    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    """Largest angle in degrees, either way."""
    scale: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    """Largest change of the size: a factor between 1 - scale and 1 + scale."""
    shear: Annotated[float, Field(ge=0, le=60)] = 0.0
    """Largest angle in degrees along each axis, either way."""
    translation: Share = 0.0
    """Largest move along each axis as a share of the side, either way."""
    elastic: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Strength of the elastic deformation (alpha): a field of noise in -1 to 1, blurred, times so many half pixels."""
    elastic_sigma: Annotated[float, Field(ge=0.5, le=50)] = 5.0
    """Width of that blur in pixels."""
    policy: Policy = "none"
    """A published set of operations that are drawn for each image."""
    magnitude: Annotated[int, Field(ge=0, le=30)] | None = None
    """How strong the operations of RandAugment (0 to 30) or AugMix (1 to 10) are; none means as published: 9 and 3."""
    operations: Annotated[int, Field(ge=1, le=8)] | None = None
    """Operations in a row of RandAugment or chains of AugMix; none means as published: 2 and 3."""
    brightness: Share = 0.0
    """Largest change of the brightness: a factor between 1 - brightness and 1 + brightness."""
    contrast: Share = 0.0
    """Largest change of the contrast, the same way."""
    saturation: Share = 0.0
    """Largest change of the saturation, the same way."""
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Largest turn of the hue as a share of the colour circle, either way."""
    erasing: Share = 0.0
    """Probability that a box of an image becomes the data set's mean colour."""
    erasing_area: Annotated[float, Field(gt=0.02, le=1)] = 1 / 3
    """Largest share of the image that such a box has; the smallest is 0.02."""
    mixup: Alpha = 0.0
    """Alpha of mixup: an image and its label are blended with another's, its own share drawn of Beta(alpha, alpha)."""
    cutmix: Alpha = 0.0
    """Alpha of CutMix: a box of another image is pasted, so large that the rest is a share drawn of Beta(alpha, alpha).
    With mixup beside it, each image takes one or the other with probability one half."""
    mix_chance: Share = 1.0
    """Probability that an image is mixed at all."""

    @property
    def mixes(self) -> bool:
        """Whether images and labels are mixed, so that targets are distributions over the classes."""
        return bool(self.mixup or self.cutmix)

    @property
    def blends(self) -> bool:
        """Whether pixels become other values than those of the image, by sampling, a policy or colours."""
        moves = self.rotation or self.scale or self.shear or self.translation or self.elastic or self.resized_crop < 1
        colours = self.brightness or self.contrast or self.saturation or self.hue
        return bool(moves or colours or self.policy != "none")

    @property
    def strength(self) -> int:
        """The magnitude of the policy."""
        return MAGNITUDES[self.policy][1] if self.magnitude is None else self.magnitude

    @property
    def length(self) -> int:
        """Operations in a row, or chains, of the policy."""
        return self.operations or OPERATIONS[self.policy]

    @model_validator(mode="after")
    def _check(self) -> Self:
        wrong = []
        for key in ("magnitude", "operations"):
            if getattr(self, key) is not None and self.policy not in MAGNITUDES:
                what = f"the policy {self.policy} has none"
                wrong.append(Fault(key, what, f"leave it out, or follow {' or '.join(MAGNITUDES)}"))
        least, _, most = MAGNITUDES.get(self.policy, (0, 0, 30))
        if self.magnitude is not None and not least <= self.magnitude <= most:
            wrong.append(Fault("magnitude", f"{self.magnitude} is none of {self.policy}", f"give {least} to {most}"))
        if self.mix_chance != 1 and not self.mixes:
            wrong.append(Fault("mix_chance", "there is nothing to mix", "set mixup or cutmix, or leave it out"))
        if wrong:
            raise SpecError(*wrong)
        return self
