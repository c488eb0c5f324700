"""Builders by name, of this package and of others."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from isoflop.config import ModelConfig
from isoflop.errors import UnknownError
from isoflop.families import BUILT_IN
from isoflop.models.registry import _BUILDERS, builder

PLUGIN = """
from torch import nn
from isoflop.families import Family
from isoflop.models.net import Body
from isoflop.models.registry import register

ROWS = {"builder": __name__, "paper": "none", "stem": 1, "stems": (1, 2)}
linear = Family(name="linear", **ROWS)
silent = Family(name="silent", **ROWS)
absent = Family(name="absent", **{**ROWS, "builder": "no_such_module"})


class Flat(Body):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.channels = outputs
        self.dense = nn.Linear(inputs, outputs)

    def features(self, x):
        return {1: x}

    def forward(self, x):
        return self.dense(x.flatten(1))


@register("linear")
def build(shape, model, channels):
    return Flat(channels * shape.resolution**2, shape.channels(16))
"""
USE = """
import sys
from isoflop.config import ModelConfig
from isoflop.errors import InputError
from isoflop.models import build, cost
def libraries(): return [name for name in ("timm", "torchvision") if name in sys.modules]
print(cost(ModelConfig(family="linear", width=2.0), image=(3, 8, 8), classes=10).parameters)
for name in ("silent", "absent"):
    try: cost(ModelConfig(family=name), image=(3, 8, 8), classes=10)
    except InputError as error: print(error)
for name in ("lenet", "efficientnet"):
    build(ModelConfig(family=name, depth=0.1), image=(1, 8, 8), classes=10)
    print(libraries())
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a fresh Python says of `USE` where a package with families of its own is installed."""
    place = tmp_path_factory.mktemp("site")
    (place / "plugin.py").write_text(PLUGIN)
    facts = place / "plugin-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    rows = "".join(f"{name} = plugin:{name}\n" for name in ("linear", "silent", "absent"))
    (facts / "entry_points.txt").write_text(f"[isoflop.families]\n{rows}")
    path = os.pathsep.join(filter(None, [str(place), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", USE], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": path}
    )
    return done.stdout.strip().splitlines()


def test_table_and_registry_agree():
    names = {row.name for row in BUILT_IN}
    assert all(builder(name) for name in names)
    assert {name for name, make in _BUILDERS.items() if make.__module__.startswith("isoflop.")} == names
    assert all(builder(row.name).__module__ == row.builder for row in BUILT_IN)


def test_an_unknown_family_is_refused():
    with pytest.raises(UnknownError, match="did you mean 'resnet'"):
        builder("resnett")
    with pytest.raises(ValueError, match="did you mean 'resnet'"):
        ModelConfig(family="resnett")


def test_a_family_of_another_package_works_through_its_entry_point(said):
    assert int(said[0]) == (3 * 64 + 1) * 32 + (32 + 1) * 10


def test_a_module_without_a_builder_is_named(said):
    assert said[1] == (
        "model.family: module 'plugin' registers no builder of 'silent'; decorate one with @register('silent')"
    )


def test_a_module_that_is_not_there_is_named(said):
    assert said[2] == "model.family: absent needs module 'no_such_module'; install it"


def test_a_familys_libraries_are_imported_when_it_is_first_built(said):
    assert said[3:] == ["[]", "['torchvision']"]


def test_what_a_worker_imports_is_neither_timm_nor_torchvision():
    """They take seconds, and are imported by the families, parts and weights that need them."""
    code = "import sys, isoflop.job; print({'timm', 'torchvision'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
