"""PostgreSQL for tests: on loopback, in a temporary folder, gone at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.mlflow_server import free_port

MISSING = (
    "tests marked postgres are deselected, PostgreSQL is not installed: apt-get install postgresql (or have `postgres` "
    "and `initdb` on PATH), then: pytest -m postgres"
)
UNPRIVILEGED = ("postgres", "nobody")
"""Of these users the first that there is runs it for root, whom it refuses."""


def binaries() -> Path | None:
    """The folder of its programs, none where it is not installed."""
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = newest[-1] if newest else shutil.which("initdb")
    return Path(found).parent if found else None


@contextmanager
def postgres() -> Iterator[str]:
    """The address of a database that stands while the context lasts."""
    programs, port = binaries(), free_port()
    assert programs is not None, MISSING
    user = _unprivileged()
    with tempfile.TemporaryDirectory(prefix="isoflop-postgres-") as folder:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)

        def run(program: str, *words: str) -> None:
            identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
            command = [str(programs / program), "-D", f"{folder}/data", *words]
            with Path(folder, "output.txt").open("ab") as output:
                subprocess.run(command, check=True, cwd=folder, stdout=output, stderr=output, **identity)

        run("initdb", "-U", "isoflop", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-h 127.0.0.1 -p {port} -k {folder} -F"
        run("pg_ctl", "start", "-w", "-l", f"{folder}/log.txt", "-o", options)
        try:
            yield f"postgresql+psycopg2://isoflop@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "stop", "-w", "-m", "immediate")


def _unprivileged() -> pwd.struct_passwd | None:
    """Who runs it where root runs the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(known[name] for name in UNPRIVILEGED if name in known)
