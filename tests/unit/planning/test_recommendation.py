"""Which trial of a search to take."""

from __future__ import annotations

from pathlib import Path

from isoflop.execution.recorder import Recorder
from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.planning.recommendation import recommendation
from isoflop.records import Key, State
from tests.scripted import plan, run


def test_it_is_a_complete_trial_among_the_best(tmp_path: Path):
    search = plan()
    history = run(search, tmp_path, workers=3, order=0)
    number = recommendation(search.spec, search.space, history)
    complete = [trial for trial in history.trials.values() if trial.state is State.COMPLETE]
    assert number is not None
    better = [trial for trial in complete if _accuracy(history, trial.number) > _accuracy(history, number)]
    assert history.trials[Key(trial=number)].state is State.COMPLETE
    assert len(better) < 8


def test_who_suggested_the_trials_does_not_matter(tmp_path: Path):
    search = plan(sampler={"name": "random"}, look_ahead=30)
    history = run(search, tmp_path, workers=3, order=0)
    other = plan(sampler={"name": "tpe"}, look_ahead=30)
    assert recommendation(search.spec, search.space, history) == recommendation(other.spec, other.space, history)


def test_there_is_none_before_the_first_score(tmp_path: Path):
    search = plan()
    with Recorder(MemoryJournal(), "s", holder="t") as recorder:
        assert recommendation(search.spec, search.space, recorder.history) is None


def _accuracy(history: History, number: int) -> float:
    return float(history.trials[Key(trial=number)].value("val_accuracy"))
