"""State folders for the dashboard: none, empty, small, and full of names that bite."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import streamlit as st

from isoflop.compound.findings import findings
from isoflop.compound.report import write_report
from isoflop.followup.report import write_report as write_json
from isoflop.journal.sqlite import SqliteJournal
from isoflop.records import State
from tests.made_up import CONFIG, DATA, Writer
from tests.scaled import plan, run

HOSTILE = "<img src=x onerror=alert(1)> **b** [x](javascript:alert(1)) $a$ `c` :red[d]"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state folder that the dashboard reads."""
    monkeypatch.setenv("ISOFLOP_HOME", str(tmp_path))
    st.cache_data.clear()
    st.cache_resource.clear()
    return tmp_path


@pytest.fixture
def journal(home: Path) -> SqliteJournal:
    return SqliteJournal(home / "journal.sqlite")


@pytest.fixture
def small(home: Path, journal: SqliteJournal) -> Path:
    """A search and two finalists on two seeds, with predictions and the test set opened."""
    search = Writer(journal, "digits-1")
    search.trial(0, [0.5, 0.8, 0.9], State.COMPLETE)
    search.trial(1, [0.4], State.PRUNED)
    search.trial(2, [], State.INFEASIBLE, reason="parameters <= 10")
    search.trial(3, [0.1, math.nan], State.FAILED, reason="diverged")
    finalists = Writer(journal, "digits-1-finalists", plan="finalists", parent="digits-1")
    for number, (family, flops, right) in enumerate([("resnet", 2e6, 380), ("lenet", 1e5, 320)]):
        for replicate in (0, 1):
            config = CONFIG | {"model.family": family}
            more = {"replicate": replicate, "config": config, "flops": flops, "source": f"digits-1/{number}"}
            finalists.trial(number, [0.6, right / 400], State.COMPLETE, **more)
            finalists.stored(home, number, replicate, "val", np.arange(400) < right)
            finalists.stored(home, number, replicate, "test", np.arange(400) < right - 4)
            finalists.opened(number, replicate, (right - 4) / 400)
    return home


@pytest.fixture
def several(home: Path, journal: SqliteJournal) -> Path:
    """Finalists of a set with several labels an image, whose study picks by the loss."""
    spec = {"space": {}, "study": {"name": "x", "objectives": [{"metric": "val_loss"}]}}
    data = DATA | {"task": "multilabel"}
    Writer(journal, "x-1", spec=spec, data=data).trial(0, [0.5, 0.8], State.COMPLETE)
    finalists = Writer(journal, "x-1-finalists", plan="finalists", parent="x-1", spec=spec, data=data)
    for number, value in enumerate((0.6, 0.9)):
        finalists.trial(number, [value], State.COMPLETE, source="x-1/0")
    return home


@pytest.fixture
def unfinished(home: Path, journal: SqliteJournal) -> Path:
    """A study with one trial that reported NaN, and a finalist that learned nothing one can rank."""
    Writer(journal, "digits-1").trial(0, [math.nan])
    Writer(journal, "digits-1-finalists", plan="finalists", parent="digits-1").trial(
        0, [math.nan], State.COMPLETE, source="digits-1/0", flops=0.0
    )
    return home


@pytest.fixture
def hostile(home: Path, journal: SqliteJournal) -> Path:
    """Names, parameters and reasons of someone who would like to run a script in the reader's browser."""
    data = {"name": HOSTILE, "digest": HOSTILE, "path": HOSTILE}
    params = {"model.family": HOSTILE, HOSTILE: HOSTILE, "optim.lr": "1e-4"}
    search = Writer(journal, HOSTILE, data=data)
    search.trial(0, [0.5], State.COMPLETE, params=params, config={"model.family": HOSTILE}, source=HOSTILE)
    search.trial(1, [0.5], State.FAILED, params=params | {"optim.lr": 0.1}, reason=HOSTILE)
    finalists = Writer(journal, f"{HOSTILE}-finalists", plan="finalists", parent=HOSTILE, data=data)
    finalists.trial(0, [0.5], State.COMPLETE, params=params, source=f"{HOSTILE}/0")
    return home


@pytest.fixture
def studied(home: Path, journal: SqliteJournal) -> Path:
    """An ablation and a cross-validation of one run with their reports, and an ablation that has not reported yet."""
    about = {"run": f"{HOSTILE}/0", "metric": "val_accuracy", "data": {"name": HOSTILE, "digest": "d"}}
    told = {"mean": 0.03, "low": 0.02, "high": 0.04}
    row = {"flops": 1e6, "earned": {"mean": 0.9, "low": 0.89, "high": 0.91}, "seeds": 2, "lost": ""}
    ablation = {
        **about,
        "seeds": [1, 2],
        "flops": 2e6,
        "as_is": {"mean": 0.93, "low": 0.92, "high": 0.94},
        "choices": [
            {**row, "key": HOSTILE, "value": 0.9, "default": HOSTILE, "gain": told, "p": 0.001, "told": True},
            {**row, "key": "a", "value": 1, "default": 0, "gain": told | {"low": -0.1}, "p": 0.4, "told": False},
            {**row, "key": "b", "value": 1, "default": 0, "earned": None, "gain": None, "p": None, "told": False},
        ],
        "untouched": [{"key": HOSTILE, "value": HOSTILE, "why": "is at its default"}],
    }
    values = [0.9, 0.92]
    folds = {
        **about,
        "folds": 3,
        "images": 90,
        "mean": {"mean": 0.91, "low": 0.8, "high": 0.97},
        "wider": 1.41,
        "values": values,
        "rows": [
            {"fold": place, "images": 30, "value": value, "seed": 1} for place, value in enumerate([*values, None])
        ],
    }
    for study, kind, tree in (("a", "ablation", ablation), ("f", "cross-validation", folds), ("u", "ablation", None)):
        Writer(journal, study, plan=kind).trial(0, [0.5])
        if tree:
            write_json(kind, tree, "", home / "reports" / study)
    return home


@pytest.fixture
def scaled(home: Path, journal: SqliteJournal, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two families that were scaled, with their report, and a scaling study that has not reported yet."""
    found = plan(("resnet", "vit"))
    history = run(found, tmp_path_factory.mktemp("scaled"))
    Writer(journal, "scale-1", plan="scaling").trial(0, [0.5], State.COMPLETE)
    write_report(findings("scale-1", found, history), home / "reports" / "scale-1")
    Writer(journal, "scale-2", plan="scaling").trial(0, [0.5])
    return home
