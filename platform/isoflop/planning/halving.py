"""What becomes of a trial at a rung, in canonical order.

A verdict depends on trials with lower numbers alone, so it does not depend on who arrived first. It is given as soon as
the trials that are still missing cannot change it, which is before they have all arrived more often than not.
"""

from __future__ import annotations

from collections.abc import Callable

from isoflop.plan import Verdict
from isoflop.study_spec import Halving

Places = Callable[[int], int]
"""Of how many trials that have reported at a rung, how many go on."""


def places(halving: Halving) -> Places:
    """The rule of a spec: 1 in `eta`, or the better half for median stopping; at least one."""
    if halving.name == "median":
        return lambda size: max(1, (size + 1) // 2)
    return lambda size: max(1, size // halving.eta)


def verdict(better: int, known: int, missing: int, rule: Places) -> Verdict:
    """What becomes of a trial of which `better` of `known` others are better and `missing` may still report.

    It goes on if it still would though all that are missing were better, it stops if it would though all were worse or
    never came, else it waits. More trials never make fewer places and one more trial never makes two more, so what
    holds at these ends holds in between.
    """
    if better + missing < rule(known + missing + 1):
        return Verdict.GO
    if better >= rule(known + missing + 1):
        return Verdict.STOP
    return Verdict.WAIT
