"""Reading mapped files before they are needed, so that a disk is read in long runs and no step waits for a page.

What is read stands in the system's cache, which takes nothing from a process and gives way where memory is short.
"""

from __future__ import annotations

import os
from itertools import accumulate
from pathlib import Path
from typing import Final

import numpy as np

from isoflop.data.order import Fetch
from isoflop.data.portion import Portion
from isoflop.data.prepared import PreparedData

PIECE: Final = 2**17
"""Bytes asked for at a time: of a longer run Linux reads no more than the device's usual readahead (mm/readahead.c)."""


def fetcher(prepared: PreparedData, found: Portion) -> Fetch:
    """What has the system read images of a portion, from one place up to another."""
    arrays = [prepared.split(name)[0] for name in found.parts]
    begins = [0, *accumulate(map(len, arrays))]

    def fetch(start: int, stop: int) -> None:
        places = found.places
        low, high = (start, stop) if places is None else (int(places[start]), int(places[stop - 1]) + 1)
        for array, begin in zip(arrays, begins, strict=False):
            first, last = max(low - begin, 0), min(high - begin, len(array))
            if first < last:
                read_ahead(array, first, last)

    return fetch


def read_ahead(array: np.ndarray, first: int, last: int) -> None:
    """Have the system read some rows of a mapped array; nothing where it cannot be told."""
    assert isinstance(array, np.memmap)
    assert array.filename is not None
    if not hasattr(os, "posix_fadvise"):
        return
    row = array.nbytes // len(array)
    with Path(array.filename).open("rb") as file:
        for at in range(array.offset + first * row, array.offset + last * row, PIECE):
            os.posix_fadvise(file.fileno(), at, min(PIECE, array.offset + last * row - at), os.POSIX_FADV_WILLNEED)
