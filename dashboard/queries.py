"""Cached reads of the state folder or of an MLflow, made again only after something new came in."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, TypeAlias

import streamlit as st

from isoflop.home import Home
from isoflop.ranking import Row, boards
from isoflop.tracking.cache.opening import open_reads
from isoflop.tracking.reads import Reads

FROM = "ISOFLOP_FROM"
"""The variable that names an MLflow to be read in place of the state folder."""
Version: TypeAlias = tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """The studies of a state folder or of an MLflow as they stand at one version."""

    store: Reads
    place: tuple[str, int]
    """The journal's path and its place on the disk: another file there is another journal. Or an address, and 0."""
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

    def report(self, study: str, plan: str) -> dict[str, Any] | None:
        """What a study of the state folder that followed a plan reported, as JSON values; none while it has not."""
        if not self.place[1]:
            return None  # a study of that id here is not the one that is read
        return _report(self.place, dict(self.version)[study], study, plan)

    def openings(self) -> dict[str, int]:
        """For how many trainings the test set was opened, by data digest."""
        return self.store.openings()


def library() -> Library | None:
    """The MLflow or else the state folder that the environment names; none while nothing was ever run there.

    Raises `StateError` where it cannot be read.
    """
    uri, path = os.environ.get(FROM), Home.find().journal
    if not uri and not path.is_file():
        return None
    place = (uri, 0) if uri else (str(path), path.stat().st_ino)
    store = _store(place)
    return Library(store=store, place=place, version=store.version())


@st.cache_resource(max_entries=2, show_spinner=False)
def _store(place: tuple[str, int]) -> Reads:
    path, number = place
    return open_reads(Home.find(), None if number else path)


@st.cache_data(max_entries=4, show_spinner=False)
def _studies(_store: Reads, place: tuple[str, int], version: Version) -> list[dict[str, Any]]:
    del place, version  # keys of the cache
    return _store.studies()[::-1]


@st.cache_data(max_entries=16, show_spinner=False)
def _trials(_store: Reads, place: tuple[str, int], seq: int, study: str) -> list[dict[str, Any]]:
    del place, seq  # keys of the cache
    return _store.trials(study)


@st.cache_data(max_entries=16, show_spinner="Reading predictions")
def _boards(_store: Reads, place: tuple[str, int], version: Version, search: str | None) -> dict[str, list[Row]]:
    del place, version  # keys of the cache
    return boards(_store.results(search))


@st.cache_data(max_entries=8, show_spinner=False)
def _report(place: tuple[str, int], seq: int, study: str, plan: str) -> dict[str, Any] | None:
    del place, seq  # keys of the cache
    path = Home.find().reports(study) / f"{plan}.json"
    if not path.is_file():
        return None
    tree: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return tree
