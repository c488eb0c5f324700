"""What is changed in the images of a training batch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from isoflop.config.part import Part


class AugmentConfig(Part):
    """Changes drawn for each image of a training batch, in pixels as stored."""

    flip: bool = False
    crop: Annotated[int, Field(ge=0, le=64)] = 0
    """Zero padding around the image, of which a window of the stored size is cropped at random."""
