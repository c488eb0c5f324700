"""The luck of a search as a person reads it."""

from __future__ import annotations

from isoflop.cli.lucky import told
from isoflop.optimism import Optimism


def test_the_estimate_stands_beside_the_raw_score() -> None:
    luck = Optimism(raw=0.9312, expected=0.9291, trials=24, images=5000, spread=None)
    assert told(luck) == (
        "the best of 24 trials scored 93.12%, expect 92.91%: 0.21 points are luck of picking (images)"
    )
    known = Optimism(raw=0.9312, expected=0.9291, trials=24, images=5000, spread=0.001)
    assert told(known).endswith("(images and seeds)")
