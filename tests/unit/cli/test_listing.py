"""What is listed of a family."""

from __future__ import annotations

import pytest

from isoflop.cli.listing import brief, full
from isoflop.families import BUILT_IN, Family, family
from isoflop.families.sizes import sizes

OTHER = Family(name="another", paper="none", builder="another.package", stem=1, stems=(1, 2), knobs={"way": ("a", "b")})


@pytest.mark.parametrize("row", BUILT_IN, ids=lambda row: row.name)
def test_every_family_is_listed_with_knobs_paper_and_parameters(row: Family):
    found = full(row)
    assert (found["name"], found["paper"]) == (row.name, row.paper)
    assert found["knobs"][:4] == ["depth", "width", "resolution", "stem"]
    assert found["values"] == {"stem": row.stems, **row.knobs}
    counts = {size.parameters for size in sizes(row.name).values()}
    assert found["parameters"] == {"smallest": min(counts), "largest": max(counts)}
    assert list(found["variants"]) == list(row.variants)


def test_parameters_are_a_range():
    assert full(family("resnet"))["variants"]["50"] == {
        "pixels": 224,
        "parameters": 25_557_032,
        "flops": sizes("resnet")["50"].flops,
    }
    assert brief(family("resnet"))["parameters"] == "11.7 M to 88.8 M"
    assert brief(family("mobilenet_v2"))["parameters"] == "3.5 M"


def test_a_family_of_another_package_has_no_sizes():
    assert full(OTHER)["parameters"] is None
    assert full(OTHER)["variants"] == {}
    assert brief(OTHER) == {
        "name": "another",
        "parameters": "-",
        "variants": "-",
        "knobs": "way",
        "paper": "none",
    }
