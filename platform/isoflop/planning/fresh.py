"""Seeds that nothing was trained with yet."""

from __future__ import annotations

from collections.abc import Collection
from itertools import count, islice

from isoflop.seeds import derive


def fresh_seeds(seed: int, purpose: str, number: int, *, seen: Collection[int]) -> tuple[int, ...]:
    """So many seeds derived from one for a purpose, none of them among those that were seen; more begin with fewer."""
    drawn = (derive(seed, purpose, place) % 2**31 for place in count())
    return tuple(islice((one for one in drawn if one not in seen), number))
