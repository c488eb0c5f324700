"""An MLflow server as a source, by its REST interface: read, never written, and without MLflow."""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from isoflop.errors import Fault, InputError, StateError
from isoflop.tracking.cache.points import curves_of
from isoflop.tracking.cache.run import Curve, Run
from isoflop.tracking.cache.source import Source
from isoflop.tracking.cache.strangers import Head, settled
from isoflop.tracking.projection import SEQ, STUDY_RUN
from isoflop.tracking.redaction import hide_userinfo

PAGE = 1000
"""Runs that are asked for at once."""
CURVES = 100
"""Runs whose histories a server gives at once."""
POINTS = 2_500
"""Points of a run's metric, the most that a server gives: a training has a few dozen."""
SECONDS = 60.0


class RestSource:
    """The runs of an MLflow server. Raises `InputError` for an address that is none, `StateError` where it is down.

    User and password, or a token, are those of the address, or come from the environment as MLflow names them:
    `MLFLOW_TRACKING_USERNAME`, `MLFLOW_TRACKING_PASSWORD`, `MLFLOW_TRACKING_TOKEN`.
    """

    def __init__(self, uri: str) -> None:
        place = urllib.parse.urlsplit(uri)
        if place.scheme not in {"http", "https"} or not place.hostname:
            raise InputError(Fault(hide_userinfo(uri), "this is no address of a server", "write http://HOST:PORT"))
        self.uri = hide_userinfo(uri).rstrip("/")
        host = f"{place.hostname}:{place.port}" if place.port else place.hostname
        self._base = urllib.parse.urlunsplit((place.scheme, host, place.path.rstrip("/"), "", ""))
        self._headers = _authorization(place)
        self._studies: dict[str, tuple[str, Run]] = {}
        self._notices: Sequence[str] = ()

    @property
    def name(self) -> str:
        """Its address without user and password."""
        return self._base

    @property
    def mark(self) -> str:
        """MLflow gives each run a name of its own."""
        return ""

    def heads(self, cursors: Mapping[str, int]) -> Mapping[str, int]:
        """Every study that stands, by its run."""
        del cursors
        experiments = [one["experiment_id"] for one in self._pages("experiments", {"max_results": PAGE})]
        asked = {"experiment_ids": experiments, "max_results": PAGE, "filter": "tags.`isoflop.role` = 'study'"}
        self._studies, found = {}, []
        for given in self._pages("runs", asked) if experiments else ():
            run = _run(given, given["info"]["run_id"])
            self._studies[run.id] = given["info"]["experiment_id"], run
            found.append(
                Head(
                    run=run.id,
                    study=run.tags["isoflop.study"],
                    began=float(run.tags["isoflop.began"]),
                    seq=int(run.tags.get("isoflop.seq", 0)),
                    numbered=run.seq > 0,
                )
            )
        heads, self._notices = settled(found)
        return heads

    def changes(self, cursors: Mapping[str, int]) -> Iterator[Run]:
        """The runs above the cursors, whole, as they stood when the heads were asked for or later."""
        for study, cursor in cursors.items():
            experiment, run = self._studies[study]
            yield run
            yield from self._above(study, experiment, cursor)

    def curves(self, study: str, runs: Sequence[Run]) -> Mapping[str, Curve]:
        """All values of runs: one request for a hundred of them and each metric that any of them has."""
        del study
        return curves_of(row for at in range(0, len(runs), CURVES) for row in self._histories(runs[at : at + CURVES]))

    def running(self, study: str) -> bool:
        """Nothing is known of leases here: what is not closed runs."""
        del study
        return True

    def notices(self) -> Sequence[str]:
        """Studies that were left out."""
        return self._notices

    def close(self) -> None:
        """Nothing is open."""

    def _above(self, study: str, experiment: str, cursor: int) -> Iterator[Run]:
        """A study's trainings above a number. Pages go on by number: by offset, one that moves meanwhile is missed."""
        while True:
            wanted = f"tags.`{STUDY_RUN}` = '{study}' and metrics.`{SEQ}` > {cursor}"
            asked = {"experiment_ids": [experiment], "max_results": PAGE, "filter": wanted}
            given = self._post("runs/search", asked | {"order_by": [f"metrics.`{SEQ}` ASC"]}).get("runs", [])
            runs = [_run(one, study) for one in given]
            yield from runs
            if len(runs) < PAGE:
                return
            cursor = runs[-1].seq

    def _histories(self, runs: Sequence[Run]) -> Iterator[tuple[Any, ...]]:
        for name in sorted({name for run in runs for name, (_, step) in run.metrics.items() if step}):
            asked = [*(("run_ids", run.id) for run in runs), ("metric_key", name), ("max_results", str(POINTS))]
            found = self._ask(f"metrics/get-history-bulk-interval?{urllib.parse.urlencode(asked)}", None)
            for one in found.get("metrics", []):
                yield one["run_id"], name, int(one.get("step", 0)), float(one["value"])

    def _pages(self, what: str, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            found = self._post(f"{what}/search", {**asked, **({"page_token": token} if token else {})})
            yield from found.get(what, [])
            token = found.get("next_page_token", "")
            if not token:
                return

    def _post(self, path: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask(path, json.dumps(asked).encode())

    def _ask(self, path: str, body: bytes | None) -> dict[str, Any]:
        """The answer to a request, GET where it has no body."""
        headers = {"Content-Type": "application/json", **self._headers}
        request = urllib.request.Request(f"{self._base}/api/2.0/mlflow/{path}", data=body, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - the scheme was checked
                found: dict[str, Any] = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise StateError(f"MLflow at {self.uri}: {_said(error)}") from None
        except (OSError, ValueError) as error:
            raise StateError(f"MLflow at {self.uri}: {getattr(error, 'reason', error)}; is the server up?") from None
        return found


def _run(given: Mapping[str, Any], parent: str) -> Run:
    """A run as a server gives it."""
    data = given.get("data", {})
    metrics = {one["key"]: (float(one["value"]), int(one.get("step", 0))) for one in data.get("metrics", [])}
    tags = {one["key"]: one.get("value", "") for one in data.get("tags", []) if one["key"].startswith("isoflop.")}
    params = {one["key"]: one.get("value", "") for one in data.get("params", [])}
    seq = int(metrics.pop(SEQ, (0, 0))[0])
    return Run(id=given["info"]["run_id"], parent=parent, seq=seq, tags=tags, params=params, metrics=metrics)


def _authorization(place: urllib.parse.SplitResult) -> dict[str, str]:
    """The header that says who asks, empty where nothing says it."""
    user = urllib.parse.unquote(place.username or os.environ.get("MLFLOW_TRACKING_USERNAME", ""))
    password = urllib.parse.unquote(place.password or os.environ.get("MLFLOW_TRACKING_PASSWORD", ""))
    if user:
        return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
    token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _said(error: urllib.error.HTTPError) -> str:
    """What a server says about a request that it refuses, in a line."""
    text = error.read().decode(errors="replace")
    try:
        text = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        text = error.reason
    return f"{error.code} {str(text).splitlines()[0][:300] if text else ''}".strip()


_: Callable[[str], Source] = RestSource
