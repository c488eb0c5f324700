"""What every test shares: no telemetry, and one Ray for the session."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from isoflop.data import prepare
from isoflop.home import Home
from tests.postgres import MISSING, binaries

os.environ.pop("MLFLOW_TRACKING_URI", None)  # records of tests go to the folders of tests
os.environ.update(
    {
        "DO_NOT_TRACK": "1",
        "DVC_NO_ANALYTICS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "RAY_USAGE_STATS_ENABLED": "0",
        "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    }
)

# Commands that tests start can be interrupted also where a shell runs the tests in its background and ignores Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples on every machine, and no verdict from its speed.
settings.register_profile("fixed", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fixed")


RAY = (
    "cli",
    "cli_control",
    "cluster",
    "crashes",
    "faults",
    "kills",
    "pipeline",
    "processes",
    "records",
    "scaling",
    "study",
)
MACHINE = (
    *(f"integration/test_{name}.py" for name in RAY),
    *(
        "dashboard",
        "contracts/test_executor.py",
        "contracts/test_tracker.py",
        "contracts/test_reads.py",
        "unit/execution",
    ),
)
"""Tests that start Ray, servers or a browser, or watch processes die."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what takes the whole machine; all else can run in several processes at once (`-m "not machine" -n 2`).

    What needs PostgreSQL is deselected where it is not installed.
    """
    root = Path(__file__).parent
    for item in items:
        if item.path.relative_to(root).as_posix().startswith(MACHINE):
            item.add_marker(pytest.mark.machine)
    if binaries() is None:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("postgres")])
        items[:] = [item for item in items if not item.get_closest_marker("postgres")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not run, and why."""
    if binaries() is None:
        terminalreporter.write_line(MISSING)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """One local Ray: four logical CPUs, no dashboard, no more."""
    import logging

    import ray

    ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A state folder with the digits prepared; tests that write studies use names of their own."""
    place = Home(tmp_path_factory.mktemp("home"))
    prepare("digits", root=place.data)
    return place
