"""A search as a job on a Ray cluster that `ray start --head` began."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isoflop.home import Home
from isoflop.outcome import load_study
from tests.integration.test_cli import isoflop, written

pytestmark = pytest.mark.cluster
RAY = str(Path(sys.executable).with_name("ray"))
LIMIT = 180.0


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    port, dashboard = "26379", "28265"
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "PATH": f"{Path(RAY).parent}:{os.environ['PATH']}"}
    head = subprocess.Popen(
        [
            RAY, "start", "--head", "--block", "--num-cpus=2", f"--port={port}", "--node-ip-address=127.0.0.1",
            f"--dashboard-port={dashboard}", "--dashboard-host=127.0.0.1", "--dashboard-agent-listen-port=28365",
        ],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    assert head.stdout is not None
    try:
        for line in head.stdout:
            if "Ray runtime started" in line:
                break
        yield f"http://127.0.0.1:{dashboard}"
    finally:
        head.terminate()
        head.wait(30)


def test_a_submitted_search_runs_to_its_end_and_its_log_is_followed(home: Home, tmp_path: Path, address: str):
    spec = written(tmp_path, family="{choice: [lenet, resnet]}")
    began = time.monotonic()
    done = isoflop(home.path, "submit", spec, "--address", address, "--study", "submitted-1")
    assert done.returncode == 0, done.stderr
    job = done.stdout.strip()
    assert re.fullmatch(r"raysubmit_\w+", job)
    followed = isoflop(home.path, "jobs", "logs", job, "--address", address)
    assert followed.returncode == 0, followed.stderr
    assert "study submitted-1: 1 COMPLETE" in followed.stdout
    assert time.monotonic() - began < LIMIT
    assert isoflop(home.path, "jobs", "status", job, "--address", address).stdout.strip() == "SUCCEEDED"
    assert job in isoflop(home.path, "jobs", "list", "--address", address).stdout
    study = load_study("submitted-1", home=home.path)
    assert study.best is not None


def test_an_unknown_job_is_one_line(home: Home, address: str):
    done = isoflop(home.path, "jobs", "status", "raysubmit_none", "--address", address)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert "unknown job" in done.stderr


def test_no_cluster_is_one_line(home: Home):
    done = isoflop(home.path, "jobs", "list", "--address", "http://127.0.0.1:9")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert "no Ray cluster answers" in done.stderr
