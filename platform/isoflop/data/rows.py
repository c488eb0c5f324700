"""Images where they are kept, given where a training runs."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from itertools import accumulate, pairwise

import torch
from torch import Tensor


class Rows:
    """Some of the images (N, C, H, W) uint8 of one tensor or of several, one after the other.

    They stay where the tensors are. Where that is not the device, what is asked for is gathered into pinned memory and
    copied from there, and `ahead` begins with the next in a thread, while the device computes.
    """

    def __init__(self, parts: Sequence[Tensor], places: Tensor | None, device: torch.device) -> None:
        """`places` (N,): where they stand in the tensors, on their device; none means all."""
        self.parts, self.places, self.device = parts, places, device
        self.ends = list(accumulate(map(len, parts)))
        self.away = self.kept.type != device.type
        self._coming: tuple[Tensor, Future[Tensor]] | None = None

    @property
    def kept(self) -> torch.device:
        """Where the images are, and so the places by which they are asked for."""
        return self.parts[0].device

    def __len__(self) -> int:
        """How many images there are."""
        return self.ends[-1] if self.places is None else len(self.places)

    @property
    def dtype(self) -> torch.dtype:
        """Of the images."""
        return self.parts[0].dtype

    def __getitem__(self, run: slice) -> Tensor:
        """Images (n, C, H, W) on the device, in their order."""
        return self.index_select(0, torch.arange(*run.indices(len(self)), device=self.kept))

    def index_select(self, dim: int, chosen: Tensor) -> Tensor:
        """Images (n, C, H, W) on the device, by their places (n,), which are where the images are kept."""
        assert dim == 0, "images are chosen, nothing of them"
        coming, self._coming = self._coming, None
        awaited = coming is not None and torch.equal(coming[0], chosen)
        found = coming[1].result() if coming is not None and awaited else self._gather(chosen)
        return found.to(self.device, non_blocking=True)

    def ahead(self, chosen: Tensor) -> None:
        """Begin to gather what is asked for next."""
        if self.away:
            self._coming = chosen, self._thread.submit(self._gather, chosen)

    def _gather(self, chosen: Tensor) -> Tensor:
        where = chosen if self.places is None else self.places[chosen]
        first = self.parts[0]
        found = torch.empty(
            (len(where), *first.shape[1:]),
            dtype=first.dtype,
            device=first.device,
            pin_memory=self.device.type == "cuda" and self.away,
        )
        if len(self.parts) == 1:
            return torch.index_select(first, 0, where, out=found)
        for part, (begin, end) in zip(self.parts, pairwise([0, *self.ends]), strict=True):
            inside = ((where >= begin) & (where < end)).nonzero()[:, 0]
            found[inside] = part[where[inside] - begin]
        return found

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1, thread_name_prefix="rows")
