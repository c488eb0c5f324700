"""Page: how families grow, what was predicted of the larger sizes, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import pandas as pd
import streamlit as st

import growth
import parts

PLAN = "scaling"
GREEK = {"alpha": "depth", "beta": "width", "gamma": "resolution"}


def page() -> None:
    """Show what the chosen scaling study found."""
    st.title("Scaling")
    st.caption(
        "Error is 1 less the metric, or the metric itself where less is better. Bands are 95 %. The largest sizes were "
        "predicted, and the prediction journalled, before they were trained."
    )
    library = parts.library_or_stop()
    studies = [study["id"] for study in library.studies() if study["plan"] == PLAN]
    if not studies:
        parts.note("No family was scaled yet. Start with:", "isoflop scale --spec search_spaces/scale_digits.yaml")
        return
    chosen = st.selectbox("Study", studies, key="study")
    report = library.report(chosen, PLAN)
    if report is None:
        parts.note(
            "It has not reported yet; see its trainings under Studies, or go on with it:", f"isoflop resume {chosen}"
        )
        return
    _tiles(report)
    parts.chart(growth.climb(report), "climb")
    st.subheader("How each family grows")
    st.dataframe(laws(report), width="stretch", hide_index=True, key="laws")
    _predictions(report)
    for family, found in report["families"].items():
        _family(family, found)
    parts.note("Which shape to take for a budget:", f"isoflop choose {chosen} --flops 5e6")


def laws(report: Mapping[str, Any]) -> pd.DataFrame:
    """What a doubling of FLOPs multiplies each dimension by, and the law of the error; one line a family."""
    return pd.DataFrame([_law(family, found) for family, found in report["families"].items()])


def sizes(found: Mapping[str, Any]) -> pd.DataFrame:
    """The sizes that were climbed to and their controls."""
    rows = [("climb", one) for one in found["climb"]] + [(one["name"], one) for one in found["controls"]]
    return pd.DataFrame([_size(name, one) for name, one in rows])


def _law(family: str, found: Mapping[str, Any]) -> dict[str, Any]:
    fit, law = found["fit"] or {}, found["law"]
    told = fit.get("response", {})
    growths = {f"{name} ({dimension})": _estimate(told.get(name)) for name, dimension in GREEK.items()}
    line = fit.get("line")
    climbed = "-" if line is None else ", ".join(f"{line[name]:.3f}" for name in GREEK)
    bands = {name: _band(law.get(name)) for name in ("b", "c")}
    return {"family": family, "base FLOPs": found["flops"], **growths, "climbed along": climbed, **bands}


def _size(name: str, one: Mapping[str, Any]) -> dict[str, Any]:
    told = one.get("forecast")
    return {
        "phi": one["place"],
        "grown": name,
        "depth": one["depth"],
        "width": round(one["width"], 1),
        "resolution": one["resolution"],
        "FLOPs": one["flops"],
        "parameters": one["parameters"],
        "error": round(fmean(one["errors"]), 4),
        "seeds": len(one["errors"]),
        "predicted": "-" if told is None else f"{told['value']:.4f} [{told['low']:.4f}, {told['high']:.4f}]",
        "in the band": {True: "yes", False: "no", None: "-"}[one.get("inside")],
    }


def _estimate(one: Mapping[str, Any] | None) -> str:
    """An estimate with its interval, or why there is none."""
    if one is None:
        return "-"
    return _band(one) if one["determined"] else f"undetermined: {one['why']}"


def _band(one: Mapping[str, Any] | None) -> str:
    if one is None or one["value"] is None:
        return "-"
    low, high = ("open" if end is None else f"{end:.3g}" for end in (one["low"], one["high"]))
    return f"{one['value']:.3g} [{low}, {high}]"


def _tiles(report: Mapping[str, Any]) -> None:
    found = report["families"].values()
    told = [one["inside"] for family in found for one in family["climb"] if one.get("forecast")]
    tiles = st.columns(3)
    trained: Sequence[int] = [
        len(one["errors"])
        for family in found
        for kind in ("shapes", "climb", "controls", "shares")
        for one in family[kind]
    ]
    parts.tile(tiles[0], "Families", str(len(found)))
    parts.tile(tiles[1], "Trainings", f"{sum(trained):,}")
    parts.tile(tiles[2], "Predictions inside their band", f"{sum(told)} of {len(told)}" if told else "-")


def _predictions(report: Mapping[str, Any]) -> None:
    figure = growth.predicted(report)
    if figure is not None:
        st.subheader("Predicted against actual")
        parts.chart(figure, "predicted")


def _family(family: str, found: Mapping[str, Any]) -> None:
    """Sizes and profiles of one family."""
    st.subheader(family)
    columns: dict[str, Any] = {
        name: st.column_config.NumberColumn(name, format="compact") for name in ("FLOPs", "parameters")
    }
    columns["predicted"] = st.column_config.TextColumn("predicted", width="medium")
    st.dataframe(sizes(found), width="stretch", hide_index=True, column_config=columns, key=f"sizes {family}")
    places = st.columns(3)
    for place, dimension in zip(places, GREEK.values(), strict=True):
        with place:
            parts.chart(growth.profiles(found["shapes"], dimension), f"profile {family} {dimension}")


page()
