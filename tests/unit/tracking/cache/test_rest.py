"""How a server is asked: pages by number, who asks, and what it says when it refuses."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from isoflop.errors import StateError
from isoflop.tracking.cache import rest
from isoflop.tracking.cache.rest import RestSource
from isoflop.tracking.projection import SEQ


class Server(HTTPServer):
    """An MLflow server of one study, whose trial runs move while they are read."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.numbers = {f"r{place}": 10 + place for place in range(5)}
        self.headers: list[str | None] = []
        self.refusal: tuple[int, bytes] | None = None
        self.pages = 0


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.headers.append(self.headers["Authorization"])
        status, body = self.server.refusal or (200, json.dumps(self.answer(asked)).encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, asked):
        if self.path.endswith("experiments/search"):
            return {"experiments": [{"experiment_id": "1"}]}
        if "isoflop.role" in asked["filter"]:
            return {"runs": [study()]}
        above = float(asked["filter"].rpartition("> ")[2])
        found = sorted((seq, run) for run, seq in self.server.numbers.items() if seq > above)
        self.server.pages += 1
        if self.server.pages == 1:
            self.server.numbers["r0"] = 99  # it was read, and is written to before the next page is asked for
        return {"runs": [run(name, seq) for seq, name in found[: asked["max_results"]]]}

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def run(name: str, seq: int):
    tags = {"isoflop.trial": name[1:], "isoflop.replicate": "0"}
    data = {"tags": [{"key": k, "value": v} for k, v in tags.items()], "metrics": [{"key": SEQ, "value": seq}]}
    return {"info": {"run_id": name, "experiment_id": "1"}, "data": data}


def study():
    tags = {"isoflop.study": "s", "isoflop.began": "1.0", "isoflop.seq": "14"}
    data = {"tags": [{"key": k, "value": v} for k, v in tags.items()], "metrics": [{"key": SEQ, "value": 14}]}
    return {"info": {"run_id": "p", "experiment_id": "1"}, "data": data}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def address(server: Server, who: str = "") -> str:
    return f"http://{who}127.0.0.1:{server.server_port}"


def test_a_run_that_moves_between_two_pages_hides_no_other(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "PAGE", 2)
    source = RestSource(address(server))
    assert source.heads({}) == {"p": 14}
    found = [(one.id, one.seq) for one in source.changes({"p": 0})]
    assert found == [("p", 14), ("r0", 10), ("r1", 11), ("r2", 12), ("r3", 13), ("r4", 14), ("r0", 99)]


def test_only_what_is_above_the_number_is_asked_for(server: Server) -> None:
    source = RestSource(address(server))
    source.heads({})
    assert [one.id for one in source.changes({"p": 12})] == ["p", "r3", "r4"]


def test_user_password_and_token_are_told_to_the_server_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    named = RestSource(address(server, "me:hush@"))
    assert named.name == address(server)
    named.heads({})
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0k")
    RestSource(address(server)).heads({})
    assert set(server.headers) == {"Basic bWU6aHVzaA==", "Bearer t0k"}


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        ((403, b'{"message": "you may not"}'), "403 you may not"),
        ((500, b"<html>"), "500 Internal Server Error"),
        ((200, b"<html>"), "is the server up"),
    ],
)
def test_a_refusal_is_one_line(server: Server, refusal: tuple[int, bytes], said: str) -> None:
    server.refusal = refusal
    with pytest.raises(StateError, match=said):
        RestSource(address(server)).heads({})
