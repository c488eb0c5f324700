"""The processes of a training on several devices: started, told what to do next, and ended all together.

The process that asked for the training trains nothing itself: it tells every rank to go on to the next report, and
takes the record of rank 0. A rank that is lost, or that fails, ends the others, and so does the end of whoever asked:
each rank watches over it. Ranks meet in a file and talk over the loopback device, so no port is open to others.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import tempfile
import traceback
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Protocol, Self

import torch
import torch.distributed as dist

from isoflop.errors import IsoflopError, LostError, TrialError
from isoflop.lifeline import tie_to_parent
from isoflop.records import Artifact, Record
from isoflop.training.parallel import Ranks, Together

GRACE = 5.0
"""Seconds in which a rank that was lost shows, after another one could not reach it."""
BACKENDS = {"cpu": "gloo", "cuda": "nccl"}
"""What ranks talk through, by the kind of their devices."""


class Run(Iterator[Record], Protocol):
    """A training under way, in this process or in others."""

    @property
    def step(self) -> int:
        """Steps done."""
        ...

    def save(self, report: int) -> Path:
        """Write a checkpoint after a report."""
        ...

    def finish(self, folder: Path, *, weights: bool = True) -> Sequence[Artifact]:
        """Leave what a finished training leaves in a folder, its weights where wanted."""
        ...


class Open(Protocol):
    """Begins a training, or goes on with it, in one of its processes. Travels there by reference."""

    def __call__(self, *, device: torch.device, ranks: Ranks) -> Run:
        """The training."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seat:
    """Where a rank stands."""

    rank: int
    count: int
    device: str
    store: str
    """The file in which the ranks meet."""


class Team(Iterator[Record]):
    """A training that several processes share, from outside like one in this process.

    Raises `TrialError` where this machine has fewer devices, `LostError` where a process is lost, and what the training
    raises; no process is left after that.
    """

    def __init__(self, opened: Open, *, count: int, device: torch.device) -> None:
        _check(count, device)
        self._context = multiprocessing.get_context("spawn")
        self._folder = tempfile.TemporaryDirectory(prefix="isoflop-ranks-")
        store = str(Path(self._folder.name) / "store")
        self._members: list[tuple[SpawnProcess, Connection]] = []
        self._end = weakref.finalize(self, _end, self._members, self._folder)
        for rank in range(count):
            place = f"{device.type}:{rank}" if device.type == "cuda" else device.type
            self._start(opened, _Seat(rank=rank, count=count, device=place, store=store))
        self.step: int = self._hear(range(count))[0]

    def __iter__(self) -> Self:
        """Itself: the records that are still to come."""
        return self

    def __next__(self) -> Record:
        """Train up to the next report, all ranks together."""
        record, self.step = self._ask("next", every=True)
        if record is None:
            raise StopIteration
        found: Record = record
        return found

    def save(self, report: int) -> Path:
        """Write a checkpoint after a report, by rank 0."""
        path: Path = self._ask("save", report)
        return path

    def finish(self, folder: Path, *, weights: bool = True) -> Sequence[Artifact]:
        """Leave weights, where wanted, and predictions; then all processes end."""
        left: Sequence[Artifact] = self._ask("finish", folder, weights, every=True)
        self.close()
        return left

    def close(self) -> None:
        """End all processes."""
        self._end()

    def pids(self) -> list[int]:
        """The processes, by rank."""
        return [process.pid or 0 for process, _ in self._members]

    def _start(self, opened: Open, seat: _Seat) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(opened, seat, theirs), name=f"rank {seat.rank}", daemon=True
        )
        process.start()
        theirs.close()
        self._members.append((process, ours))

    def _ask(self, *words: object, every: bool = False) -> Any:
        """What rank 0 answers to a request, once all who were asked have answered."""
        asked = range(len(self._members) if every else 1)
        for rank in asked:
            with suppress(OSError):  # one that is gone is missed below
                self._members[rank][1].send(words)
        return self._hear(asked)[0]

    def _hear(self, asked: Sequence[int]) -> list[Any]:
        """The answers of these ranks. Raises the first fault, and ends all; a lost process is the fault of others."""
        assert self._members, "a training whose processes have ended cannot go on"
        answers: dict[int, Any] = {}
        try:
            while len(answers) < len(asked):
                for rank in self._ready([rank for rank in asked if rank not in answers]):
                    answers[rank] = self._answer(rank)
        except BaseException:
            self.close()
            raise
        return [answers[rank] for rank in asked]

    def _ready(self, missing: Sequence[int]) -> list[int]:
        """The ranks of these that have something to say. Raises `LostError` where a process has ended."""
        ready = wait([*(self._members[rank][1] for rank in missing), *self._sentinels()])
        found = [rank for rank in missing if self._members[rank][1] in ready]
        if not found:
            self._miss()
        return found

    def _answer(self, rank: int) -> Any:
        try:
            said, value, trace = self._members[rank][1].recv()
        except (EOFError, OSError):
            wait(self._sentinels(), GRACE)
            self._miss()
            raise LostError(f"process {rank} of {len(self._members)} closed its line") from None
        if said:
            return value
        if not isinstance(value, IsoflopError) and wait(self._sentinels(), GRACE):
            self._miss()
        value.add_note(trace)
        raise value

    def _miss(self) -> None:
        """Raise `LostError` where a process has ended."""
        ended = wait(self._sentinels(), 0)
        for rank, (process, _) in enumerate(self._members):
            if process.sentinel in ended:
                process.join(GRACE)  # a killed process closes its files a moment before it has an exit code
            if (code := process.exitcode) is not None:
                how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
                raise LostError(f"process {rank} of {len(self._members)} ended {how}")

    def _sentinels(self) -> list[int]:
        return [process.sentinel for process, _ in self._members]


