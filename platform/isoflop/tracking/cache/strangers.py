"""Which study runs are read, and what is said of those that are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """A study's own run. Runs of other programs have no role, and are none of these."""

    run: str
    study: str
    began: float
    seq: int
    numbered: bool
    """Whether its writer numbers what it writes."""


def settled(heads: Iterable[Head]) -> tuple[Mapping[str, int], Sequence[str]]:
    """Numbers by run, oldest study first, and a line for each run that is left out.

    Without numbers nobody can tell what is new. Of two studies with one id, as two machines may write to one server,
    the older one is read: rows name studies by their ids.
    """
    found: dict[str, Head] = {}
    notices = []
    for head in sorted(heads, key=lambda one: (one.began, one.run)):
        if not head.numbered:
            remedy = f"resume it with this version where its journal is: isoflop resume {head.study}"
            notices.append(f"study {head.study} (run {head.run}) has no numbers and is left out; {remedy}")
        elif head.study in found:
            other = found[head.study].run
            remedy = "give studies ids of their own: isoflop search --study ID"
            notices.append(f"study {head.study} stands there twice; run {other} is read, {head.run} is not; {remedy}")
        else:
            found[head.study] = head
    return {head.run: head.seq for head in found.values()}, notices
