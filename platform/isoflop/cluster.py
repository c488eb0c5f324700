"""Studies as jobs on a Ray cluster, through Ray's Jobs API."""

from __future__ import annotations

import asyncio
import os
import shlex
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

PATIENCE, PAUSE = 60.0, 0.5
"""Seconds to wait in all, and between two tries, for a cluster that is still starting."""
TOKEN = Path("~/.ray/auth_token").expanduser()
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
if "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ or TOKEN.is_file():
    # Ray never looks for its token by itself where the address is given.
    os.environ.setdefault("RAY_AUTH_MODE", "token")

from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

from isoflop.errors import Fault, UnknownError
from isoflop.home import VARIABLE, Home
from isoflop.spec import load_spec


def submit(spec: Path, *, address: str, study: str | None = None) -> str:
    """Start `isoflop search` of a spec as a job on the cluster and return the job's id.

    The job runs on the head's machine in the working folder and with the state folder of this process, so both must
    be shared where the head is another machine. Raises `SpecError` and `DataError` before anything is sent.
    """
    loaded = load_spec(spec)
    home = Home.find().ensure()
    home.data_set(loaded.study.data)
    words = ["isoflop", "search", str(spec.absolute()), "--address", "auto", *(["--study", study] if study else [])]
    command = " ".join(shlex.quote(word) for word in words)
    environment = {VARIABLE: str(home.path), "PYTHONUNBUFFERED": "1"}
    metadata = {"spec": spec.name, "name": loaded.study.name}
    where = shlex.quote(str(Path.cwd()))
    client = connect(address)
    start = partial(
        client.submit_job,
        entrypoint=f"cd {where} && exec {command}",
        runtime_env={"env_vars": environment},
        metadata=metadata,
    )
    return _when_ready(start, address)


def jobs(address: str) -> list[dict[str, Any]]:
    """The cluster's jobs that were submitted, newest first: id, status, entrypoint."""
    found = [job for job in connect(address).list_jobs() if job.submission_id]
    found.sort(key=lambda job: job.start_time or 0, reverse=True)
    return [{"id": j.submission_id, "status": str(j.status.value), "entrypoint": j.entrypoint} for j in found]


def status(job: str, address: str) -> str:
    """PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED. Raises `UnknownError` for an unknown id."""
    client = connect(address)
    _known(client, job)
    return str(client.get_job_status(job).value)


def logs(job: str, address: str, *, follow: bool) -> Iterator[str]:
    """What a job printed, and while it runs what it prints. Raises `UnknownError` for an unknown id."""
    client = connect(address)
    _known(client, job)
    if not follow:
        yield client.get_job_logs(job)
        return
    with asyncio.Runner() as runner:
        stream: AsyncIterator[str] = client.tail_job_logs(job)
        while True:
            try:
                yield runner.run(_next(stream))
            except StopAsyncIteration:
                return


def stop(job: str, address: str) -> bool:
    """End a job; False where it was over."""
    client = connect(address)
    _known(client, job)
    return bool(client.stop_job(job))


def connect(address: str) -> JobSubmissionClient:
    """A client of the cluster. Raises `UnknownError` where nothing answers."""
    try:
        return JobSubmissionClient(address)
    except AuthenticationError:
        remedy = "put the cluster's token into RAY_AUTH_TOKEN, or into ~/.ray/auth_token"
        raise UnknownError(Fault(address, "the Ray cluster wants a token", remedy)) from None
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        remedy = "start one: ray start --head; or name its dashboard with --address"
        raise UnknownError(Fault(address, f"no Ray cluster answers ({reason})", remedy)) from None


def _when_ready(start: Callable[[], str], address: str) -> str:
    """Start a job, once the agent that starts jobs is up: a fresh cluster answers before it is."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return start()
        except RuntimeError as error:
            if "No available agent" not in str(error):
                raise
            if time.monotonic() > end:
                # Two Rays on one machine meet at the port of this agent, 52365 where nobody says otherwise.
                remedy = "if another Ray runs there, start this one with --dashboard-agent-listen-port"
                raise UnknownError(Fault(address, "the cluster's job agent does not come up", remedy)) from None
            time.sleep(PAUSE)


def _known(client: JobSubmissionClient, job: str) -> None:
    if job not in {found.submission_id for found in client.list_jobs()}:
        raise UnknownError(Fault("job", f"unknown job {job!r}", "see: isoflop jobs list"))


async def _next(stream: AsyncIterator[str]) -> str:
    return await anext(stream)
