"""What `isoflop show` says of the luck in a search's best score."""

from __future__ import annotations

from isoflop.optimism import Optimism


def told(luck: Optimism) -> str:
    """The estimate in a line, in points of a share."""
    of = "images" if luck.spread is None else "images and seeds"
    return (
        f"the best of {luck.trials} trials scored {luck.raw:.2%}, expect {luck.expected:.2%}: "
        f"{100 * luck.luck:.2f} points are luck of picking ({of})"
    )
