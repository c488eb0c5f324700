"""What pages share: tiles, notes, and what to show while there is nothing."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import queries
from isoflop.errors import StateError


def library_or_stop() -> queries.Library:
    """The studies there are; where there are none, or none can be read, say what to do and end the page."""
    try:
        found = queries.library()
    except StateError as error:
        note("The journal cannot be read.", str(error))
        st.stop()
    if found is None or not found.version:
        note("Nothing was run here yet. Start with the embedded digits:", "isoflop search search_spaces/digits.yaml")
        st.stop()
    return found


def note(text: str, code: str) -> None:
    """A sentence and a line of code or a message; the latter may hold anything, so it is never read as Markdown."""
    st.info(text, icon=":material/info:")
    st.code(code, language=None)


def chart(figure: go.Figure, key: str) -> None:
    """A figure over the whole width."""
    st.plotly_chart(figure, width="stretch", theme=None, key=key, config={"displayModeBar": False})


def tile(place: DeltaGenerator, name: str, value: str, small: str = "") -> None:
    """A number with its name."""
    place.metric(name, value, delta=small or None, delta_color="off", delta_arrow="off", border=True, height="stretch")
