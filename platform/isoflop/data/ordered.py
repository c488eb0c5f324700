"""Work in threads, results in order, memory bounded."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")
CHUNK: Final = 128
MOST: Final = 16
"""Threads at most: more wait for each other and for the disk."""


def ordered(work: Callable[[int], T], count: int, *, chunk: int = CHUNK) -> Iterator[list[T]]:
    """`work(0), work(1), ...` up to `count`, as lists of up to `chunk` and 128, computed by one thread a core."""
    workers = min(MOST, _cores())
    size = min(chunk, CHUNK)
    chunks = (range(start, min(start + size, count)) for start in range(0, count, size))
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[list[T]]] = deque()
        try:
            for some in chunks:
                waiting.append(pool.submit(_all_of, work, some))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _all_of(work: Callable[[int], T], chunk: range) -> list[T]:
    return [work(index) for index in chunk]


def _cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
