"""Seeds derived from seeds, so that every draw is a function of its place and no generator's state need be kept."""

from __future__ import annotations

import hashlib


def derive(seed: int, *place: str | int) -> int:
    """A seed of 63 bits for one place, such as `derive(seed, "order", epoch)`; equal on every machine."""
    text = "/".join(map(str, (seed, *place)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
