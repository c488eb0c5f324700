"""Crash points: a process ends as `kill -9` would end it, at the call that was asked for and at no other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import isoflop
from isoflop.crashpoints import POINTS, VARIABLE, arm, crash
from isoflop.errors import InputError

CODE = """
import sys
from isoflop.crashpoints import crash
for number in range(3):
    print(number, flush=True)
    crash("worker.step")
    crash("trial.start")
"""


@pytest.fixture(autouse=True)
def disarmed():
    yield
    arm("")


def walk(text: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, VARIABLE: text}
    return subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("text", "printed"), [("worker.step:1", "0"), ("trial.start:3", "0 1 2"), ("trial.start", "0")]
)
def test_a_process_is_killed_at_the_call_that_was_asked_for(text: str, printed: str):
    done = walk(text)
    assert (done.returncode, done.stdout.split()) == (-9, printed.split())


@pytest.mark.parametrize("text", ["", "worker.step:4", "study.before_close:1"])
def test_elsewhere_nothing_happens(text: str):
    done = walk(text)
    assert (done.returncode, done.stdout.split()) == (0, ["0", "1", "2"])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("worker.stop:1", f"{VARIABLE}: unknown crash point 'worker.stop'; did you mean 'worker.step'?"),
        ("worker.step:0", f"{VARIABLE}: '0' is no number of calls; write worker.step:1"),
        ("worker.step:x", f"{VARIABLE}: 'x' is no number of calls; write worker.step:1"),
    ],
)
def test_what_is_no_point_is_refused_in_a_line(text: str, line: str):
    arm(text)
    with pytest.raises(InputError) as error:
        crash("worker.step")
    assert str(error.value) == line


def test_a_point_that_is_not_in_the_list_is_a_bug():
    arm("worker.step:9")
    with pytest.raises(AssertionError):
        crash("worker.stop")


def test_every_point_stands_once_in_the_package_and_no_other():
    sources = Path(isoflop.__file__).parent.rglob("*.py")
    found = [name for path in sources for name in re.findall(r'\bcrash\("([^"]+)"\)', path.read_text())]
    assert sorted(found) == sorted(POINTS)