def _check(count: int, device: torch.device) -> None:
    """Raise `TrialError` where there are not so many devices."""
    if device.type not in BACKENDS:
        raise TrialError(f"train.devices: {count}, but {device.type} devices cannot share a training; set it to 1")
    there = torch.cuda.device_count() if device.type == "cuda" else count
    if there < count:
        raise TrialError(f"train.devices: {count}, but this process may use {there} of them; give it more, or lower it")


def _end(members: list[tuple[SpawnProcess, Connection]], folder: tempfile.TemporaryDirectory[str]) -> None:
    """End processes that have nothing to save: what they finished stands."""
    for process, connection in members:
        connection.close()
        process.kill()
    for process, _ in members:
        process.join()
    members.clear()
    folder.cleanup()


def _serve(opened: Open, seat: _Seat, line: Connection) -> None:
    """What a rank does: open its training, and do what it is told until nobody is there to tell."""
    tie_to_parent()
    good, run, trace = _try(lambda: _open(opened, seat))
    with suppress(EOFError, OSError):
        line.send((good, run.step if good else run, trace))
        while True:
            line.send(_try(_todo(run, *line.recv())))


def _open(opened: Open, seat: _Seat) -> Run:
    device = torch.device(seat.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")
    os.environ.update({"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": loopback})
    dist.init_process_group(
        BACKENDS[device.type], init_method=f"file://{seat.store}", rank=seat.rank, world_size=seat.count
    )
    return opened(device=device, ranks=Together())


def _todo(run: Run, word: str, *values: Any) -> Callable[[], Any]:
    return {
        "next": lambda: (next(run, None), run.step),
        "save": lambda: run.save(*values),
        "finish": lambda: run.finish(values[0], weights=values[1]),
    }[word]


def _try(todo: Callable[[], Any]) -> tuple[bool, Any, str]:
    """Do something and say what came of it: whether it went well, the value or the error, and its traceback."""
    try:
        return True, todo(), ""
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return False, error, traceback.format_exc(limit=-8)
