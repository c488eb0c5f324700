"""Page: what the choices of a run are worth, and what it comes to on every fold of its data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

import charts
import parts
import worth
from isoflop.followup.words import choice_rows, setting_text, value_text
from isoflop.table import quantity

ABLATION, FOLDS = "ablation", "cross-validation"


def page() -> None:
    """Show what the chosen study of a run found."""
    st.title("Runs")
    st.caption(
        "Studies of one run, on fresh seeds and on validation alone. An ablation sets each choice back to its default, "
        "a cross-validation lets every fold of the training and validation images validate once. Intervals are 95 %."
    )
    library = parts.library_or_stop()
    studies = {study["id"]: study["plan"] for study in library.studies() if study["plan"] in {ABLATION, FOLDS}}
    if not studies:
        parts.note("No run was studied yet. Take one of the leaderboard:", "isoflop ablate STUDY-finalists/0")
        return
    chosen = st.selectbox("Study", list(studies), key="study")
    report = library.report(chosen, studies[chosen])
    if report is None:
        parts.note("It has not reported yet; go on with it:", f"isoflop resume {chosen}")
        return
    st.text(f"{report['run']} on {report['data']['name']} ({report['data']['digest']})")
    (_ablation if studies[chosen] == ABLATION else _folds)(report)


def _ablation(report: Mapping[str, Any]) -> None:
    told = sum(row["told"] for row in report["choices"])
    tiles = st.columns(3)
    parts.tile(tiles[0], f"{charts.label(report['metric'])} as it is", value_text(report["as_is"], report))
    parts.tile(tiles[1], "Choices whose gain is told", f"{told} of {len(report['choices'])}")
    parts.tile(tiles[2], "FLOPs of one image", quantity(report["flops"]))
    parts.chart(worth.gains(report), "gains")
    st.dataframe(pd.DataFrame(choice_rows(report)), width="stretch", hide_index=True, key="choices")
    for one in report["untouched"]:
        st.text(f"Not set back: {one['key']} {setting_text(one['value'])}, {one['why']}.")


def _folds(report: Mapping[str, Any]) -> None:
    tiles = st.columns(2)
    parts.tile(tiles[0], f"{charts.label(report['metric'])}, mean over folds", value_text(report["mean"], report))
    parts.tile(tiles[1], "Folds", f"{len(report['values'])} of {report['folds']}", f"{report['images']:,} images")
    parts.chart(worth.folds(report), "folds")
    st.caption(
        "Folds share images, so the spread between them says too little: the interval has the correction of Nadeau and "
        f"Bengio (2003) and is {report['wider']:.2f} times as wide as without."
    )


page()
