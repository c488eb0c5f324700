"""Changes drawn for each image of a batch, as tensor operations on the whole batch. See `augment`."""

from isoflop.data.augmentation.augment import augment

__all__ = ["augment"]
