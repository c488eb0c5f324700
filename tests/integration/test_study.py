"""The whole job in one process: search, finalists, test set, leaderboard, prediction."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isoflop
from isoflop import trained
from isoflop.errors import InputError, LeaseError, StudyError, UnknownError
from isoflop.evaluation.metrics import metrics_of
from isoflop.fused import members_of
from isoflop.home import Home
from isoflop.journal.event import Kind
from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.journal.sqlite import SqliteJournal
from isoflop.journal.transfer import dump, load
from isoflop.ledger import ledger
from isoflop.outcome import Study, load_study
from isoflop.records import Key, State
from isoflop.spec import Spec, spec_from_tree
from isoflop.study import Bench, _check_finalists, finalists, resume, search

TREE: dict[str, Any] = {
    "space": {
        "model.family": {
            "choice": {
                "lenet": {"model.width": {"choice": [1.0, 2.0, 3.0]}},
                "resnet": {"model.depth": 0.5, "model.width": 0.125},
            }
        },
        "model.stem": 1,
        "optim.lr": {"float": [1e-3, 0.1], "log": True},
    },
    "study": {
        "data": "digits",
        "fidelity": {"horizon": 3, "reports": 3},
        "halving": {"rungs": 1},
        "budget": {"trials": 6},
        "look_ahead": 3,
        "constraints": ["parameters <= 100000"],
        "finalists": {"top": 2, "seeds": 2},
    },
}


def spec(name: str, **study: Any) -> Spec:
    return spec_from_tree({"space": TREE["space"], "study": {**TREE["study"], **study}}, where="test", name=name)


def bench(home: Home) -> Bench:
    return Bench(home=home, executor="inline")


@pytest.fixture(scope="module")
def searched(home: Home) -> Study:
    return search(spec("whole"), bench=bench(home))


@pytest.fixture(scope="module")
def final(home: Home, searched: Study) -> Study:
    return finalists(searched.id, bench=bench(home))


def rows(study: Study) -> list[tuple[Any, ...]]:
    return [(t.number, t.state, dict(t.params), [dict(r.metrics) for r in t.records]) for t in study.trials]


def test_states_add_up_and_stopped_trials_stand_at_a_rung(searched: Study):
    counts = Counter(trial.state for trial in searched.trials)
    assert sum(not trial.state.free for trial in searched.trials) == 6
    assert all(state.final for state in counts)
    for trial in searched.store.trials(searched.id):
        if trial["state"] == State.PRUNED:
            assert trial["records"][-1]["report"] in searched.spec.study.rungs
            assert trial["rung"] == 1


def test_best_is_a_complete_trial(searched: Study):
    best = searched.best
    assert best is not None
    assert best.state is State.COMPLETE
    frame = searched.to_frame()
    complete = frame[frame.state == "COMPLETE"]
    assert best.value("val_accuracy") == complete.val_accuracy.max()
    assert {"number", "state", "flops", "parameters", "optim.lr", "model.family"} <= set(frame.columns)


def test_what_the_model_recommends_is_a_complete_trial(searched: Study, final: Study):
    for study in (searched, final):
        recommended = study.recommended
        assert recommended is not None
        assert recommended.state is State.COMPLETE


def test_a_search_repeats_bit_for_bit(home: Home, searched: Study):
    assert rows(search(spec("again"), bench=bench(home))) == rows(searched)


def test_a_longer_budget_equals_the_longer_search_at_once(home: Home):
    at_once = search(spec("long", budget={"trials": 9}), bench=bench(home))
    search(spec("short"), study="extended", bench=bench(home))
    extended = resume("extended", trials=9, bench=bench(home))
    assert rows(extended) == rows(at_once)


def test_a_study_that_is_done_trains_nothing_again(home: Home, searched: Study):
    before = len(bench(home).journal.read(searched.id))
    resume(searched.id, bench=bench(home))
    kinds = [event.kind for event in bench(home).journal.read(searched.id)][before:]
    assert kinds == [Kind.STUDY, Kind.CLOSED]


def test_another_space_under_the_same_id_is_refused(home: Home, searched: Study):
    other = spec_from_tree({**TREE, "space": {**TREE["space"], "augment.crop": 1}}, where="test", name="whole")
    with pytest.raises(InputError, match=r"space\.augment\.crop: was nothing, is 1"):
        search(other, study=searched.id, bench=bench(home))


def test_a_second_driver_is_refused_by_name(home: Home, searched: Study):
    journal = bench(home).journal
    lease = journal.acquire(searched.id, "elsewhere:1", 60)
    try:
        with pytest.raises(LeaseError, match="elsewhere:1"):
            resume(searched.id, bench=bench(home))
    finally:
        journal.release(lease)


def test_finalists_are_the_best_on_fresh_seeds(searched: Study, final: Study):
    best = searched.best
    assert best is not None
    assert len(final.trials) == 4
    assert {trial.state for trial in final.trials} == {State.COMPLETE}
    assert final.trials[0].source == f"{searched.id}/{best.number}"
    seeds = {trial.seed for trial in final.trials}
    assert len(seeds) == 2
    assert searched.spec.study.seed not in seeds


def test_the_test_set_is_opened_once(home: Home, final: Study):
    before = final.store.openings()
    rows = ledger(final.store, "digits")
    assert [row.run for row in rows if row.study == final.id] == [f"{final.id}/{n}" for n in ("0", "0.1", "1", "1.1")]
    isoflop.evaluate(final.id, bench=bench(home))
    assert final.store.openings() == before
    assert ledger(final.store, "digits") == rows


def test_more_seeds_are_refused_before_they_are_trained_once_the_test_set_was_opened(home: Home, final: Study):
    before = final.store.history(final.id).seq
    with pytest.raises(InputError, match=r"for 4 trainings, and 2 more would open it again"):
        finalists("whole-1", seeds=3, bench=bench(home))
    assert final.store.history(final.id).seq == before


def test_a_test_set_is_shut_for_searches_and_for_finalists_that_still_train(home: Home, searched: Study, final: Study):
    with pytest.raises(InputError, match="opened for finalists alone; run: isoflop finalists whole-1"):
        isoflop.evaluate(searched.id, bench=bench(home))
    journal = MemoryJournal()
    for number, line in enumerate(dump(bench(home).journal, final.id)):
        if '"kind": "end"' not in line:
            load(journal, final.id, [line], holder=f"test:{number}")
    with pytest.raises(InputError, match="4 of its 4 trainings have not ended"):
        _check_finalists(final.id, History.fold(journal.read(final.id)))


def test_a_wider_study_opens_the_test_set_once_more_for_what_is_new_alone(home: Home):
    """And more seeds of the same version only with a reason, which stands in the ledger."""
    place = bench(home)
    search(spec("more"), study="more", bench=place)
    first = finalists("more", top=1, seeds=1, bench=place)
    resume("more", trials=8, bench=place)
    finalists("more", top=3, seeds=1, bench=place)
    finalists("more", top=3, seeds=2, open_again="a second seed", bench=place)
    rows = [row for row in ledger(first.store) if row.study == first.id]
    openings = {row.opening: (row.version, row.again, row.why) for row in rows}
    assert [sum(row.opening == place for row in rows) for place in openings] == [1, 2, 3]
    assert openings[0][0] != openings[1][0] == openings[2][0]
    assert openings[2][1:] == (True, "a second seed")
    assert all(row.read for row in rows)
    assert {(row.key.trial, row.source) for row in rows} == {(t.number, t.source) for t in first.trials}


def test_an_opening_that_is_broken_off_is_in_the_ledger_and_goes_on(
    home: Home, searched: Study, monkeypatch: pytest.MonkeyPatch
):
    place = bench(home)
    search(spec("torn"), study="torn", bench=place)
    finalists("torn", top=2, seeds=1, open_test=False, bench=place)
    monkeypatch.setattr(trained, "evaluate_test", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        isoflop.evaluate("torn-finalists", bench=place)
    rows = [row for row in ledger(searched.store) if row.study == "torn-finalists"]
    assert [row.read for row in rows] == [False, False]
    monkeypatch.undo()
    isoflop.evaluate("torn-finalists", bench=place)
    rows = [row for row in ledger(searched.store) if row.study == "torn-finalists"]
    assert [(row.read, row.opening) for row in rows] == [(True, 0), (True, 0)]


def test_stored_predictions_give_the_metrics_on_the_board(home: Home, final: Study):
    (row, *_) = isoflop.leaderboard(final.id, home=home.path)
    found = []
    for replicate in range(2):
        folder = home.artifacts(final.id, Key(trial=int(row["run"].rsplit("/", 1)[1]), replicate=replicate))
        with np.load(folder / "test_predictions.npz") as file:
            assert file["logits"].dtype == np.float16
            found.append(metrics_of(file["logits"].astype(np.float32), file["labels"])["accuracy"])
    assert row["metrics"]["test_accuracy"]["mean"] == pytest.approx(sum(found) / 2, abs=1e-9)
    assert row["metrics"]["test_accuracy"]["seeds"] == 2
    low, high = row["metrics"]["test_accuracy"]["low"], row["metrics"]["test_accuracy"]["high"]
    assert low < row["metrics"]["test_accuracy"]["mean"] < high


def test_artifacts_are_as_the_journal_says(home: Home, final: Study):
    artifacts = final.store.history(final.id).artifacts
    splits = {f"{split}_{what}" for split in ("val", "test") for what in ("predictions", "report")}
    assert {kind for _, kind in artifacts} == {"weights", *splits}
    for facts in artifacts.values():
        assert hashlib.sha256(Path(facts["path"]).read_bytes()).hexdigest() == facts["sha256"]


def test_the_board_has_the_keys_of_the_contract(home: Home, final: Study):
    board = isoflop.leaderboard(home=home.path)
    keys = {"run", "study", "family", "parameters", "flops", "metrics", "tie_group", "data_digest"}
    assert all(keys <= set(row) for row in board)
    assert json.loads(json.dumps(board))
    values = [row["metrics"]["val_accuracy"]["mean"] for row in board]
    assert values == sorted(values, reverse=True)


def test_a_finalist_predicts(home: Home, final: Study):
    model = isoflop.load_model(f"{final.id}/0", home=home.path)
    images = np.load(home.data / "digits" / "test_images.npy")
    labels = np.load(home.data / "digits" / "test_labels.npy")
    with np.load(home.artifacts(final.id, Key(trial=0)) / "test_predictions.npz") as file:
        expected = (file["logits"].argmax(1) == labels).mean()
    assert (model.predict(images) == labels).mean() == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("run", ["nothing", "nothing/0", "whole-1-finalists/99"])
def test_an_unknown_run_is_said(home: Home, final: Study, run: str):
    with pytest.raises(UnknownError):
        isoflop.load_model(run, home=home.path)


def test_mlflow_has_every_trial_as_a_child_of_its_study(home: Home, searched: Study):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{home.mlflow}")
    experiments = [e.experiment_id for e in client.search_experiments()]
    runs = client.search_runs(experiments, f"tags.`isoflop.study` = '{searched.id}'")
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(children) == len(searched.trials)
    assert len(runs) == len(children) + 1
    states = Counter(run.data.tags["isoflop.state"] for run in children)
    assert states == Counter(str(trial.state) for trial in searched.trials)


def test_a_driver_that_is_killed_loses_nothing(home: Home, searched: Study):
    """`kill -9` in the middle of a search: what was finished stands, and the end is the undisturbed one's."""
    tree = json.dumps({"space": TREE["space"], "study": TREE["study"]})
    code = (
        "import json, os, sys\n"
        "from pathlib import Path\n"
        "from isoflop.home import Home\n"
        "from isoflop.spec import spec_from_tree\n"
        "from isoflop.study import Bench, search\n"
        "seen = []\n"
        "def listen(event):\n"
        "    seen.append(event.kind)\n"
        "    if seen.count('record') == 7: os.kill(os.getpid(), 9)\n"
        "spec = spec_from_tree(json.loads(sys.argv[1]), where='test', name='killed')\n"
        "bench = Bench(home=Home(Path(sys.argv[2])), executor='inline', listeners=(listen,))\n"
        "search(spec, study='killed-1', bench=bench)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tree, str(home.path)], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    journal = bench(home).journal
    finished = [event for event in journal.read("killed-1") if event.kind is Kind.END]
    assert finished
    assert rows(resume("killed-1", bench=bench(home))) == rows(searched)
    ends = [event for event in journal.read("killed-1") if event.kind is Kind.END]
    assert ends[: len(finished)] == finished
    assert len(ends) == len(searched.trials)


def test_a_wider_space_goes_on_with_the_old_trials(home: Home):
    space = {"model.family": {"choice": ["lenet"]}, "model.stem": 1, "optim.lr": {"float": [0.01, 0.1], "log": True}}
    wider = space | {"model.family": {"choice": ["lenet", "resnet"]}, "optim.lr": {"float": [0.001, 0.1], "log": True}}
    study = {**TREE["study"], "budget": {"trials": 2}}
    search(spec_from_tree({"space": space, "study": study}, where="test", name="grow"), study="grow", bench=bench(home))
    grown = spec_from_tree({"space": wider, "study": study}, where="test", name="grow")
    with pytest.raises(InputError, match=r"space\.model\.family\.choice"):
        search(grown, study="grow", bench=bench(home))
    done = resume("grow", spec=grown, trials=4, bench=bench(home))
    families = [trial.config["model.family"] for trial in done.trials]
    assert families[:2] == ["lenet", "lenet"]
    assert done.trials[2].source == "default"
    assert families[2] == "resnet"
    space["optim.lr"] = {"float": [0.05, 0.1], "log": True}
    narrow = spec_from_tree({"space": space, "study": study}, where="test", name="grow")
    with pytest.raises(InputError, match="is not in this space"):
        resume("grow", spec=narrow, bench=bench(home))


def test_a_study_whose_trials_all_fail_alike_stops_early_and_says_why(home: Home):
    space = {"model.family": "lenet", "model.stem": 1, "optim.lr": {"float": [1e29, 1e30], "log": True}}
    study = {**TREE["study"], "budget": {"trials": 40}, "sampler": {"name": "random"}}
    spec = spec_from_tree({"space": space, "study": study}, where="test", name="bad")
    with pytest.raises(StudyError, match=r"all \d+ trials failed: \d+ x diverged") as caught:
        search(spec, study="bad", bench=bench(home))
    failed = load_study("bad", home=home.path)
    assert len(failed.trials) < 20
    assert failed.store.history("bad").closed["reason"].startswith("StudyError: all")
    assert "\n" not in str(caught.value)
    assert "#" not in str(caught.value)


def test_a_study_whose_only_trial_fails_says_what_it_says(home: Home):
    space = {"model.family": "lenet", "model.stem": 1, "optim.lr": 1e30}
    study = {**TREE["study"], "budget": {"trials": 1}}
    spec = spec_from_tree({"space": space, "study": study}, where="test", name="one")
    with pytest.raises(StudyError, match=r"^its only trial failed: diverged: .* step \d+"):
        search(spec, study="one", bench=bench(home))


def test_difficulties_that_are_not_here_are_refused_before_anything_is_journalled(home: Home):
    space = {"model.family": "lenet", "curriculum.start": 0.5, "curriculum.by": "given", "curriculum.given": "0" * 16}
    spec = spec_from_tree({"space": space, "study": TREE["study"]}, where="test", name="given")
    with pytest.raises(
        InputError, match=r"curriculum\.given: no difficulties '0000000000000000' stand in .*; store them"
    ):
        search(spec, study="given", bench=bench(home))
    assert "given" not in SqliteJournal(home.journal).studies()


def test_finalists_as_one_program_are_what_each_is_alone(home: Home, monkeypatch: pytest.MonkeyPatch):
    """As on a device where that is faster: one trains for all, and the rows say so and repeat so."""
    from isoflop import fellows

    monkeypatch.setattr(fellows, "program", lambda config, seeds, data: members_of([config] * len(seeds), seeds))
    space = {"model.family": "lenet", "model.stem": 1, "optim.lr": 0.05}
    study = {**TREE["study"], "budget": {"trials": 1}, "finalists": {"top": 1, "seeds": 2, "fused": True}}
    found = search(spec_from_tree({"space": space, "study": study}, where="test", name="fused"), bench=bench(home))
    done = finalists(found.id, bench=bench(home))
    assert [(trial.config["fused.members"], trial.config["fused.place"]) for trial in done.trials] == [(2, 0), (2, 1)]
    assert {trial.state for trial in done.trials} == {State.COMPLETE}
    assert {trial.key for trial in done.trials} == set(done.store.history(done.id).opened)
    assert [row.fused for row in done.store.results(done.id)] == [True]
    again = isoflop.reproduce(f"{done.id}/0", bench=bench(home))
    assert [one.comparison.answer for one in again.trainings] == ["equal", "equal"]
