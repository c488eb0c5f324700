"""Page: finalists of one data set, ranked by validation, with what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

import charts
import parts
import queries
from isoflop.table import heading, reproduced, searched, seeds, shown, states
from isoflop.tasks import TEST, USUAL, VAL

SPLITS = {"Test": TEST, "Validation": VAL}


def page() -> None:
    """Show the board of the data set and search that are chosen."""
    st.title("Leaderboard")
    st.caption(
        "Validation picks; the test set is opened once, at the end. Intervals are 95 %, over seeds and images. "
        "Rows in one tie group cannot be told apart."
    )
    library = parts.library_or_stop()
    studies = library.studies()
    digest, search = _choose(library, studies)
    rows = library.boards(search).get(digest or "", [])
    _tiles(library, studies, rows, digest)
    for fault in (fault for row in rows for fault in row["faults"]):
        parts.note("A file could not be read; the intervals of its row cover seeds alone.", fault)
    if not rows:
        parts.note(
            "No finalists yet. Retrain the best trials of a search:", "isoflop finalists STUDY --top 3 --seeds 3"
        )
        return
    columns = _columns(rows[0]["pick"])
    st.dataframe(table(rows), width="stretch", hide_index=True, column_config=columns, key="board")
    _plot(rows)


def table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The board as a frame; shares in percent, numbers kept as numbers so that columns sort."""
    return pd.DataFrame([_line(row) for row in rows])


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    measure = row["pick"].removeprefix(VAL)
    val, test = (shown(row["metrics"].get(split + measure), measure) for split in (VAL, TEST))
    return {
        "rank": row["rank"],
        "picked": row["picked"],
        "run": row["run"],
        "family": row["family"],
        "shape": row["shape"],
        "parameters": row["parameters"],
        "flops": row["flops"],
        "searched": searched(row),
        "val": val,
        "test": test,
        "tie": row["tie_group"],
        "seeds": seeds(row),
        "reproduced": reproduced(row["reproduced"]),
        "trials": states(row["counts"]),
    }


def _columns(pick: str) -> dict[str, Any]:
    column, measure = st.column_config, charts.label(pick).lower().removeprefix("validation ")
    val, test = (heading(split + pick.removeprefix(VAL)) for split in (VAL, TEST))
    return {
        "rank": column.NumberColumn("Rank", width=50),
        "picked": column.CheckboxColumn("Pick", width=50, help="What validation picks"),
        "run": column.TextColumn("Run", width=150),
        "family": column.TextColumn("Family", width=95),
        "shape": column.TextColumn("Shape", width=130, help="Depth, width, resolution, stem"),
        "parameters": column.NumberColumn("Parameters", format="compact", width=85),
        "flops": column.NumberColumn("FLOPs", format="compact", width=65, help="One image, multiply-adds x 2"),
        "searched": column.TextColumn(
            "In its search", width=120, help="What it was picked for, and how much of the search's best is luck"
        ),
        "val": column.TextColumn(_spelled(val), width=150, help=f"Mean and 95 % interval: {measure}"),
        "test": column.TextColumn(_spelled(test), width=150, help=f"Mean and 95 % interval: {measure}"),
        "tie": column.NumberColumn("Tie group", width=75),
        "seeds": column.TextColumn("Seeds", width=55, help="Lost ones did not finish: no number of theirs is here"),
        "reproduced": column.TextColumn("Reproduced", width=120, help="Seeds that isoflop reproduce trained again"),
        "trials": column.TextColumn("Trials of the search", width="medium"),
    }


def _spelled(heading: str) -> str:
    """A column's heading in full: Validation % for val %."""
    return heading.replace("val", "Validation", 1) if heading.startswith("val") else heading.capitalize()


def _choose(library: queries.Library, studies: Sequence[Mapping[str, Any]]) -> tuple[str | None, str | None]:
    """The data digest and the search that are chosen, none for all searches."""
    digests = list(library.boards())
    names = {study["data_digest"]: study["data"] for study in studies}
    left, right = st.columns(2)
    digest = left.selectbox(
        "Data set",
        digests,
        format_func=lambda one: f"{names.get(one, '')}  {one[:12]}",
        placeholder="none yet",
        key="digest",
    )
    searches = [study["id"] for study in studies if study["plan"] == "search" and study["data_digest"] == digest]
    search = right.selectbox("Search", [None, *searches], format_func=lambda one: one or "all searches", key="search")
    return digest, search


def _tiles(
    library: queries.Library,
    studies: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    digest: str | None,
) -> None:
    """Four numbers: how much was tried, and what the pick is worth."""
    searches = [study for study in studies if study["plan"] != "finalists"]
    measure = (rows[0]["pick"] if rows else USUAL.first).removeprefix(VAL)
    pick = rows[0]["metrics"].get(TEST + measure) if rows else None
    tiles = st.columns(4)
    parts.tile(tiles[0], "Studies", str(len(searches)))
    parts.tile(tiles[1], "Trials", f"{sum(study['trials'] for study in searches):,}")
    opened = library.openings().get(digest or "", 0)
    parts.tile(tiles[2], "Test set opened for", f"{opened} training{'' if opened == 1 else 's'}")
    parts.tile(tiles[3], f"{charts.label(TEST + measure)} of the pick", *_value(pick, measure))


def _value(metric: Mapping[str, Any] | None, measure: str) -> tuple[str, str]:
    """A metric in large letters and its interval in small ones."""
    text, _, ends = shown(metric, measure).partition(" ")
    share = heading(TEST + measure).endswith("%") and metric is not None and metric["mean"] is not None
    return (f"{text} %" if share else text), ends


def _plot(rows: Sequence[Mapping[str, Any]]) -> None:
    """What picks over FLOPs."""
    left, right = st.columns([4, 1], vertical_alignment="center")
    measure = rows[0]["pick"].removeprefix(VAL)
    left.subheader(f"{charts.label(VAL + measure).removeprefix('Validation ').capitalize()} at its cost")
    offered = [name for name, split in SPLITS.items() if any(split + measure in row["metrics"] for row in rows)]
    chosen = right.segmented_control(
        "Split", offered, default=offered[0] if offered else None, key="metric", label_visibility="collapsed"
    )
    metric = SPLITS[chosen or (offered[0] if offered else "Validation")] + measure
    parts.chart(charts.metric_by_flops(rows, metric), "plot")


page()
