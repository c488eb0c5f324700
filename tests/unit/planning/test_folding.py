"""Cross-validation as a plan, on scripted trainings."""

from __future__ import annotations

from pathlib import Path

import pytest

from isoflop.errors import SpecError
from isoflop.journal.memory import MemoryJournal
from isoflop.planning.folding import FoldsPlan
from isoflop.records import Key, State, Trial
from tests.scripted import plan as search_plan
from tests.scripted import run


def plan(folds: int = 4) -> FoldsPlan:
    config = search_plan().space.config(
        {"model.family": "vit", "model.depth": 0.5, "optim.lr": 0.01}, study=search_plan().spec, data_digest="d"
    )
    trial = Trial(number=1, state=State.COMPLETE, params={"optim.lr": 0.01}, config=config.params(), flops=1000)
    return FoldsPlan(run="s/1", trial=trial, folds=folds, seed=0, seen={7}, code="c")


def test_every_fold_is_a_replicate_with_a_seed_of_its_own(tmp_path: Path) -> None:
    history = run(plan(), tmp_path, workers=3, order=0)
    assert list(history.trials) == [Key(trial=0, replicate=fold) for fold in range(4)]
    found = history.trials.values()
    assert [(trial.config["data.folds"], trial.config["data.fold"]) for trial in found] == [(4, n) for n in range(4)]
    assert len({trial.seed for trial in found}) == len({trial.fingerprint for trial in found}) == 4
    assert {trial.state for trial in found} == {State.COMPLETE}
    assert {trial.source for trial in found} == {"s/1"}


def test_what_was_trained_is_not_trained_again(tmp_path: Path) -> None:
    journal = MemoryJournal()
    run(plan(), tmp_path, workers=1, order=0, journal=journal)
    before = len(journal.read("s"))
    run(plan(), tmp_path, workers=1, order=0, journal=journal)
    assert len(journal.read("s")) == before


def test_one_fold_is_no_cross_validation() -> None:
    with pytest.raises(SpecError, match="1 fold leaves nothing"):
        plan(1).config(0)
