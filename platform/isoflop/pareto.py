"""Which of many are not beaten in every respect, and by how much: ranks and volumes of values with mixed directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Direction: TypeAlias = Literal["maximize", "minimize"]
Ints: TypeAlias = npt.NDArray[np.int64]


def front(values: npt.ArrayLike, directions: Sequence[Direction]) -> Ints:
    """Places of the rows that no other dominates, ascending; rows with a NaN are never among them.

    One row dominates another where it is no worse in every column and better in one, so equal rows stand together.
    `values` is (rows, columns), with a direction a column.
    """
    costs = _costs(values, directions)
    return np.sort(_front(costs, np.flatnonzero(~np.isnan(costs).any(axis=1))))


def ranks(values: npt.ArrayLike, directions: Sequence[Direction]) -> Ints:
    """Rank of each row: 1 on the front, 2 on the front of the rest, and so on (Goldberg 1989, chapter 5).

    Rows with a NaN share the last rank.
    """
    costs = _costs(values, directions)
    found = np.zeros(len(costs), dtype=np.int64)
    left = np.flatnonzero(~np.isnan(costs).any(axis=1))
    rank = 0
    while len(left):
        rank += 1
        best = _front(costs, left)
        found[best] = rank
        left = np.setdiff1d(left, best, assume_unique=True)
    found[found == 0] = rank + 1
    return found


def crowding(values: npt.ArrayLike, directions: Sequence[Direction]) -> npt.NDArray[np.float64]:
    """Crowding distance of each row among those of its rank (Deb et al. 2002, section III-B); infinite at the ends."""
    costs = _costs(values, directions)
    rank = ranks(values, directions)
    found = np.zeros(len(costs))
    for one in np.unique(rank):
        rows = np.flatnonzero(rank == one)
        for column in costs.T:
            order = rows[np.argsort(column[rows], kind="stable")]
            found[order[[0, -1]]] = np.inf
            span = column[order[-1]] - column[order[0]]
            if span > 0:
                found[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return found


def hypervolume(values: npt.ArrayLike, directions: Sequence[Direction], reference: Sequence[float]) -> float:
    """The volume that the rows beat, up to a reference that is no better than they (Zitzler & Thiele 1998).

    Rows with a NaN, and what is worse than the reference in a column, count for nothing.
    """
    import moocore  # half a second, and few ask

    costs, limit = _costs(values, directions), _costs([list(reference)], directions)[0]
    known = costs[~np.isnan(costs).any(axis=1)]
    return float(moocore.hypervolume(known, ref=limit)) if len(known) else 0.0


def _costs(values: npt.ArrayLike, directions: Sequence[Direction]) -> npt.NDArray[np.float64]:
    """The values turned so that less is better in every column."""
    data = np.asarray(values, dtype=np.float64).reshape(-1, len(directions))
    return data * np.where(np.asarray(directions) == "minimize", 1.0, -1.0)


def _front(costs: npt.NDArray[np.float64], rows: Ints) -> Ints:
    """The non-dominated ones of some rows.

    In lexicographic order nothing is dominated by a later row, so each pass takes the first one and drops all that it
    dominates: rows times the size of the front, not rows squared.
    """
    left = rows[np.lexsort(costs[rows].T[::-1])]
    taken: list[int] = []
    while len(left):
        first, others = costs[left[0]], costs[left]
        same = (others == first).all(axis=1)
        taken.extend(left[same].tolist())
        left = left[~(same | (others >= first).all(axis=1))]
    return np.asarray(taken, dtype=np.int64)
