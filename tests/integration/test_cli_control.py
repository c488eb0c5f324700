"""A study that runs, seen and steered from another terminal: processes as people start them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from isoflop.home import Home
from isoflop.journal.event import Kind
from isoflop.journal.history import History
from isoflop.journal.sqlite import SqliteJournal
from isoflop.records import Key, State

SPEC = """
space: {model.family: lenet, model.stem: 1, optim.lr: LR}
study:
  data: digits
  fidelity: {horizon: EPOCHS, reports: EPOCHS}
  halving: null
  budget: {trials: 3}
  sampler: {name: random}
"""
LONG = {"EPOCHS": "500", "LR": "{float: [0.001, 0.1], log: true}"}


class Terminal:
    """Commands in a state folder."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home, self.folder = home, folder

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", "from isoflop.cli import main; main()", *words]
        environment = {**os.environ, "ISOFLOP_HOME": str(self.home.path), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        process = self.start(*words)
        out, error = process.communicate(timeout=120)
        return process.returncode, out, error

    def search(self, study: str, **changes: str) -> subprocess.Popen[str]:
        """Begin a search."""
        text = SPEC
        for name, value in (LONG | changes).items():
            text = text.replace(name, value)
        spec = self.folder / f"{study}.yaml"
        spec.write_text(text)
        return self.start("search", str(spec), "--study", study, "--executor", "inline")

    def history(self, study: str) -> History:
        return History.fold(SqliteJournal(self.home.journal).read(study))

    def seen(self, study: str, process: subprocess.Popen[str], *, reports: int, trial: int = 0) -> None:
        """Wait until a trial that runs has so many reports."""
        while True:
            found = self.history(study).trials.get(Key(trial=trial)) if self.home.journal.exists() else None
            if found is not None and found.reports >= reports:
                return
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)
                pytest.fail(f"it ended before: {process.communicate()}")


@pytest.fixture
def terminal(home: Home, tmp_path: Path) -> Terminal:
    return Terminal(home, tmp_path)


@pytest.fixture
def steered(terminal: Terminal) -> Iterator[subprocess.Popen[str]]:
    process = terminal.search("steered")
    terminal.seen("steered", process, reports=2)
    yield process
    process.kill()
    process.wait()


def test_a_study_is_watched_and_steered_from_another_terminal(terminal: Terminal, steered: subprocess.Popen[str]):
    watcher = terminal.start("show", "steered", "--follow")
    assert watcher.stderr is not None
    assert watcher.stderr.readline() == "0/3 trials, 1 open\n"

    code, out, error = terminal.run("stop", "steered/0")
    assert code == 0, error
    assert "asked " in out
    assert "trial 0 of study steered is KILLED" in out
    terminal.seen("steered", steered, trial=1, reports=2)  # the study goes on with the next one
    assert terminal.run("gc", "steered", "--json")[:2] == (0, "[]\n")  # and what it has is left alone

    code, out, error = terminal.run("stop", "steered")
    assert code == 0, error
    assert "study steered is stopped; go on: isoflop resume steered" in out
    _, told = steered.communicate(timeout=60)
    assert steered.returncode == 130
    assert "interrupted: what was finished stands" in told

    history = terminal.history("steered")
    assert history.closed is not None
    assert history.closed["state"] == State.INTERRUPTED
    killed, cut = history.trials[Key(trial=0)], history.trials[Key(trial=1)]
    assert (killed.state, cut.state) == (State.KILLED, State.INTERRUPTED)
    assert killed.reason.startswith("stopped by ")
    assert list(terminal.home.checkpoints("steered", cut.key).glob("*.pt"))

    seen, error = watcher.communicate(timeout=60)
    assert watcher.returncode == 0
    assert "trial 0: KILLED" in error
    assert "state      INTERRUPTED" in seen

    assert terminal.run("stop", "steered")[:2] == (0, "study steered is not running\n")
    code, out, error = terminal.run("stop", "steered/1")
    assert (code, out) == (2, "")
    assert error.startswith("error: study steered: is not running")
    code, out, error = terminal.run("logs", "steered/0")
    assert (code, error) == (0, "")
    assert out.splitlines()[-1] == f"trial 0: KILLED, {killed.reason}"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_study_in_order(terminal: Terminal, number: signal.Signals, code: int):
    study = f"ended-{code}"
    process = terminal.search(study)
    terminal.seen(study, process, reports=2)
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    assert process.returncode == code, error
    assert error.strip().splitlines()[-1] == "interrupted: what was finished stands"
    history = terminal.history(study)
    assert history.closed is not None
    assert history.closed["state"] == State.INTERRUPTED
    (trial,) = history.open()
    reports = max(int(path.name.split("-")[0]) for path in terminal.home.checkpoints(study, trial.key).glob("*.pt"))
    assert trial.reports - reports <= 1


def test_a_study_whose_trials_all_fail_is_exit_code_1_with_the_causes(terminal: Terminal):
    process = terminal.search("failed", EPOCHS="1", LR="{float: [1.0e+20, 1.0e+30]}")
    _, error = process.communicate(timeout=120)
    assert process.returncode == 1, error
    last = error.strip().splitlines()[-1]
    assert last.startswith("error: all ")
    assert "trials failed: " in last
    assert "is not finite" in last
    assert "Traceback" not in error


def test_an_id_that_no_study_can_have_is_one_line(terminal: Terminal):
    process = terminal.search("it's")
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert error.startswith("error: it's.yaml: study.name: \"it's\" is not a name; ")
    assert len(error.splitlines()) == 1


def test_gc_says_what_goes_and_removes_it(terminal: Terminal):
    SqliteJournal(terminal.home.journal)
    path = terminal.home.checkpoints("forgotten", Key(trial=0)) / "000001-0123456789abcdef.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 1500)
    code, out, _ = terminal.run("gc", "forgotten", "--dry-run")
    assert code == 0
    assert out.splitlines()[-1] == "would remove 1, 1.5 kB"
    assert path.exists()
    code, out, _ = terminal.run("gc", "forgotten", "--json")
    (row,) = json.loads(out)
    assert (row["what"], row["study"], row["size"]) == ("checkpoints", "forgotten", 1500)
    assert set(row) == {"what", "study", "size", "why", "path"}
    assert not path.exists()
    code, out, error = terminal.run("gc", "forgotten")
    assert code == 2
    assert "unknown study 'forgotten'" in error


def test_what_ran_before_stands_when_it_is_followed_after_the_end(terminal: Terminal):
    process = terminal.search("short", EPOCHS="1")
    assert process.communicate(timeout=120)[1].count("COMPLETE") == 3
    code, out, error = terminal.run("show", "short", "--follow", "--json")
    assert (code, error) == (0, "")
    assert json.loads(out)["state"] == "COMPLETE"
    assert [event.kind for event in SqliteJournal(terminal.home.journal).read("short")][-1] is Kind.CLOSED
