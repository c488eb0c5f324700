"""Searches on worker processes, as programs of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil

from isoflop.home import Home
from isoflop.journal.event import Kind
from isoflop.outcome import load_study
from isoflop.records import State

TREE = {
    "space": {"model.family": "lenet", "model.stem": 1, "optim.lr": {"float": [0.001, 0.1], "log": True}},
    "study": {
        "data": "digits",
        "fidelity": {"axis": "epochs", "horizon": 9, "reports": 9},
        "budget": {"trials": 4},
        "sampler": {"name": "random"},
        "resources": {"workers": 2},
    },
}
PROGRAM = """
import json, sys
from isoflop.spec import spec_from_tree
from isoflop.study import Bench, search

print("begun", flush=True)
tree, study = json.loads(sys.argv[1]), sys.argv[2]
listen = lambda event: print(event.kind, flush=True)
bench = Bench.here(executor="processes", listeners=(listen,))
search(spec_from_tree(tree, where="test", name="test"), study=study, bench=bench)
"""


def started(home: Home, folder: Path, study: str, **fidelity: object) -> subprocess.Popen[str]:
    """A program that has no `if __name__ == "__main__"`, running a search."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    tree = {**TREE, "study": {**TREE["study"], "fidelity": {**TREE["study"]["fidelity"], **fidelity}}}  # type: ignore[dict-item]
    return subprocess.Popen(
        [sys.executable, str(program), json.dumps(tree), study],
        env={**os.environ, "ISOFLOP_HOME": str(home.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_workers_do_not_run_the_program_that_starts_them(home: Home, tmp_path: Path):
    out, error = (process := started(home, tmp_path, "whole")).communicate(timeout=120)
    assert process.returncode == 0, error
    assert out.split().count("begun") == 1
    assert {trial.state for trial in load_study("whole", home=home.path).trials} <= {State.COMPLETE, State.PRUNED}


def test_workers_end_with_a_driver_that_is_killed(home: Home, tmp_path: Path):
    process = started(home, tmp_path, "cut", horizon=500, reports=500)
    assert process.stdout is not None
    try:
        next(line for line in process.stdout if line.strip() == Kind.RECORD)
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 3, "a server, and two workers"
    finally:
        process.kill()
        process.wait()
    assert psutil.wait_procs(children, timeout=20)[1] == []
