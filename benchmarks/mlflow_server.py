"""An MLflow server on loopback, which can be killed and brought back at the same address."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}
LOOK_SECONDS = 0.1


class MlflowServer:
    """Keeps a SQLite database and artifacts in a folder; both outlive the process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.file = folder / "server.sqlite"
        self.database = f"sqlite:///{self.file}"
        self.kills = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        stores = ("--backend-store-uri", self.database, "--artifacts-destination", str(self.folder / "artifacts"))
        place = ("--host", "127.0.0.1", "--port", str(self.port), "--workers", "1")
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *stores, *place],
                env={name: text for name, text in os.environ.items() if name != "MLFLOW_TRACKING_URI"} | QUIET,
                stdout=log,
                stderr=log,
                process_group=0,  # it has children, which go with it
            )
        while not self._answers():
            assert not self._ends(LOOK_SECONDS), (self.folder / "server.log").read_text()

    def kill(self) -> None:
        """Kill it as `kill -9` does, its children too."""
        assert self._process is not None, "it was never started"
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        self.kills += 1

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let it take requests and answer none while the context lasts."""
        assert self._process is not None, "it was never started"
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None

    def _ends(self, seconds: float) -> bool:
        assert self._process is not None, "it was never started"
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def mlflow_server(folder: Path) -> Iterator[MlflowServer]:
    """A server that runs while the context lasts."""
    server = MlflowServer(folder)
    server.start()
    try:
        yield server
    finally:
        if server.alive:
            server.kill()
