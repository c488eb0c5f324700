"""The benchmark of a device runs where there is nothing but what a training needs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
THERE = {"numpy", "pillow", "psutil", "pydantic", "safetensors", "timm", "torch", "torchvision"}
"""What the machine with the device has of the package's dependencies."""
NAMES = {"scikit-learn": "sklearn", "pyyaml": "yaml"}
"""Modules that are called otherwise than their packages."""

HOOK = """
import runpy, sys
from importlib.abc import MetaPathFinder

class Refuse(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"no module named {name!r} here", name=name)

MISSING = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, Refuse())
runpy.run_module("benchmarks.device", run_name="__main__", alter_sys=True)
"""


def test_it_needs_no_more_than_a_training_and_says_that_the_table_is_to_be_made(tmp_path: Path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    packages = {re.split(r"[\[<>=~ ]", one)[0] for one in project["dependencies"]}
    assert packages > THERE
    missing = ",".join(NAMES.get(name, name) for name in packages - THERE)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "platform")])}
    command = [sys.executable, "-c", HOOK, missing, "--quick", "--device", "cpu", "--nets", "lenet"]
    done = subprocess.run(
        [*command, "--parts", "throughput"], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.strip().splitlines()
    assert first.startswith("CPU")
    assert last == "No GPU is here: these are checks on the CPU, and the table of a GPU is still to be made."
    refused = subprocess.run(
        [*command[:3], "numpy", *command[4:]],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=False,
    )
    assert "no module named 'numpy' here" in refused.stderr
