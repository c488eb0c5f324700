"""DVC's pipeline: what reruns, what does not, and that a rerun gives the same metrics byte for byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from benchmarks.scaling_kills import TREE

ROOT = Path(__file__).parents[2]
SPEC = """
space:
  model.family: {choice: [lenet, resnet]}
  model.stem: 1
  model.width: 0.25
  model.depth: 0.5
  optim.lr: {float: [0.001, 0.05], log: true}
study:
  data: digits
  fidelity: {horizon: 1, reports: 3}
  halving: {rungs: 1}
  budget: {trials: 4}
  resources: {workers: 2}
"""
PARAMS = {
    "data": {"name": "digits", "seed": 0},
    "search": {"spec": "search_spaces/tiny.yaml", "seed": 0, "executor": "inline"},
    "finalists": {"top": 1, "seeds": 2, "executor": "inline"},
    "scale": {"spec": "search_spaces/tiny_scale.yaml", "seed": 0, "executor": "inline"},
}


class Project:
    """A copy of the project with a tiny spec, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("platform", "pipelines", "search_spaces", "dashboard"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("dvc.yaml", ".dvcignore"):
            shutil.copy2(ROOT / name, folder / name)
        (folder / "search_spaces" / "tiny.yaml").write_text(SPEC)
        (folder / "search_spaces" / "tiny_scale.yaml").write_text(yaml.safe_dump(TREE))
        (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS))
        self.dvc("init", "--no-scm", "--quiet")

    def dvc(self, *words: str) -> str:
        tools = str(Path(sys.executable).parent)
        environment = {
            **os.environ,
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.folder / "platform"),
            "ISOFLOP_HOME": str(self.folder / ".isoflop"),
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        done = subprocess.run(
            [str(Path(tools, "dvc")), *words],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def ran(self, output: str) -> list[str]:
        return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("project"))
    assert made.ran(made.dvc("repro", "report")) == ["prepare", "search", "finalists", "evaluate", "report"]
    return made


def test_a_second_repro_is_up_to_date_where_python_writes_bytecode(project: Project):
    assert list(project.folder.glob("platform/**/__pycache__/*.pyc"))
    assert "up to date" in project.dvc("repro", "report")


def test_a_change_in_the_dashboard_reruns_nothing_and_one_in_training_does(project: Project):
    page = project.folder / "dashboard" / "app.py"
    page.write_text(page.read_text() + "\n# another look\n")
    assert "up to date" in project.dvc("status", "report", "--with-deps")
    schedule = project.folder / "platform" / "isoflop" / "training" / "schedule.py"
    before = schedule.read_text()
    schedule.write_text(before + "\n# another word\n")
    changed = project.dvc("status", "report", "--with-deps")
    assert "search:" in changed
    assert "finalists:" in changed
    assert "prepare:" not in changed
    schedule.write_text(before)
    assert "up to date" in project.dvc("status", "report", "--with-deps")


def test_metrics_and_plots_are_dvcs(project: Project):
    assert "test_accuracy" in project.dvc("metrics", "show")
    project.dvc("plots", "show")
    page = (project.folder / "dvc_plots" / "index.html").read_text()
    assert "log10_flops" in page
    assert "resnet" in page


def test_a_repro_from_an_emptied_cache_gives_the_same_metrics_byte_for_byte(project: Project):
    metrics = project.folder / "results" / "metrics.json"
    before = metrics.read_bytes()
    for gone in ("results", "data", ".isoflop", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(project.folder / gone)
    (project.folder / "dvc.lock").unlink()
    assert len(project.ran(project.dvc("repro", "report"))) == 5
    assert metrics.read_bytes() == before


def test_scaling_is_a_stage(project: Project):
    assert project.ran(project.dvc("repro", "scale")) == ["scale"]
    names = {file.name for file in (project.folder / "results" / "scale").iterdir()}
    assert names >= {"scaling.json", "scaling.md", "profiles.svg", "climb.svg", "predicted.svg", "journal.jsonl"}
    assert "up to date" in project.dvc("status", "scale")
