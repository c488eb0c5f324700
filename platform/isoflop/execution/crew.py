"""Worker processes of this machine: started when there is work for them, and taking job after job.

They are forked from a server that imported what every training needs, once (`multiprocessing`'s forkserver), so that a
worker is there in hundredths of a second and shares that memory with the others.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from types import ModuleType
from typing import Any, Self

from isoflop.execution.outcome import Outcome
from isoflop.execution.process_worker import serve
from isoflop.execution.training import Open
from isoflop.plan import Verdict
from isoflop.records import Job, Key


def import_ahead(modules: Sequence[str]) -> None:
    """Start the server that workers are forked from, and let it import, beside whatever happens here."""
    forkserver.set_forkserver_preload([*modules])
    forkserver.ensure_running()


class Member:
    """One worker process, and the job that it has."""

    def __init__(self, open_training: Open) -> None:
        context = multiprocessing.get_context("forkserver")
        self._line, theirs = context.Pipe()
        self._process: ForkServerProcess = context.Process(target=serve, args=(theirs, open_training), name="worker")
        with _without_main():
            self._process.start()
        theirs.close()
        self.key: Key | None = None
        """The training that it has."""
        self.leaving = False
        """Whether it was told to give its training back, and still saves."""
        self.heard = time.monotonic()

    def begin(self, job: Job) -> None:
        """Hand it a job."""
        self.key, self.heard = job.key, time.monotonic()
        self._send(job)

    def answer(self, verdict: Verdict) -> None:
        """Say what becomes of the training whose outcome it sent."""
        self.leaving = verdict is not Verdict.GO
        self._send(verdict)

    def hear(self) -> Outcome | str | None:
        """The outcome of a step, or at the end of a job what failed of the saving; none where the process is gone."""
        self.heard = time.monotonic()
        try:
            said: Outcome | str = self._line.recv()
        except (EOFError, OSError):
            return None
        return said

    def rest(self) -> None:
        """It has no job any more."""
        self.key, self.leaving = None, False

    def kill(self) -> None:
        """End the process: what was saved stands."""
        self._process.kill()
        self._process.join()
        self._line.close()

    @property
    def alive(self) -> bool:
        """Whether its process is there."""
        return self._process.is_alive()

    @property
    def ears(self) -> tuple[Connection, int]:
        """What becomes ready when it says something, or ends."""
        return self._line, self._process.sentinel

    def _send(self, what: object) -> None:
        with suppress(OSError):  # a process that is gone is missed when it is listened to
            self._line.send(what)


class Crew:
    """At most so many worker processes. Use it as a context: they end with it."""

    def __init__(self, size: int, open_training: Open) -> None:
        self.size, self._open_training = size, open_training
        self._members: list[Member] = []

    def __enter__(self) -> Self:
        """Nobody is started yet."""
        return self

    def __exit__(self, *error: object) -> None:
        """End all."""
        for member in [*self._members]:
            self.dismiss(member)

    @property
    def busy(self) -> list[Member]:
        """Those that have a job."""
        return [member for member in self._members if member.key is not None]

    def free(self) -> Member:
        """One without a job, started where there is none. To be asked for only while fewer are busy than may be."""
        for member in [one for one in self._members if one.key is None]:
            if member.alive:
                return member
            self.dismiss(member)
        self._members.append(Member(self._open_training))
        return self._members[-1]

    def ready(self, seconds: float) -> list[Member]:
        """Those with a job that have something to say, or are gone, after waiting so long at most."""
        ears: dict[Any, Member] = {ear: member for member in self.busy for ear in member.ears}
        ready = [ears[ear] for ear in wait([*ears], seconds)]
        return list(dict.fromkeys(ready))

    def dismiss(self, member: Member) -> None:
        """End a member."""
        self._members.remove(member)
        member.kill()


@contextmanager
def _without_main() -> Iterator[None]:
    """Keep new processes from running the program that starts them: all that they need comes by reference."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
