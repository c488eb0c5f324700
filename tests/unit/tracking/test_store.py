"""What the store reads out of made-up journals."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from isoflop.errors import StateError, UnknownError
from isoflop.journal.event import ARTIFACTS, Event, Kind
from isoflop.journal.memory import MemoryJournal
from isoflop.records import State
from isoflop.tracking.store import Store
from tests.made_up import DATA, SPEC, Writer


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def store(journal: MemoryJournal, tmp_path: Path) -> Store:
    return Store(journal, tmp_path)


def test_an_empty_journal_reads_as_nothing(store: Store) -> None:
    assert store.studies() == []
    assert store.results() == []
    assert store.version() == ()
    with pytest.raises(UnknownError, match="no study yet"):
        store.trials("x")


def test_a_study_tells_its_best_complete_trial_and_counts_states(journal: MemoryJournal, store: Store) -> None:
    writer = Writer(journal, "s-1")
    writer.trial(0, [0.5, 0.8], State.COMPLETE)
    writer.trial(1, [0.99], State.PRUNED)
    writer.trial(2, [0.6, 0.9], State.COMPLETE)
    writer.trial(3, [0.4, math.nan], State.COMPLETE)
    writer.trial(4, [], State.INFEASIBLE, reason="parameters <= 10")
    row = store.studies()[0]
    assert (row["id"], row["state"], row["trials"]) == ("s-1", "RUNNING", 5)
    assert (row["best"], row["best_trial"], row["objective"]) == (0.9, 2, "val_accuracy")
    assert row["counts"] == {"COMPLETE": 3, "PRUNED": 1, "INFEASIBLE": 1}
    assert sum(row["counts"].values()) == row["trials"]
    assert row["updated"] > row["began"] == 1.0


def test_less_is_better_where_the_objective_says_so(journal: MemoryJournal, store: Store) -> None:
    objectives = [{"metric": "val_loss", "direction": "minimize"}]
    writer = Writer(journal, "s-1", spec={"space": {}, "study": {"name": "x", "objectives": objectives}})
    writer.trial(0, [0.9], State.COMPLETE)
    writer.trial(1, [0.5], State.COMPLETE)
    assert store.studies()[0]["best_trial"] == 0
    assert store.trials("s-1")[0]["values"] == {"val_loss": pytest.approx(0.1)}


def test_state_of_a_study(journal: MemoryJournal, store: Store) -> None:
    writer = Writer(journal, "s-1")
    writer.trial(0, [0.5])
    writer.write(Kind.STATE, 0, index=0, payload={"state": "RUNNING"})
    assert store.studies()[0]["state"] == "RUNNING"
    journal.release(writer.lease)
    assert store.studies()[0]["state"] == "INTERRUPTED"
    writer.lease = journal.acquire("s-1", "test", 60.0)
    writer.write(Kind.CLOSED, payload={"state": "INTERRUPTED", "reason": "by a person"})
    row = store.studies()[0]
    assert (row["state"], row["reason"]) == ("INTERRUPTED", "by a person")


def test_trials_are_strict_json_and_a_rung_is_a_pruned_ones_last_report(journal: MemoryJournal, store: Store) -> None:
    writer = Writer(journal, "s-1")
    writer.trial(1, [0.3, 0.4, 0.5], State.PRUNED)
    writer.trial(0, [0.5, math.nan], State.FAILED, reason="diverged at step 7")
    writer.trial(2)
    rows = json.loads(json.dumps(store.trials("s-1"), allow_nan=False))
    assert [(row["number"], row["state"], row["rung"]) for row in rows] == [
        (0, "FAILED", None),
        (1, "PRUNED", 3),
        (2, "WAITING", None),
    ]
    assert [row["values"]["val_accuracy"] for row in rows] == [None, 0.5, None]
    assert rows[1]["records"][-1]["report"] == 3
    assert rows[0]["reason"] == "diverged at step 7"
    assert rows[0]["params"] == {"model.family": "resnet", "optim.lr": 0.1}


def test_what_was_solved_for_equal_flops_stands_beside_what_was_sampled(journal: MemoryJournal, store: Store) -> None:
    study = {**SPEC["study"], "equal": {"flops": 2.5e6, "by": "width", "families": {"resnet": "depth"}}}
    writer = Writer(journal, "s-1", spec={**SPEC, "study": study})
    writer.trial(0, [0.5], State.COMPLETE)
    writer.trial(1, state=State.INFEASIBLE, flops=0.0)
    rows = store.trials("s-1")
    assert [row["solved"] for row in rows] == [{"model.depth": 1.5}, {}]
    assert [row["residual"] for row in rows] == [pytest.approx(-0.2), None]
    Writer(journal, "s-2").trial(0, [0.5], State.COMPLETE)
    assert [(row["solved"], row["residual"]) for row in store.trials("s-2")] == [({}, None)]


def test_later_events_are_taken_in_and_copies_stand_still(journal: MemoryJournal, store: Store) -> None:
    writer = Writer(journal, "s-1")
    writer.trial(0, [0.5])
    before, version = store.history("s-1"), store.version()
    assert store.version() == version
    writer.trial(1, [0.6], State.COMPLETE)
    assert store.version() != version
    assert [len(before.trials), len(store.history("s-1").trials)] == [1, 2]


def test_only_new_events_are_read(journal: MemoryJournal, tmp_path: Path) -> None:
    asked: list[int] = []

    class Counting(MemoryJournal):
        def read(self, study: str, after: int = 0) -> Sequence[Event]:
            asked.append(after)
            return journal.read(study, after)

        def studies(self) -> Sequence[str]:
            return journal.studies()

    writer = Writer(journal, "s-1")
    writer.trial(0, [0.5])
    store = Store(Counting(), tmp_path)
    store.trials("s-1")
    store.trials("s-1")
    newest = journal.read("s-1")[-1].seq
    assert asked == [0, newest]


def finalists(journal: MemoryJournal) -> Writer:
    """Finalist 0 on three seeds, one of which failed; finalist 1 on one seed."""
    Writer(journal, "s-1").trial(4, [0.9], State.COMPLETE)
    writer = Writer(journal, "s-1-finalists", plan="finalists", parent="s-1")
    for replicate, state in enumerate([State.COMPLETE, State.FAILED, State.COMPLETE]):
        writer.trial(0, [0.5, 0.9 + 0.01 * replicate], state, replicate=replicate, source="s-1/4")
    writer.trial(1, [0.7], State.COMPLETE, source="s-1/2")
    return writer


def test_results_gather_the_seeds_of_a_finalist(journal: MemoryJournal, store: Store) -> None:
    writer = finalists(journal)
    writer.opened(0, 0, 0.95)
    first, second = store.results()
    assert (first.run, first.source, first.family, first.shape) == (
        "s-1-finalists/0",
        "s-1/4",
        "resnet",
        "d1.5 w1 r8 s1",
    )
    assert (first.seeds, first.lost, first.data_digest) == ((10, 12), 1, "d1")
    assert first.values["val_accuracy"] == (0.9, 0.92)
    assert "test_accuracy" not in first.values, "one of its two seeds was not opened yet"
    assert "train_loss" not in first.values
    assert second.values["val_accuracy"] == (0.7,)
    writer.opened(0, 2, 0.97)
    assert store.results()[0].values["test_accuracy"] == (0.95, 0.97)
    assert store.openings() == {"d1": 2}


def test_results_of_one_search_are_those_of_its_finalists(journal: MemoryJournal, store: Store) -> None:
    finalists(journal)
    Writer(journal, "other-1")
    assert len(store.results("s-1")) == len(store.results("s-1-finalists")) == 2
    assert store.results("other-1") == []
    with pytest.raises(UnknownError, match="did you mean 's-1'"):
        store.results("s1")


def test_a_shape_without_the_stored_resolution_leaves_it_out(journal: MemoryJournal, store: Store) -> None:
    data = {key: value for key, value in DATA.items() if key != "shape"}
    writer = Writer(journal, "f-1", plan="finalists", parent="s-1", data=data)
    writer.trial(0, [0.7], State.COMPLETE, source="s-1/2")
    assert store.results()[0].shape == "d1.5 w1"


def test_predictions_come_in_the_order_of_the_seeds(journal: MemoryJournal, store: Store, tmp_path: Path) -> None:
    writer = finalists(journal)
    assert store.predictions("s-1-finalists/0", "val") == []
    for replicate, wrong in [(0, 0), (2, 1)]:
        writer.stored(tmp_path, 0, replicate, "val", np.arange(3) >= wrong)
    assert [found.split for found in store.predictions("s-1-finalists/0", "val")] == ["val", "val"]
    found = store.results()[0]
    assert list(found.hits) == ["val"]
    assert found.hits["val"].tolist() == [[True, True, True], [False, True, True]]
    assert (found.search, found.counts) == ("s-1", {"COMPLETE": 1})
    (tmp_path / "s-1-finalists-0-2-val.npz").unlink()
    with pytest.raises(StateError, match="retrain"):
        store.predictions("s-1-finalists/0", "val")
    torn = store.results()[0]
    assert not torn.hits
    assert "s-1-finalists-0-2-val.npz" in torn.faults[0]


@pytest.mark.parametrize("run", ["s-1-finalists", "s-1-finalists/x", "/0", "s-1-finalists/9", "gone/0"])
def test_an_unknown_run_is_named(journal: MemoryJournal, store: Store, run: str) -> None:
    finalists(journal)
    with pytest.raises(UnknownError, match=r"run|study"):
        store.predictions(run, "val")


def test_reading_loads_nothing_heavy() -> None:
    heavy = ["torch", "ray", "mlflow", "optuna", "streamlit", "sklearn", "pandas"]
    code = f"import sys, isoflop.tracking.store, isoflop.ranking; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_report_is_that_of_the_run_or_of_its_first_seed_that_left_one(
    journal: MemoryJournal, store: Store, tmp_path: Path
) -> None:
    writer = finalists(journal)
    place = ARTIFACTS.index("val_report")
    for replicate in (0, 2):
        path = store.home / f"{replicate}.json"
        path.write_text(json.dumps({"images": replicate}))
        writer.write(Kind.ARTIFACT, 0, replicate=replicate, index=place, payload={"path": path.name, "sha256": ""})
    assert store.report("s-1-finalists/0", "val") == {"run": "s-1-finalists/0", "images": 0}
    assert store.report("s-1-finalists/0.2", "val") == {"run": "s-1-finalists/0.2", "images": 2}
    for run, split in (("s-1-finalists/0.1", "val"), ("s-1-finalists/1", "val"), ("s-1-finalists/0", "test")):
        with pytest.raises(UnknownError, match="left no report on"):
            store.report(run, split)
    (store.home / "0.json").write_text("{")
    with pytest.raises(StateError, match=r"0\.json: the report cannot be read"):
        store.report("s-1-finalists/0", "val")


def test_a_finalist_is_picked_by_what_its_study_asks_for(journal: MemoryJournal, store: Store) -> None:
    Writer(journal, "s-1").trial(4, [0.9], State.COMPLETE)
    for study, objectives, task, pick in (
        ("a", [{"metric": "flops"}, {"metric": "val_macro_f1"}], "classification", "val_macro_f1"),
        ("b", [{"metric": "flops"}], "multilabel", "val_map"),
    ):
        spec = {"space": {}, "study": {"name": "x", "objectives": objectives}}
        data = {"name": "d", "digest": "d1", "path": "/d", "shape": [1, 8, 8], "task": task}
        Writer(journal, study, plan="finalists", parent="s-1", spec=spec, data=data).trial(0, [0.9], State.COMPLETE)
        (found,) = store.results(study)
        assert (found.pick, found.task.name) == (pick, task)


def luck_journal(writer: Writer, home: Path) -> None:
    """Six equals, one that was stopped, and one whose logits went for want of room."""
    rng = np.random.default_rng(0)
    for number in range(7):
        writer.trial(number, [0.9], State.COMPLETE)
        writer.stored(home, number, 0, "val", rng.random(400) < 0.9)
    writer.trial(7, [0.9], State.PRUNED)
    (home / "s-1-6-0-val.npz").unlink()


def test_luck_is_read_from_the_logits_that_are_there(journal: MemoryJournal, store: Store, tmp_path: Path) -> None:
    writer = Writer(journal, "s-1")
    luck_journal(writer, tmp_path)
    found = store.luck("s-1")
    assert found is not None
    assert (found.trials, found.images, found.spread) == (6, 400, None)
    assert 0.005 < found.luck < 0.03
    assert store.luck("s-1") is found


def test_luck_knows_the_seeds_once_there_are_finalists(journal: MemoryJournal, store: Store, tmp_path: Path) -> None:
    luck_journal(Writer(journal, "s-1"), tmp_path)
    before = store.luck("s-1")
    later = Writer(journal, "s-1-finalists", plan="finalists", parent="s-1")
    for replicate, rate in enumerate((0.85, 0.9, 0.95)):
        later.trial(0, [rate], State.COMPLETE, replicate=replicate, source="s-1/3")
        later.stored(tmp_path, 0, replicate, "val", np.arange(400) < 400 * rate)
    found = store.luck("s-1")
    assert before is not None
    assert found is not None
    assert found.spread == pytest.approx(0.05, rel=0.2)
    assert found.luck > before.luck
    (result,) = store.results("s-1")
    assert (result.searched, result.luck) == (0.9, found.luck)


def test_luck_of_another_metric_is_not_known(journal: MemoryJournal, store: Store, tmp_path: Path) -> None:
    objectives = [{"metric": "val_loss", "direction": "minimize"}]
    luck_journal(Writer(journal, "s-1", spec={"space": {}, "study": {"name": "x", "objectives": objectives}}), tmp_path)
    assert store.luck("s-1") is None
    assert store.luck("unknown") is None


def test_the_newest_verdict_on_a_seed_stands_on_board_and_trial(journal: MemoryJournal, store: Store) -> None:
    writer = Writer(journal, "s-1-finalists", plan="finalists", parent="s-1")
    for replicate in (0, 1):
        writer.trial(0, [0.5], State.COMPLETE, replicate=replicate, source="s-1/0")
    before = store.history("s-1-finalists")
    for index, answer in enumerate(("different", "equal")):
        writer.write(Kind.VERDICT, 0, replicate=1, index=index, payload={"answer": answer, "off": math.inf})
    assert [one and one["answer"] for one in store.results()[0].verdicts] == [None, "equal"]
    rows = json.loads(json.dumps(store.trials("s-1-finalists"), allow_nan=False))
    assert [row["reproduced"] for row in rows] == [None, {"answer": "equal", "off": None}]
    after = store.history("s-1-finalists")
    assert (after.trials, after.changes) == (before.trials, before.changes), "a verdict is nothing to plan by"
    assert before.verdicts == {}
