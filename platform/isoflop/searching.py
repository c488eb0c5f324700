"""The plan of a search: what a spec and a data set make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.config import STORED
from isoflop.data import PreparedData
from isoflop.home import Home
from isoflop.pricing import pricing
from isoflop.provenance import code_version
from isoflop.spec import Spec
from isoflop.weights import About

if TYPE_CHECKING:
    from isoflop.planning.search import SearchPlan


def search_plan(spec: Spec, prepared: PreparedData, home: Home | None = None) -> SearchPlan:
    """The plan of a spec on prepared data; models are priced on the meta device.

    Weights that it names are looked up in the state folder, by default the one that the environment names.
    """
    from isoflop.planning.search import SearchPlan

    names = {str(name) for key in STORED for name in spec.space.values(key) if name}
    stored = {name: About.read((home or Home.find()).weights_file(name)) for name in sorted(names)}
    return SearchPlan(
        spec=spec.study,
        space=spec.space,
        digest=prepared.digest,
        images=len(prepared.split("train")[1]),
        pixels=prepared.shape[1],
        code=code_version(),
        price=pricing(prepared, stored),
        teachers={name: about.origin.forward for name, about in stored.items() if about.origin},
    )
