"""A training without labels, which others begin with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from isoflop.config.part import Count, Part, Positive


class PretrainConfig(Part):
    """How a body learns from images alone; model, data, optimizer and length are a `TrialConfig`'s.

    With `simclr` the changes that `augment` says make the two views of an image, and the more they change, the better.
    """

    method: Literal["simclr", "simmim"] = "simclr"
    """`simclr`: the two views of an image are to be found among all of a batch (Chen et al. 2020, arXiv 2002.05709).
    `simmim`: hidden patches are to be painted (Xie et al. 2021, arXiv 2111.09886)."""
    temperature: Positive = 0.5
    """Similarities of views are divided by it."""
    projection: Count = 128
    """Length of the vectors that are compared; they stand behind the body and are left out afterwards."""
    mask: Annotated[float, Field(gt=0, lt=1)] = 0.6
    """Share of an image's patches that are hidden."""
    patch: Count | None = None
    """Pixels of a side of what is hidden at once; none means a seventh of the image, as 32 of 224, in whole cells of
    the body's stem."""
