"""Spaces to try a model on."""

from __future__ import annotations

from isoflop.space import Choice, Float, Int, SearchSpace

PLAIN = SearchSpace()
LINE = SearchSpace(dimensions=(Float(key="u", low=0.0, high=1.0),))
BRANCHES = SearchSpace(
    dimensions=(
        Choice(
            key="family",
            options={
                "a": SearchSpace(dimensions=(Float(key="rate", low=1e-4, high=1e-1, log=True),)),
                "b": SearchSpace(dimensions=(Int(key="depth", low=1, high=6),)),
                "c": PLAIN,
            },
        ),
        Choice(key="batch", options=dict.fromkeys([64, 16, 32], PLAIN)),
        Float(key="only", low=0.5, high=0.5),
    )
)
"""Branches, a choice that is a range, and a dimension that does not vary."""
