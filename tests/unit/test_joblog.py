"""What a training prints stands in its log, whatever else its process does."""

# ruff: noqa: T201 - printing is what is tested
from __future__ import annotations

import io
import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from isoflop.errors import DivergedError
from isoflop.joblog import CUT, JobLog, read


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study" / "7.txt"


def test_output_and_logging_are_taken_and_streams_restored(path: Path, capsys: pytest.CaptureFixture[str]):
    before = sys.stdout, sys.stderr, logging.getLogger().handlers[:]
    with JobLog(path).capture():
        print("one", 2)
        print("to stderr", file=sys.stderr)
        logging.getLogger("some.library").warning("mind %s", "this")
        print("no end", end="")
    assert (sys.stdout, sys.stderr, logging.getLogger().handlers) == before
    assert read(path) == "one 2\nto stderr\nWARNING some.library: mind this\nno end\n"
    print("after")
    assert capsys.readouterr() == ("after\n", "")


def test_an_exception_is_written_with_its_traceback_and_goes_on(path: Path):
    def fail() -> float:
        print("first")
        return 1 / 0

    with pytest.raises(ZeroDivisionError), JobLog(path).capture():
        fail()
    lines = read(path).splitlines()
    assert lines[0] == "first"
    assert lines[1].startswith("--- 20")
    assert lines[1].endswith(": failed")
    assert lines[2] == "Traceback (most recent call last):"
    assert lines[-1] == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(("error", "said"), [(DivergedError(3, "x"), "not finite at step 3"), (KeyboardInterrupt(), "interrupted")])  # fmt: skip # noqa: E501
def test_what_is_said_in_a_line_has_no_traceback(path: Path, error: BaseException, said: str):
    with pytest.raises(type(error)), JobLog(path).capture():
        raise error
    (line,) = read(path).splitlines()
    assert line.endswith(said)


def test_the_end_of_an_iterator_is_no_failure(path: Path):
    with pytest.raises(StopIteration), JobLog(path).capture():
        next(iter(()))
    assert read(path) == ""


def test_other_threads_print_where_they_did(path: Path, capsys: pytest.CaptureFixture[str]):
    inside, printed = threading.Event(), threading.Event()

    def other() -> None:
        inside.wait(10)
        print("from elsewhere")
        sys.stdout.flush()
        printed.set()

    thread = threading.Thread(target=other)
    thread.start()
    with JobLog(path).capture():
        inside.set()
        assert printed.wait(10)
        print("from here")
    thread.join()
    assert read(path) == "from here\n"
    assert capsys.readouterr() == ("from elsewhere\n", "")


def test_threads_with_logs_of_their_own_do_not_mix(tmp_path: Path):
    start = threading.Barrier(4)

    def work(number: int) -> None:
        with JobLog(tmp_path / f"{number}.txt").capture():
            start.wait(10)
            for line in range(200):
                print(number, line)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    before = sys.stdout
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sys.stdout is before
    for number in range(4):
        assert read(tmp_path / f"{number}.txt") == "".join(f"{number} {line}\n" for line in range(200))


def test_a_stream_that_somebody_put_over_ours_is_left(path: Path, monkeypatch: pytest.MonkeyPatch):
    theirs = io.StringIO()
    with JobLog(path).capture():
        monkeypatch.setattr(sys, "stdout", theirs)
    assert sys.stdout is theirs


def test_a_log_in_a_log_takes_over_for_as_long(tmp_path: Path):
    outer, inner = tmp_path / "outer.txt", tmp_path / "inner.txt"
    with JobLog(outer).capture():
        print("a")
        with JobLog(inner).capture():
            print("b")
        print("c")
    assert (read(outer), read(inner)) == ("a\nc\n", "b\n")


def test_it_is_bounded_and_keeps_both_ends(path: Path):
    log = JobLog(path, limit=4000)
    for number in range(5000):
        log.write(f"line {number}\n")
    data = path.read_bytes()
    assert len(data) <= 4000
    lines = data.decode().splitlines()
    assert lines[:2] == ["line 0", "line 1"]
    assert lines[-1] == "line 4999"
    assert lines.count(CUT.decode().strip()) == 1
    place = lines.index(CUT.decode().strip())
    assert lines[place + 1 :] == [f"line {number}" for number in range(5000 - len(lines) + place + 1, 5000)]


def test_a_line_without_an_end_is_written_nevertheless(path: Path):
    with JobLog(path, limit=50_000).capture():
        for _ in range(1000):
            print("progress " * 10, end="\r")
            assert len(read(path)) <= 51_000
        assert read(path)


@pytest.mark.parametrize("place", ["/dev/full", "/proc/nothing/here.txt", "/dev/null/here.txt"])
def test_a_disk_that_refuses_hurts_no_training(place: str, capsys: pytest.CaptureFixture[str]):
    log = JobLog(Path(place))
    with log.capture():
        print("lost")
        log.note("lost too")
    assert capsys.readouterr() == ("", "")
    assert read(Path("/proc/nothing/here.txt")) == ""


def test_without_a_path_all_goes_where_it_did(capsys: pytest.CaptureFixture[str]):
    with JobLog(None).capture():
        print("seen")
    JobLog(None).note("nothing")
    assert capsys.readouterr().out == "seen\n"


def test_text_that_is_no_unicode_is_written(path: Path):
    JobLog(path).write("\udcff and \x00\n")
    assert read(path) == "\\udcff and \x00\n"


WORKER = """
import logging, sys, threading, warnings
from pathlib import Path
from isoflop.joblog import JobLog, forget_warnings

log = JobLog(Path(sys.argv[1]))

def train():
    warnings.warn("old way")
    logging.getLogger("library").warning("mind this")
    logging.getLogger("library").info("never mind")

def other():
    logging.getLogger("elsewhere").warning("careful")

for job in range(2):
    with log.capture():
        forget_warnings()
        for report in range(2):
            train()
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
"""


def test_in_a_worker_each_training_is_warned_once_and_others_log_as_python_does(path: Path):
    command = [sys.executable, "-c", WORKER, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    lines = read(path).splitlines()
    assert [line for line in lines if "mind" in line] == 4 * ["WARNING library: mind this"]
    assert len([line for line in lines if line.endswith("UserWarning: old way")]) == 2
    assert (done.stdout, done.stderr) == ("", 2 * "careful\n")
