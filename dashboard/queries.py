"""Cached reads of the state folder, made again only after the journal grew."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import streamlit as st

from isoflop.home import Home
from isoflop.journal.sqlite import SqliteJournal
from isoflop.ranking import Row, boards
from isoflop.tracking.store import Store

Version: TypeAlias = tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """The studies of a state folder as they stand at one version."""

    store: Store
    place: tuple[str, int]
    """The journal's path and its place on the disk: another file in its stead is another journal."""
    version: Version

    def studies(self) -> list[dict[str, Any]]:
        """Every study, newest first."""
        return _studies(self.store, self.place, self.version)

    def trials(self, study: str) -> list[dict[str, Any]]:
        """The trials of a study."""
        return _trials(self.store, self.place, dict(self.version)[study], study)

    def boards(self, search: str | None = None) -> dict[str, list[Row]]:
        """Boards by data digest, of all finalists or those of one search."""
        return _boards(self.store, self.place, self.version, search)

    def scaling(self, study: str) -> dict[str, Any] | None:
        """What a scaling study reported, as `compound.report` writes it; none while it has not."""
        return _scaling(self.place, dict(self.version)[study], study)

    def openings(self) -> dict[str, int]:
        """For how many trainings the test set was opened, by data digest."""
        return self.store.openings()


def library() -> Library | None:
    """The state folder that the environment names; none while nothing was ever run there.

    Raises `StateError` where its journal cannot be read.
    """
    path = Home.find().journal
    if not path.is_file():
        return None
    place = (str(path), path.stat().st_ino)
    store = _store(place)
    return Library(store=store, place=place, version=store.version())


@st.cache_resource(max_entries=2, show_spinner=False)
def _store(place: tuple[str, int]) -> Store:
    path = Path(place[0])
    return Store(SqliteJournal.open_readonly(path), path.parent)


@st.cache_data(max_entries=4, show_spinner=False)
def _studies(_store: Store, place: tuple[str, int], version: Version) -> list[dict[str, Any]]:
    del place, version  # keys of the cache
    return _store.studies()[::-1]


@st.cache_data(max_entries=16, show_spinner=False)
def _trials(_store: Store, place: tuple[str, int], seq: int, study: str) -> list[dict[str, Any]]:
    del place, seq  # keys of the cache
    return _store.trials(study)


@st.cache_data(max_entries=16, show_spinner="Reading predictions")
def _boards(_store: Store, place: tuple[str, int], version: Version, search: str | None) -> dict[str, list[Row]]:
    del place, version  # keys of the cache
    return boards(_store.results(search))


@st.cache_data(max_entries=8, show_spinner=False)
def _scaling(place: tuple[str, int], seq: int, study: str) -> dict[str, Any] | None:
    del place, seq  # keys of the cache
    path = Home.find().reports(study) / "scaling.json"
    if not path.is_file():
        return None
    tree: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return tree
