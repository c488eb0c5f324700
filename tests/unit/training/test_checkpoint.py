"""Checkpoints are whole or passed over."""

from __future__ import annotations

from pathlib import Path

import torch

from isoflop.training import checkpoint

CPU = torch.device("cpu")


def test_newest_is_loaded_and_two_are_kept(tmp_path: Path):
    for report in range(1, 6):
        checkpoint.save(tmp_path, report, {"step": report})
    assert checkpoint.load(tmp_path, CPU) == {"step": 5}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_torn_checkpoint_is_passed_over(tmp_path: Path):
    checkpoint.save(tmp_path, 1, {"step": 1})
    newest = checkpoint.save(tmp_path, 2, {"step": 2})
    newest.write_bytes(newest.read_bytes()[:-7])
    assert checkpoint.load(tmp_path, CPU) == {"step": 1}


def test_no_checkpoint_is_none(tmp_path: Path):
    assert checkpoint.load(tmp_path / "none", CPU) is None
