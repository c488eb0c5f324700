"""Runs commands of the command line, each in a process of its own that was forked after all was imported.

A line on stdin is JSON: `home`, `words`, `crash` (as ISOFLOP_CRASH) and `output`, a file. The answer is the exit code
in a line, -9 for a process that was killed. Importing everything takes seconds, forking a millisecond.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

# For the children: what they would import lazily takes each of them three seconds.
import mlflow.store.tracking.dbmodels.models  # noqa: F401
import optuna  # noqa: F401
import torch._dynamo  # noqa: F401

from isoflop.cli import main
from isoflop.crashpoints import arm
from isoflop.provenance import code_version, holder


def run(home: str, words: list[str], crash: str, output: str) -> None:
    """Be the command."""
    out = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ["ISOFLOP_HOME"] = home
    sys.argv = ["isoflop", *words]
    holder.cache_clear()
    arm(crash)
    main()


def serve() -> None:
    """Answer line after line."""
    code_version()
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        child = os.fork()
        if child == 0:
            run(**order)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
