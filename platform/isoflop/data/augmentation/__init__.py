"""Changes drawn for each image of a batch, as tensor operations on the whole batch. See `augment`."""

from isoflop.data.augmentation.augment import augment
from isoflop.data.augmentation.erasing import erase, erased
from isoflop.data.augmentation.mixing import Mix

__all__ = ["Mix", "augment", "erase", "erased"]
