"""What a scaling study says of a world whose law is known: as JSON, in words, in pictures, and as a choice."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from isoflop.compound.choice import candidates
from isoflop.compound.comparison import compared
from isoflop.compound.findings import Findings, findings
from isoflop.compound.report import MEASURED, to_tree, write_report
from isoflop.compound.text import markdown
from isoflop.errors import InputError
from isoflop.fitting.band import Band
from isoflop.fitting.crossing import Crossing, Crossings
from isoflop.fitting.power_law import PowerLaw
from isoflop.journal.history import History
from isoflop.planning.scaling.ascent import Ascent
from isoflop.planning.scaling.plan import ScalingPlan
from tests.scaled import WORSE, plan, run

TWO = ("resnet", "vit")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[ScalingPlan, History]:
    made = plan(TWO, latency=True, shares=[0.25, 0.5])
    return made, run(made, tmp_path_factory.mktemp("two"), workers=2)


@pytest.fixture
def found(world: tuple[ScalingPlan, History]) -> Findings:
    return findings("s", *world)


def test_the_law_of_the_world_is_found(found: Findings):
    for family in found.families:
        assert isinstance(family.law, PowerLaw)
        assert family.law.b.holds(0.35), family.name
        assert family.law.c.holds(0.02 * WORSE.get(family.name, 1.0)), family.name


def test_every_size_stands_in_the_json(found: Findings):
    tree = to_tree(found)
    json.dumps(tree, allow_nan=False)
    assert [*tree["families"]] == [*TWO]
    for family in tree["families"].values():
        assert [one["place"] for one in family["climb"]] == [0.5 * step for step in range(9)]
        assert [one["inside"] for one in family["climb"] if "forecast" in one] == [True, True]
        assert {one["name"] for one in family["controls"]} == {"depth", "width", "resolution", "published"}
        assert [one["place"] for one in family["shares"]] == [0.25, 0.5, 1.0]
        assert family["fit"]["response"]["trainings"] == 2 * len(family["shapes"])


def test_only_what_is_measured_stands_apart(found: Findings):
    tree = to_tree(found)
    measured = json.dumps(tree.pop(MEASURED))
    assert "latency" in measured
    assert "latency" not in json.dumps({key: value for key, value in tree.items() if key != "scale"})


def test_the_worse_family_is_worse_at_equal_flops(found: Findings):
    rows = compared(found, "flops")
    assert len(rows) == 5
    assert {row.best for row in rows} == {"resnet"}
    assert [row.place for row in rows] == sorted(row.place for row in rows)
    crossing = found.crossings["resnet", "vit", "flops"]
    assert crossing.none
    assert crossing.before < 0


def test_one_family_is_compared_with_none(tmp_path: Path):
    alone = plan(controls=0)
    assert compared(findings("s", alone, run(alone, tmp_path)), "flops") == []


def test_files_are_equal_for_equal_findings(world: tuple[ScalingPlan, History], tmp_path: Path):
    first, second = ([*write_report(findings("s", *world), tmp_path / name)] for name in ("a", "b"))
    assert {file.name for file in first} >= {"scaling.json", "scaling.md", "profiles.svg", "climb.svg", "predicted.svg"}
    assert [file.name for file in first] == [file.name for file in second]
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_the_words_have_the_numbers(world: tuple[ScalingPlan, History], tmp_path: Path):
    write_report(findings("s", *world), tmp_path)
    text = (tmp_path / "scaling.md").read_text(encoding="utf-8")
    for name in TWO:
        assert f"## {name}" in text
    assert "## At equal FLOPs" in text
    assert "- alpha, what depth grows by as FLOPs double: " in text
    assert len(re.findall(r"\| yes +\|", text)) == 4  # two predictions of each family fell in their bands
    legend = (tmp_path / "climb.svg").read_text(encoding="utf-8")
    assert "published constants" in legend


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (1e6, 4e6, "may be equal between 1e+06 and 4e+06;"),
        (-math.inf, 4e6, "may be equal up to 4e+06;"),
        (1e6, math.inf, "may be equal from 1e+06 on;"),
        (-math.inf, math.inf, "may be equal all the way;"),
    ],
)
def test_an_open_range_is_said_in_words(found: Findings, low: float, high: float, words: str):
    crossing = Crossing(x=Band(value=2e6, low=low, high=high), points=(2e6,), proven=True)
    one = Crossings(low=5e5, high=9e6, ranges=(crossing,), before=-1, after=1)
    vars(found)["crossings"] = {("resnet", "vit", "flops"): one}
    [line] = [line for line in markdown(found).splitlines() if "may be equal" in line]
    assert words in line
    assert line.endswith("better below: resnet, above: vit.")


def test_families_of_which_one_is_slower_at_every_size_are_not_compared_by_latency(found: Findings):
    for family, factor in zip(found.families, (1.0, 1e3), strict=True):
        vars(family)["climb"] = [replace(one, latency=factor * one.latency) for one in family.climb]
    text = markdown(found)
    assert "- At equal measured latency, resnet and vit cannot be compared: " in text
    assert "## At equal measured latency" not in text


def test_what_is_not_ended_is_said(tmp_path: Path):
    begun = findings("s", plan(), History())
    assert begun.families[0].ascent is None
    assert to_tree(begun)["families"]["resnet"]["law"].keys() == {"reason"}
    files = write_report(begun, tmp_path)
    assert [file.name for file in files] == ["scaling.json", "scaling.md"]


def test_a_budget_is_kept_and_used(found: Findings):
    flops = found.families[0].climb[-2].flops
    best, other = candidates(found, {"flops": flops})
    assert (best.family, other.family) == TWO
    for one in (best, other):
        assert 0.85 * flops <= one.flops <= flops
        assert one.error.low < one.error.value < one.error.high
        assert not one.extrapolated
    assert isinstance(found.families[0].ascent, Ascent)


def test_what_is_larger_than_all_that_was_trained_is_marked(found: Findings):
    best, *_ = candidates(found, {"flops": 4 * found.families[0].climb[-1].flops})
    assert best.extrapolated


def test_a_budget_that_nothing_keeps_is_refused(found: Findings):
    with pytest.raises(InputError, match="its smallest size breaks the budget: flops"):
        candidates(found, {"flops": 1.0})
