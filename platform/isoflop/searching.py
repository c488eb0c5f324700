"""The plan of a search: what a spec and a data set make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.data import PreparedData
from isoflop.home import Home
from isoflop.named import named_weights, teachers
from isoflop.pricing import pricing
from isoflop.provenance import code_version
from isoflop.spec import Spec

if TYPE_CHECKING:
    from isoflop.planning.search import SearchPlan


def search_plan(spec: Spec, prepared: PreparedData, home: Home | None = None) -> SearchPlan:
    """The plan of a spec on prepared data; models are priced on the meta device.

    Weights that it names are looked up in the state folder, by default the one that the environment names.
    """
    from isoflop.planning.search import SearchPlan

    stored = named_weights(spec.space, home or Home.find())
    return SearchPlan(
        spec=spec.study,
        space=spec.space,
        digest=prepared.digest,
        images=len(prepared.split("train")[1]),
        pixels=prepared.shape[1],
        code=code_version(),
        price=pricing(prepared, stored),
        teachers=teachers(stored),
    )
