"""Which images a training answered wholly rightly, as text: so a store of records alone can tell rows apart."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from isoflop.errors import StateError
from isoflop.evaluation.predictions import load_predictions
from isoflop.statistics import Hits

PIECE = 6000
"""Characters of a tag: 10,000 images with 9 in 10 right take 900, and a million take 14 tags."""


def tags_of(path: Path, split: str) -> dict[str, str]:
    """What tags tell of stored predictions: their hits, or why they cannot be read."""
    try:
        text = encode(load_predictions(path).hits)
    except StateError as error:
        return {fault_name(split): str(error)}
    return {f"{_name(split)}.{place}": text[at : at + PIECE] for place, at in enumerate(range(0, len(text), PIECE))}


def hits_in(tags: Mapping[str, str], split: str) -> Hits | None:
    """The hits (images,) that tags tell of, none where they tell of none or are torn."""
    pieces: list[str] = []
    while (piece := tags.get(f"{_name(split)}.{len(pieces)}")) is not None:
        pieces.append(piece)
    return decode("".join(pieces)) if pieces else None


def fault_name(split: str) -> str:
    """The tag that says why predictions could not be read."""
    return f"isoflop.{split}_predictions_fault"


def encode(hits: Hits) -> str:
    """Hits as text: how many, and their bits, packed and compressed."""
    flat = np.ascontiguousarray(hits, dtype=np.bool_).reshape(-1)
    return f"{len(flat)}:{base64.b64encode(zlib.compress(np.packbits(flat).tobytes(), 9)).decode()}"


def decode(text: str) -> Hits | None:
    """The hits (images,) behind a text, none where it is torn."""
    count, _, bits = text.partition(":")
    try:
        packed = np.frombuffer(zlib.decompress(base64.b64decode(bits, validate=True)), dtype=np.uint8)
        return np.unpackbits(packed, count=int(count)).astype(np.bool_)
    except (ValueError, binascii.Error, zlib.error):
        return None


def _name(split: str) -> str:
    return f"isoflop.{split}_hits"
