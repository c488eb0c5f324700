"""Runs by their names."""

from __future__ import annotations

import pytest

from isoflop.errors import UnknownError
from isoflop.outcome import key_of
from isoflop.records import Key


@pytest.mark.parametrize(
    ("number", "key"), [("7", Key(trial=7)), ("7.2", Key(trial=7, replicate=2)), ("0", Key(trial=0))]
)
def test_a_run_is_written_as_it_is_shown(number: str, key: Key):
    assert key_of(f"study-1.2/{number}") == ("study-1.2", key)
    assert str(key) == number


@pytest.mark.parametrize("run", ["", "7", "s/", "/7", "s/x", "s/-1", "s/1.", "s/1.x", "s/1.2.3", "s/²", "s/٣"])
def test_anything_else_is_no_run(run: str):
    with pytest.raises(UnknownError, match="is not STUDY/NUMBER; see: isoflop leaderboard"):
        key_of(run)
