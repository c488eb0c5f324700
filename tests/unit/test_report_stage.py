"""The pipeline's report tells what the sampler earned, and has a curve for each arm."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from isoflop.journal.memory import MemoryJournal
from isoflop.outcome import Study, known
from isoflop.records import State
from isoflop.tracking.store import Store
from pipelines.report import earned, lines, progress
from tests.made_up import CONFIG, Writer

SPACE = {"model.family": "resnet", "optim.lr": {"float": [1e-4, 1e-1], "log": True}}


def study(tmp_path: Path, sources: list[str]) -> Study:
    journal = MemoryJournal()
    spec = {"space": SPACE, "study": {"name": "digits", "data": "digits", "control": 0.5}}
    writer = Writer(journal, "s", spec=spec)
    for number, source in enumerate(sources):
        writer.trial(number, [0.5 + number / 10], State.COMPLETE, config=CONFIG, source=source)
    return known("s", Store(journal, tmp_path))


def test_both_arms_have_words_and_curves(tmp_path: Path):
    found = study(tmp_path, ["default", "additive", "control", "additive"])
    (said,) = earned(found)
    assert said.startswith("## What the sampler earned\n\n- 1 training FLOPs of each arm: best val_accuracy of 1 trial")
    rows = list(progress(found))
    assert [(row[0], row[2]) for row in rows] == [
        *(("search", pytest.approx(value)) for value in (0.5, 0.6, 0.7, 0.8)),
        ("control", pytest.approx(0.7)),
        ("additive", pytest.approx(0.6)),
        ("additive", pytest.approx(0.8)),
    ]
    assert rows[3][1] == pytest.approx(math.log10(4))
    assert lines(("arm", "log10_flops", "val_accuracy"), rows[:1]).splitlines() == [
        "arm,log10_flops,val_accuracy",
        "search,0.0,0.5",
    ]


def test_without_a_control_arm_there_is_one_curve(tmp_path: Path):
    found = study(tmp_path, ["default", "additive"])
    assert list(earned(found)) == []
    assert {row[0] for row in progress(found)} == {"search"}
