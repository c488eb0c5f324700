"""Page: every study, the trials of one, and their learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

import charts
import parts
import queries
from isoflop.table import states

AXES = {"epochs": "Epochs", "images": "Images seen", "flops": "Training FLOPs"}


def page() -> None:
    """Show all studies and the trials of the chosen one."""
    st.title("Studies")
    library = parts.library_or_stop()
    studies = library.studies()
    st.dataframe(overview(studies), width="stretch", hide_index=True, column_config=_overview_columns(), key="studies")
    ids = [study["id"] for study in studies]
    chosen = st.selectbox("Study", ids, key="study")
    study = next(study for study in studies if study["id"] == chosen)
    _show(library, study)


def overview(studies: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One line a study."""
    lines = [
        {
            "study": study["id"],
            "plan": study["plan"],
            "state": study["state"],
            "data": study["data"],
            "trials": study["trials"],
            "states": states(study["counts"]),
            "objective": study["objective"],
            "best": study["best"],
            "began": pd.Timestamp(study["began"], unit="s"),
            "updated": pd.Timestamp(study["updated"], unit="s"),
        }
        for study in studies
    ]
    return pd.DataFrame(lines)


def listing(trials: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One line a trial; what the space sampled, or equal FLOPs decided, comes last, by dotted key."""
    return pd.DataFrame([_line(trial) for trial in trials])


def _line(trial: Mapping[str, Any]) -> dict[str, Any]:
    values = {**trial["params"], **trial["solved"]}
    return {
        "number": trial["number"],
        "replicate": trial["replicate"],
        "state": trial["state"],
        "family": trial["family"],
        "reports": len(trial["records"]),
        "rung": trial["rung"],
        **trial["values"],
        "parameters": trial["parameters"],
        "flops": trial["flops"],
        "source": trial["source"],
        "reason": trial["reason"],
        # Sampled values of one key may be numbers in one trial and words in another; a column is of one kind.
        **{key: _text(value) for key, value in values.items() if key != "model.family"},
    }


def _text(value: object) -> str:
    """A sampled value in few letters."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def _overview_columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "study": column.TextColumn("Study", width="medium"),
        "plan": column.TextColumn("Plan", width=90),
        "state": column.TextColumn("State", width=110),
        "data": column.TextColumn("Data", width=120),
        "trials": column.NumberColumn("Trials", width=70),
        "states": column.TextColumn("States", width="medium"),
        "objective": column.TextColumn("Objective", width=120),
        "best": column.NumberColumn("Best", format="%.4f", width=80),
        "began": column.DatetimeColumn("Began (UTC)", format="YYYY-MM-DD HH:mm", width=140),
        "updated": column.DatetimeColumn("Updated (UTC)", format="YYYY-MM-DD HH:mm", width=140),
    }


def _trial_columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "number": column.NumberColumn("Trial", width=60),
        "replicate": column.NumberColumn("Replicate", width=80),
        "state": column.TextColumn("State", width=105),
        "family": column.TextColumn("Family", width=100),
        "reports": column.NumberColumn("Reports", width=75),
        "rung": column.NumberColumn("Rung", width=60, help="The report at which it was stopped"),
        "parameters": column.NumberColumn("Parameters", format="compact", width=95),
        "flops": column.NumberColumn("FLOPs", format="compact", width=80),
        "source": column.TextColumn("Source", width=90),
        "reason": column.TextColumn("Reason", width="medium"),
    }


def _show(library: queries.Library, study: Mapping[str, Any]) -> None:
    """The trials of one study."""
    trials = library.trials(study["id"])
    tiles = st.columns(4)
    best = "-" if study["best"] is None else f"{study['best']:.4f}"
    parts.tile(tiles[0], "State", study["state"].capitalize())
    parts.tile(tiles[1], "Trials", f"{study['trials']:,}")
    parts.tile(tiles[2], "Reports", f"{sum(len(trial['records']) for trial in trials):,}")
    number = study["best_trial"]
    parts.tile(
        tiles[3], f"Best {charts.label(study['objective']).lower()}", best, f"trial {number}" if best != "-" else ""
    )
    if not trials:
        st.info("No trial was started yet.", icon=":material/hourglass_empty:")
        return
    parts.chart(charts.state_bar(study["counts"]), "states")
    st.subheader("Learning curves")
    _curves(trials, study["axis"], study["objective"])
    st.subheader("Trials")
    st.dataframe(listing(trials), width="stretch", hide_index=True, column_config=_trial_columns(), key="trials")


def _curves(trials: Sequence[Mapping[str, Any]], axis: str, objective: str) -> None:
    """One metric of all trials over the fidelity."""
    names = sorted({name for trial in trials for record in trial["records"] for name in record["metrics"]})
    if not names:
        st.info("No trial has reported yet.", icon=":material/hourglass_empty:")
        return
    start = names.index(objective) if objective in names else 0
    metric = st.selectbox("Metric", names, index=start, key="curve")
    parts.chart(charts.learning_curves(trials, metric, AXES.get(axis, axis)), "curves")


page()
