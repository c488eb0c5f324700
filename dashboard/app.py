"""The dashboard: `isoflop dashboard`, or `streamlit run dashboard/app.py`. It reads the state folder and no more."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

st.set_page_config(page_title="Isoflop", page_icon=":material/leaderboard:", layout="wide")
st.logo(Path(__file__).parent / "logo.svg", size="large")

st.navigation(
    [
        st.Page("views/leaderboard.py", title="Leaderboard", icon=":material/leaderboard:", default=True),
        st.Page("views/studies.py", title="Studies", icon=":material/science:"),
        st.Page("views/runs.py", title="Runs", icon=":material/tune:"),
        st.Page("views/scaling.py", title="Scaling", icon=":material/trending_up:"),
    ],
    position="top",
).run()
