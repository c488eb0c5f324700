"""The command line as a person meets it: mistakes are one line and exit code 2, listings are JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from isoflop.cli.drawing import TIMES
from isoflop.home import Home
from isoflop.study import Bench, search
from tests.integration.test_study import spec

SPEC = """
space:
  model.family: {family}
  model.stem: 1
  optim.lr: {lr}
study: {{data: {data}, budget: {{trials: 1}}, fidelity: {{horizon: 1, reports: 1}}, halving: null}}
"""
TEXT = "{http://www.w3.org/2000/svg}text"


def isoflop(home: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ISOFLOP_HOME": str(home)}
    command = [sys.executable, "-c", "from isoflop.cli import main; main()", *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def written(folder: Path, *, family: str = "lenet", lr: str = "0.01", data: str = "digits") -> Path:
    path = folder / "spec.yaml"
    path.write_text(SPEC.format(family=family, lr=lr, data=data))
    return path


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert all(word in lines[0] for word in words), lines[0]
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lr": "1e-4x"}, ("space.optim.lr", "1e-4x")),
        ({"family": "resnett"}, ("unknown family 'resnett'", "did you mean 'resnet'")),
        ({"lr": "{float: [0.1, 0.1]}"}, ("space.optim.lr", "empty range")),
        ({"lr": "0.01\n  optim.momentun: 0.9"}, ("space.optim.momentun", "unknown key", "optim.momentum")),
        ({"data": "nowhere"}, ("nowhere", "never prepared", "isoflop data prepare nowhere")),
    ],
)
def test_a_bad_spec_is_one_line_and_nothing_is_written(
    home: Home, tmp_path: Path, change: dict[str, str], words: tuple[str, ...]
):
    before = sorted(home.path.rglob("*"))
    assert_refused(isoflop(home.path, "search", written(tmp_path, **change)), *words)
    assert sorted(home.path.rglob("*")) == before


def test_the_version_is_the_packages(home: Home):
    assert isoflop(home.path, "--version").stdout == f"isoflop {version('isoflop')}\n"


@pytest.mark.parametrize("words", [(), ("data",)])
def test_without_a_command_the_help_is_shown(home: Home, words: tuple[str, ...]):
    told = isoflop(home.path, *words)
    assert told.returncode == 2
    assert told.stderr.startswith("Usage: isoflop ")
    assert told.stderr == isoflop(home.path, *words, "--help").stdout


def test_prepared_sets_are_listed(home: Home):
    (row,) = json.loads(isoflop(home.path, "data", "list", "--json").stdout)
    assert (row["name"], row["train"]) == ("digits", 1257)
    shown = isoflop(home.path, "data", "list").stdout
    assert row["digest"] in shown


def test_a_spec_that_is_not_there(home: Home):
    assert_refused(isoflop(home.path, "search", "search_spaces/smok.yaml"), "did you mean 'search_spaces/smoke.yaml'")


def test_an_unknown_command_and_a_bad_option_are_one_line(home: Home):
    assert_refused(isoflop(home.path, "sarch"), "No such command 'sarch'", "search")
    assert_refused(isoflop(home.path, "search", "x.yaml", "--trials", "many"), "--trials")


@pytest.mark.parametrize("command", ["trials", "show", "resume", "finalists", "stop", "gc"])
def test_an_unknown_study_is_one_line(home: Home, command: str):
    search(spec("here", budget={"trials": 1}), study="here-1", bench=Bench(home=home, executor="inline"))
    assert_refused(isoflop(home.path, command, "here-2"), "unknown study 'here-2'", "here-1")


def test_a_state_folder_that_cannot_be_written(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert_refused(isoflop(blocked / "home", "data", "prepare", "digits"), "cannot be written", "ISOFLOP_HOME")


def test_a_folder_with_one_class(tmp_path: Path):
    made_images(tmp_path / "images" / "cat", 6)
    assert_refused(isoflop(tmp_path / "home", "data", "prepare", tmp_path / "images"), "class")
    assert not list((tmp_path / "home").glob("data/*"))


def test_a_truncated_jpeg_is_quarantined_by_name_and_the_rest_is_prepared(tmp_path: Path):
    for name in ("cat", "dog"):
        made_images(tmp_path / "images" / name, 12)
    torn = tmp_path / "images" / "cat" / "3.jpg"
    torn.write_bytes(torn.read_bytes()[:200])
    done = isoflop(tmp_path / "home", "data", "prepare", tmp_path / "images")
    assert done.returncode == 0, done.stderr
    assert "3.jpg" in done.stdout + done.stderr
    manifest = json.loads((tmp_path / "home" / "data" / "images" / "manifest.json").read_text())
    assert "3.jpg" in json.dumps(manifest["quarantined"])


def test_a_second_prepare_says_that_there_is_nothing_to_do(home: Home):
    done = isoflop(home.path, "data", "prepare", "digits")
    assert done.returncode == 0
    assert "nothing to do" in done.stdout


def test_listings_are_json_with_the_keys_of_the_contract(home: Home):
    search(spec("listed", budget={"trials": 3}), study="listed-1", bench=Bench(home=home, executor="inline"))
    rows = json.loads(isoflop(home.path, "trials", "listed-1", "--json").stdout)
    assert {"number", "state", "params", "records", "rung", "values", "flops", "parameters"} <= set(rows[0])
    assert "optim.lr" in rows[0]["params"]
    studies = json.loads(isoflop(home.path, "studies", "--json").stdout)
    assert {"id", "state", "trials", "best"} <= set(studies[0])
    families = json.loads(isoflop(home.path, "families", "--json").stdout)
    assert {"lenet", "resnet", "efficientnet", "vit"} <= {row["name"] for row in families}
    assert {"name", "paper", "knobs", "values", "parameters", "variants"} <= set(families[0])


def test_describe_counts_what_is_published(home: Home):
    found = json.loads(isoflop(home.path, "describe", "resnet", "--variant", "50", "--json").stdout)
    assert found["parameters"] == 25_557_032
    assert found["receptive_field"] == 224
    assert found["unbounded_field"] == 427
    assert found["flops"] == 2 * found["macs"]
    keys = {"family", "shape", "parameters", "flops", "macs", "memory", "receptive_field", "layers"}
    assert keys <= set(found)


def test_describe_draws_the_stages(home: Home, tmp_path: Path):
    done = isoflop(home.path, "describe", "resnet", "--plot", tmp_path / "resnet.svg")
    assert done.returncode == 0, done.stderr
    assert "11,689,512" in done.stdout
    root = ET.fromstring((tmp_path / "resnet.svg").read_text(encoding="utf-8"))
    assert {"resnet 18", "stem", "stages.3", "head", f"512{TIMES}7{TIMES}7"} <= {text.text for text in root.iter(TEXT)}


@pytest.mark.parametrize(
    ("file", "words"),
    [("net.png", ("--plot", "no SVG file", "FILE.svg")), ("no/net.svg", ("--plot", "there is no folder"))],
)
def test_what_cannot_be_drawn_into_is_one_line(home: Home, tmp_path: Path, file: str, words: tuple[str, ...]):
    assert_refused(isoflop(home.path, "describe", "lenet", "--plot", tmp_path / file), *words)
    assert not list(tmp_path.iterdir())


def test_describe_measures_on_request(home: Home):
    done = isoflop(home.path, "describe", "lenet", "--resolution", "16", "--measure", "--json")
    found = json.loads(done.stdout)["measured"]
    assert 0 < found["latency_p50"] <= found["latency_p99"]
    assert found["throughput"] > 1000 / found["latency_p50"]
    assert 1 < found["effective_field"] <= 16
    assert "cores" in found["hardware"] or "NVIDIA" in found["hardware"]


def test_a_dry_run_estimates_and_writes_no_study(home: Home, tmp_path: Path):
    before = len(Bench(home=home).journal.studies())
    done = isoflop(home.path, "search", written(tmp_path), "--dry-run")
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout for word in ("trials:", "hours:", "disk:"))
    assert len(Bench(home=home).journal.studies()) == before


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_only_ray_joins_a_cluster(home: Home, tmp_path: Path, executor: str):
    before = len(Bench(home=home).journal.studies())
    done = isoflop(home.path, "search", written(tmp_path), "--executor", executor, "--address", "127.0.0.1:6379")
    assert_refused(done, "--address", f"the executor is {executor}", "leave one of both out")
    assert len(Bench(home=home).journal.studies()) == before


def test_doctor_looks_and_says_and_track_writes_a_lost_store(home: Home, tmp_path: Path):
    place = Home(tmp_path / "home").ensure()
    place.data.symlink_to(home.data)
    done = isoflop(
        place.path, "search", written(tmp_path, lr="{float: [0.01, 0.1]}"), "--study", "s", "--executor", "inline"
    )
    assert done.returncode == 0, done.stderr
    place.mlflow.unlink()
    done = isoflop(place.path, "doctor")
    assert done.returncode == 1
    assert "no records; written anew by: isoflop track" in done.stdout
    done = isoflop(place.path, "track", "--json")
    assert json.loads(done.stdout) == [{"study": "s", "runs": 2, "written": 2, "removed": 0, "ended": 0}]
    assert isoflop(place.path, "track", "s").stdout == "study s: 2 runs in MLflow, nothing to do\n"
    assert_refused(isoflop(place.path, "track", "t"), "unknown study 't'")
    done = isoflop(place.path, "doctor")
    assert done.returncode == 0, done.stdout
    assert all(word in done.stdout for word in ("torch", "accelerator", "state folder", "data sets", "of 1 studies"))


def made_images(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    chance = np.random.default_rng(len(folder.name) + ord(folder.name[0]))
    for number in range(count):
        pixels = chance.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.jpg")
