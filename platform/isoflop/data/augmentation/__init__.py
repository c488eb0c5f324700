"""Changes drawn for each image of a batch, as tensor operations on the whole batch. See `Augmentation`."""

from isoflop.data.augmentation.augment import Augmentation, Draws

__all__ = ["Augmentation", "Draws"]
