"""Records while servers and drivers are killed with `kill -9`, a little of what `python -m benchmarks.records` does."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.records import TRIALS, storm


@pytest.mark.timeout(900)
def test_a_search_whose_server_or_driver_is_killed_leaves_the_records_of_an_undisturbed_one(tmp_path: Path):
    found = storm(tmp_path, ["server killed twice"], {"inline": 2}, seed=5)
    assert {name: one.kills for name, one in found.items()} == {"server killed twice": 2, "driver killed, inline": 2}
    for one in found.values():
        assert one.runs == TRIALS + 1
        assert (one.running, one.twice, one.wrong, one.differ, one.late) == (0, 0, 0, 0, 0)
