"""What runs in a worker process: one training after another, as the driver hands them over."""

from __future__ import annotations

import os
from contextlib import suppress
from multiprocessing.connection import Connection

from isoflop.execution.training import Open
from isoflop.execution.worker import Worker
from isoflop.lifeline import tie_to_parent
from isoflop.plan import Verdict


def serve(line: Connection, open_training: Open) -> None:
    """Train each job that comes on the line, on the CPU, until nobody is there to send any."""
    tie_to_parent()
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    with suppress(EOFError, OSError):
        while True:
            _train(Worker(job=line.recv(), open_training=open_training), line)


def _train(worker: Worker, line: Connection) -> None:
    """Send the outcome of every step, go on while the answer is GO, and say at the end what failed of the saving."""
    verdict = Verdict.GO
    while verdict is Verdict.GO:
        line.send(worker.step())
        verdict = line.recv()
    line.send(worker.save() if verdict is Verdict.WAIT else "")
