"""Random `kill -9` of drivers and workers, a few of what `python -m benchmarks.kills` does a hundred times."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.kills import rampage


@pytest.mark.parametrize("executor", ["processes", "ray"])
def test_random_kills_change_nothing(tmp_path: Path, executor: str):
    tolls = rampage(tmp_path, 4, ["halving"], seed=3, executor=executor)
    assert sum(toll.drivers for toll in tolls.values()) == 2
    assert sum(toll.workers for toll in tolls.values()) == 2
    assert not any(toll.harmed for toll in tolls.values()), tolls
