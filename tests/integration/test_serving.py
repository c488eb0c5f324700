"""A champion behind `mlflow models serve`, on loopback, asked with image files over HTTP."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from isoflop.bench import Bench
from isoflop.evaluation.predictions import load_predictions
from isoflop.home import Home
from isoflop.records import Key
from isoflop.registry.promotion import promote, register
from isoflop.spec import spec_from_tree
from isoflop.study import finalists, search

TREE = {
    "space": {"model.family": "lenet", "model.stem": 1, "optim.lr": 0.01},
    "study": {
        "name": "served",
        "data": "digits",
        "fidelity": {"horizon": 1, "reports": 1},
        "halving": None,
        "budget": {"trials": 1},
        "sampler": {"name": "random"},
        "finalists": {"top": 1, "seeds": 1},
    },
}
READY = "Application startup complete"


@pytest.fixture(scope="module")
def served(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of the champion."""
    bench = Bench(home=home, executor="inline")
    search(spec_from_tree(TREE, where="test"), study="served", bench=bench)
    finalists("served", bench=bench)
    register("served-finalists/0", name="served", bench=bench)
    assert promote("served", bench=bench).promoted
    with serving(bench, tmp_path_factory.mktemp("server")) as address:
        yield address


@contextmanager
def serving(bench: Bench, folder: Path) -> Iterator[str]:
    """MLflow's own command, in a group of processes of its own."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["models", "serve", "-m", "models:/served@champion", "--env-manager", "local"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
        env={
            **os.environ,
            "MLFLOW_TRACKING_URI": bench.mlflow,
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if READY in line:
                break
        assert READY in said[-1], "".join(said)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=60)


def post(address: str, images: list[bytes]) -> list[dict[str, Any]]:
    rows = [[base64.b64encode(image).decode()] for image in images]
    body = json.dumps({"dataframe_split": {"columns": ["image"], "data": rows}}).encode()
    request = urllib.request.Request(f"{address}/invocations", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: list[dict[str, Any]] = json.load(answer)["predictions"]
    return found


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels[0]).save(file, format="PNG")
    return file.getvalue()


@pytest.mark.machine
def test_image_files_that_are_posted_are_answered_as_is_stored(home: Home, served: str):
    images = np.load(home.data / "digits" / "test_images.npy")
    stored = load_predictions(home.artifacts("served-finalists", Key(trial=0)) / "test_predictions.npz")
    rows = post(served, [png(one) for one in images])
    assert [row["label"] for row in rows] == [str(place) for place in stored.logits.argmax(1)]
    logits = np.array([row["logits"] for row in rows])
    assert np.abs(logits - logits.max(1, keepdims=True) - stored.logits).max() < 0.01
    assert [sum(row["probabilities"]) for row in rows] == pytest.approx([1.0] * len(images))


@pytest.mark.machine
def test_a_photo_of_any_size_and_colour_is_answered_and_no_image_is_a_bad_request(served: str):
    file = io.BytesIO()
    Image.new("RGB", (640, 480), "darkred").save(file, format="JPEG")
    (row,) = post(served, [file.getvalue()])
    assert row["label"] in {str(digit) for digit in range(10)}
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(served, [b"no image"])
    assert refused.value.code == 400
    assert "image 0: not an image of a known format" in refused.value.read().decode()
    refused.value.close()
