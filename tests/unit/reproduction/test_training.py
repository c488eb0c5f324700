"""A training in a process of its own, with a package that is made up in place of ours."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from isoflop.errors import InputError, StateError
from isoflop.records import Key, State
from isoflop.reproduction.recorded import Training
from isoflop.reproduction.sources import Source
from isoflop.reproduction.training import FailedError, Remade
from tests.made_up import record

PACKAGE = """
import os, pathlib, sys
from dataclasses import dataclass

@dataclass
class Record:
    report: int; step: int; epoch: float; images: int; flops: float; fidelity: float; metrics: dict

class InputError(Exception): pass
class TrialError(Exception): pass
class DivergedError(TrialError): pass
class ExhaustedError(TrialError): pass

class TrialConfig:
    @classmethod
    def from_params(cls, params): return params

class Run:
    def __init__(self, config, seed, **more):
        self.config, self.seed, self.report = config, seed, 0
        print("noise on stdout", sorted(more))
    def __iter__(self): return self
    def __next__(self):
        self.report += 1
        exec(self.config.get(f"at.{self.report}", ""))
        metrics = {"val_accuracy": self.report / 10, "val_loss": 1 - self.report / 10, "train_loss": 0.5}
        return Record(self.report, self.report, float(self.report), 64, 1.0, float(self.report), metrics)
    def finish(self, folder, weights): pathlib.Path(folder, "left").write_text(str(self.seed))

run_trial = Run
"""
TORCH = (
    "class cuda:\n    is_available = staticmethod(lambda: True)\n    get_device_name = staticmethod(lambda: 'a GPU')\n"
)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "src" / "isoflop").mkdir(parents=True)
    (tmp_path / "src" / "isoflop" / "__init__.py").write_text(PACKAGE)
    (tmp_path / "src" / "torch.py").write_text(TORCH)
    return Source(path=tmp_path / "src", code="c", what="made up")


def remade(source: Source, folder: Path, *, reports: int = 3, horizon: int = 3, **config: str) -> Remade:
    params = {"train.reports": horizon, **{name.replace("_", "."): text for name, text in config.items()}}
    training = Training(
        key=Key(trial=0),
        state=State.COMPLETE,
        seed=7,
        config=params,
        flops=1.0,
        records=tuple(record(report, report / 10) for report in range(1, reports + 1)),
    )
    return Remade(training=training, source=source, data=folder, weights={}, home=folder, folder=folder / "0")


def test_records_come_from_the_source_and_what_is_printed_is_none(source: Source, tmp_path: Path):
    made = remade(source, tmp_path)
    assert [(one.report, one.metrics["val_accuracy"]) for one in made.records()] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert made.device == "a GPU"
    assert (tmp_path / "0" / "left").read_text() == "7"
    assert "noise on stdout ['asked', 'data', 'flops']" in (tmp_path / "0" / "log.txt").read_text()


def test_one_that_was_stopped_is_trained_as_far_and_leaves_nothing(source: Source, tmp_path: Path):
    made = remade(source, tmp_path, reports=2, horizon=9)
    assert [one.report for one in made.records()] == [1, 2]
    assert not (tmp_path / "0" / "left").exists()


def test_closing_the_records_ends_the_process(source: Source, tmp_path: Path):
    written = tmp_path / "process"
    code = f"pathlib.Path({str(written)!r}).write_text(str(os.getpid()))"
    made = remade(source, tmp_path, at_1=code, at_2="import time; time.sleep(99)")
    with closing(made.records()) as records:
        assert next(records).report == 1
    with pytest.raises(ProcessLookupError):
        os.kill(int(written.read_text()), 0)
    assert not (tmp_path / "0" / "left").exists()


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        ("raise DivergedError('diverged: val_loss')", FailedError, "diverged: val_loss"),
        ("raise KeyError('x')", StateError, "the training broke off: KeyError: 'x'"),
        ("raise ExhaustedError('16 GB')", InputError, "16 GB; reproduce it on one with more memory"),
        ("raise InputError('key: value')", InputError, "key: value"),
        ("os.kill(os.getpid(), 9)", StateError, "its process ended with -9"),
        ("print('why', file=sys.stderr, flush=True); os._exit(3)", StateError, "ended with 3; why"),
    ],
)
def test_how_a_training_ends_is_told(source: Source, tmp_path: Path, fault: str, error: type[Exception], said: str):
    records = remade(source, tmp_path, at_2=fault).records()
    assert next(records).report == 1
    with pytest.raises(error) as caught:
        next(records)
    assert said in str(caught.value)


def test_another_copy_of_the_package_is_refused(source: Source, tmp_path: Path):
    made = remade(source, tmp_path)
    elsewhere = Source(path=tmp_path / "elsewhere", code="c", what="empty")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "torch.py").write_text(TORCH)
    made.source = elsewhere
    with pytest.raises(StateError, match="Python imports isoflop from"):
        next(made.records())
