"""Signals of a command: the first stops it in order, a second one ends it at once."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

CODE = """
import signal, sys
from isoflop.cli.signals import caught
if "ignored" in sys.argv:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
with caught() as code:
    try:
        if "replaced" in sys.argv:  # as a run does
            def stop(number, frame):
                raise KeyboardInterrupt
            signal.signal(signal.SIGTERM, stop)
        print("ready", flush=True)
        sys.stdin.readline()
        print("not interrupted", flush=True)
    except KeyboardInterrupt:
        print("clean-up", flush=True)
        sys.stdin.readline()
    print(code(), flush=True)
"""


def start(*words: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, "130"), (signal.SIGTERM, "143")])
def test_the_first_signal_leaves_time_to_clean_up_and_is_told(number, code):
    process = start()
    process.send_signal(number)
    assert process.stdout.readline() == "clean-up\n"
    assert process.communicate("\n", timeout=30)[0] == f"{code}\n"
    assert process.returncode == 0


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_one_ends_it_at_once(first, second):
    process = start()
    process.send_signal(first)
    assert process.stdout.readline() == "clean-up\n"
    process.send_signal(second)
    assert process.wait(timeout=30) == -second


def test_it_is_told_though_another_handles_it():
    process = start("replaced")
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "clean-up\n"
    assert process.communicate("\n", timeout=30)[0] == "143\n"


def test_what_is_ignored_stays_ignored():
    process = start("ignored")
    process.send_signal(signal.SIGINT)
    assert process.communicate("\n", timeout=30)[0] == "not interrupted\n130\n"
