"""Running out of memory is told in a line, and the peak is what was taken."""

from __future__ import annotations

import subprocess
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, PAGESIZE, mmap
from pathlib import Path

import numpy as np
import pytest
import torch

from isoflop.errors import DivergedError, ExhaustedError
from isoflop.home import Home
from isoflop.training.memory import Exhaustion, Meter, is_exhaustion

CPU = torch.device("cpu")
MIB = 2**20


def test_the_peak_counts_what_was_there_at_once_and_is_gone_again():
    meter = Meter(CPU)
    with private(80 * MIB):
        pass
    with private(40 * MIB):
        peak = meter.peak()
        assert 79 * MIB < peak < 90 * MIB
    assert meter.peak() >= peak


def test_each_meter_begins_anew():
    with private(40 * MIB):
        assert Meter(CPU).peak() < 10 * MIB


@contextmanager
def private(size: int) -> Iterator[None]:
    """So many bytes taken from the system itself: what the C library is asked for, it may keep when it is freed."""
    with mmap(-1, size, flags=MAP_PRIVATE | MAP_ANONYMOUS) as taken:
        for page in range(0, size, PAGESIZE):
            taken[page] = 1
        yield


def test_what_is_mapped_from_a_file_is_not_counted(tmp_path: Path):
    np.save(tmp_path / "images.npy", np.ones(40 * MIB, np.uint8))
    meter = Meter(CPU)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert int(mapped.sum()) == 40 * MIB
    assert meter.peak() < 10 * MIB


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 1"),
            ": 2 GiB more were asked for",
        ),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
            "you tried to allocate 12845056 bytes. Error code 12 (Cannot allocate memory)"),
            ": 12.2 MiB more were asked for",
        ),
        (MemoryError("Unable to allocate 4.00 GiB for an array with shape (1, 2)"), ": 4 GiB more were asked for"),
        (MemoryError(), ""),
        (RuntimeError("could not create a primitive"), " (could not create a primitive)"),
    ],
)  # fmt: skip
def test_it_says_where_and_what_was_asked_for(error: Exception, said: str):
    with pytest.raises(ExhaustedError) as caught, Exhaustion(CPU, lambda: "after step 3"):
        raise error
    assert str(caught.value) == f"out of memory on cpu after step 3{said}"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shapes do not fit"),
        ValueError("out of memory"),
        DivergedError(1, "train_loss"),
        RuntimeError("could not create a primitive descriptor for a convolution"),
    ],
)
def test_other_errors_pass(error: Exception):
    assert not is_exhaustion(error)
    with pytest.raises(type(error)) as caught, Exhaustion(CPU, lambda: ""):
        raise error
    assert caught.value is error


def test_a_tensor_too_large_for_any_machine_and_the_tensors_of_the_call_are_let_go():
    held: list[weakref.ref[torch.Tensor]] = []
    dropped: list[bool] = []

    def greedy() -> torch.Tensor:
        small = torch.ones(1000)
        held.append(weakref.ref(small))
        return small + torch.empty(2**50)

    with (
        pytest.raises(ExhaustedError, match="MiB more were asked for"),
        Exhaustion(CPU, lambda: "here", drop=lambda: dropped.append(True)),
    ):
        greedy()
    assert held[0]() is None
    assert dropped == [True]


SCRIPT = """
import resource, sys
from pathlib import Path
from isoflop.config import TrialConfig
from isoflop.errors import ExhaustedError
from isoflop.trial import run_trial

def config(width, batch, piece):
    return TrialConfig.from_params({
        "model.family": "lenet", "model.resolution": 32, "model.width": width, "data.name": "digits",
        "train.batch_size": batch, "train.micro_batch": piece, "train.horizon": 512, "train.axis": "images",
        "train.reports": 1,
    })

def train(*shape):
    try:
        record = next(run_trial(config(*shape), 0, data=Path(sys.argv[1])))
        print("done", record.measured["memory"] < 80e6)
    except ExhaustedError as error:
        print(error)

train(0.1, 64, None)  # what is loaded when it is first needed
size = int(next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (size + 80 * 2**20, resource.RLIM_INFINITY))
train(4.0, 512, None)
train(4.0, 512, 32)
train(100.0, 64, 1)
"""


def test_a_training_too_large_for_the_process_is_told_and_a_smaller_micro_batch_fits(home: Home):
    command = [sys.executable, "-c", SCRIPT, str(home.data / "digits")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    before, large, small, never = done.stdout.splitlines()
    assert before == "done True"
    assert large.startswith("out of memory on cpu after step 0: ")
    assert large.endswith(" MiB more were asked for")
    assert small == "done True"
    assert never.startswith("out of memory on cpu before the first step: ")
