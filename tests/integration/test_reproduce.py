"""Runs of a real search brought back, inline: bit for bit, with their verdict on the run, and what else may come."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from isoflop import reproduce
from isoflop.bench import Bench
from isoflop.cli import main
from isoflop.errors import InputError, LeaseError
from isoflop.execution.recorder import Recorder
from isoflop.home import Home
from isoflop.journal.event import Kind
from isoflop.ledger import ledger
from isoflop.outcome import Study, load_study
from isoflop.provenance import hardware
from isoflop.records import Key, State
from isoflop.reproduction.comparison import Answer
from isoflop.reproduction.run import Wish, bring_back
from isoflop.reproduction.stage import export_stage
from isoflop.spec import spec_from_tree
from isoflop.study import finalists, search

TREE = {
    "space": {"model.family": "lenet", "model.stem": 1, "optim.lr": {"float": [0.001, 0.02], "log": True}},
    "study": {
        "name": "again",
        "data": "digits",
        "fidelity": {"horizon": 1, "reports": 2},
        "halving": {"eta": 2, "rungs": 1},
        "look_ahead": 1,
        "budget": {"trials": 2},
        "seed": 1,
        "sampler": {"name": "random"},
    },
}


@pytest.fixture(scope="module")
def bench(home: Home) -> Bench:
    return Bench(home=home, executor="inline")


@pytest.fixture(scope="module")
def final(bench: Bench) -> Study:
    """A finalist on two seeds, the test set opened."""
    spec = spec_from_tree(TREE, where="test")
    search(spec, study="again", bench=bench)
    return finalists("again", top=1, seeds=2, bench=bench)


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command; gives its exit code, its output and its errors."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["isoflop", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        found = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, found.out, found.err

    return run


def test_all_seeds_of_a_row_come_back_bit_for_bit_and_the_board_says_so(bench: Bench, final: Study):
    opened, openings = final.store.history(final.id).opened, ledger(final.store)
    found = reproduce("again-finalists/0", bench=bench)
    assert found.answer is Answer.EQUAL
    for one in found.trainings:
        answers, weights = one.comparison.answers, one.comparison.weights
        assert answers is not None
        assert weights is not None
        assert (answers.equal, weights.equal, one.hardware, one.changes) == (True, True, hardware(), ())
    history = final.store.history(final.id)
    assert history.opened == opened, "no test set is opened anew"
    assert ledger(final.store) == openings
    assert {str(key): [one["answer"] for one in told] for key, told in history.verdicts.items()} == {
        "0": ["equal"],
        "0.1": ["equal"],
    }
    (result,) = final.store.results(final.id)
    assert [one and one["answer"] for one in result.verdicts] == ["equal", "equal"]
    assert list(bench.home.reproductions.iterdir()) == []


def test_a_trial_that_was_stopped_comes_back_as_far_and_every_verdict_stays(bench: Bench, final: Study):
    del final
    study = load_study("again", home=bench.home.path)
    pruned = next(trial for trial in study.trials if trial.state is State.PRUNED)
    for _ in range(2):
        found = reproduce(f"again/{pruned.number}", bench=bench)
        assert (found.answer, found.trainings[0].comparison.reports) == (Answer.EQUAL, pruned.reports)
        assert found.trainings[0].comparison.answers is None
    events = [event for event in bench.journal.read("again") if event.kind is Kind.VERDICT]
    assert [(event.trial, event.index) for event in events] == [(pruned.number, 0), (pruned.number, 1)]
    assert study.store.history("again").trials[pruned.key] == pruned


def test_a_study_that_runs_is_left_alone(bench: Bench, final: Study):
    with (
        Recorder(bench.journal, final.id, holder="another:1"),
        pytest.raises(LeaseError, match="another:1 is running it; reproduce again-finalists/0 once it has ended"),
    ):
        reproduce("again-finalists/0", bench=bench)


def test_a_tolerance_is_a_number(bench: Bench, final: Study):
    with pytest.raises(InputError, match="tolerance"):
        reproduce(f"{final.id}/0", tolerance=float("inf"), bench=bench)


def test_a_file_without_the_state_folder_is_enough_and_what_differs_is_told(
    bench: Bench,
    final: Study,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Command,
):
    """The record says another learning rate than it was trained with: the first report already tells."""
    folder = export_stage(f"{final.id}/0.1", into=tmp_path / "stage", home=bench.home.path)
    file = folder / "run.json"
    values = json.loads(file.read_text())
    values["config"]["optim"]["lr"] *= 1.01
    file.write_text(json.dumps(values))
    monkeypatch.setenv("ISOFLOP_HOME", str(tmp_path / "elsewhere"))
    data = str(bench.home.data / "digits")
    strict = ("--tolerance", "0", "--into", str(tmp_path / "out"))
    code, out, _ = command("reproduce", str(file), "--data", data, *strict)
    assert code == 1
    assert "first difference: report 1, lr: recorded" in out
    assert "stopped after report 1 of 2" in out
    assert "again-finalists/0.1: DIFFERENT, on" in out.splitlines()[-1]
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert (verdict["answer"], verdict["trainings"][0]["reports"]) == ("different", 1)
    wish = Wish(tolerance=1.0, data=Path(data))
    found = bring_back(str(file), wish, bench=Bench.here(executor="inline"))
    (one,) = found.trainings
    assert (found.answer, one.comparison.reports) == (Answer.WITHIN, 2)
    assert one.comparison.answers is not None
    assert not one.comparison.answers.equal
    assert final.store.history(final.id).verdicts.get(Key(trial=0, replicate=2)) is None
    assert not (tmp_path / "elsewhere" / "journal.sqlite").exists()


def test_a_changed_data_file_is_named_and_nothing_is_trained(
    bench: Bench, final: Study, monkeypatch: pytest.MonkeyPatch, command: Command
):
    monkeypatch.setenv("ISOFLOP_HOME", str(bench.home.path))
    changed = bench.home.data / "digits" / "train_images.npy"
    before = changed.read_bytes()
    seq = final.store.history(final.id).seq
    changed.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    try:
        monkeypatch.chdir(bench.home.path)
        code, out, error = command("reproduce", f"{final.id}/0")
    finally:
        changed.write_bytes(before)
    assert (code, out) == (2, "")
    lines = error.splitlines()
    assert lines[0] == f"error: {changed}: is not as it was written"
    assert "is nowhere here; run: isoflop data prepare digits --name digits" in lines[1]
    assert final.store.history(final.id).seq == seq


def test_dvc_repro_brings_a_run_back_and_has_nothing_to_do_then(bench: Bench, final: Study, tmp_path: Path):
    """A stage needs nothing but the package: no state folder, no journal; it prepares the data as they were."""
    folder = export_stage(f"{final.id}/0.1", into=tmp_path / "project" / "stage", home=bench.home.path)
    assert sorted(path.name for path in folder.iterdir()) == ["0.1", "dvc.yaml", "run.json"]
    package = tmp_path / "isoflop"  # where the package is installed, it is on the path
    package.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from isoflop.cli import main; main()" "$@"\n')
    package.chmod(0o755)
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}

    def dvc(*words: str, cwd: Path = folder) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "dvc", *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    dvc("init", "--no-scm", "--quiet", cwd=folder.parent)
    assert f"{final.id}/0.1: equal bit for bit" in dvc("repro")
    verdict = json.loads((folder / "again" / "verdict.json").read_text())
    assert (verdict["run"], verdict["answer"]) == (f"{final.id}/0.1", "equal")
    records = json.loads((folder / "again" / "trainings" / "0.1" / "records.json").read_text())
    trained = final.store.history(final.id).trials[Key(trial=0, replicate=1)]
    assert [one["metrics"] for one in records] == [dict(one.metrics) for one in trained.records]
    assert "up to date" in dvc("status")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("reproduce again/9", "again/9: is no run of this study; see: isoflop trials again"),
        ("reproduce agian/0", "unknown study 'agian'; did you mean 'again'?"),
        ("reproduce again", "'again' is not STUDY/NUMBER"),
        ("reproduce nowhere/run.json", "is no record of a run"),
        ("export-stage again/9", "again/9: is no run of this study"),
        ("export-stage again-finalists/0 --into .", "is there and holds something else; name another with --into"),
    ],
)
def test_what_cannot_be_is_one_line(
    words: str, said: str, final: Study, monkeypatch: pytest.MonkeyPatch, command: Command
):
    monkeypatch.setenv("ISOFLOP_HOME", str(final.store.home))
    monkeypatch.chdir(final.store.home)
    code, out, error = command(*words.split())
    assert (code, out, len(error.splitlines())) == (2, "", 1)
    assert said in error


def test_in_a_project_that_has_the_data_the_stage_depends_on_them(bench: Bench, final: Study, tmp_path: Path):
    (tmp_path / ".dvc").mkdir()
    shutil.copytree(bench.home.data / "digits", tmp_path / "data" / "digits")
    lock = {"schema": "2.0", "stages": {"prepare": {"cmd": "x", "outs": [{"path": "data/digits", "md5": "a.dir"}]}}}
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(lock))
    folder = export_stage(f"{final.id}/0", into=tmp_path / "review", home=bench.home.path)
    stages = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"]
    assert list(stages) == ["reproduce"]
    assert stages["reproduce"]["deps"] == [
        "run.json",
        "0/val_predictions.npz",
        "0.1/val_predictions.npz",
        "../data/digits",
    ]
    assert "--data ../data/digits" in stages["reproduce"]["cmd"]
