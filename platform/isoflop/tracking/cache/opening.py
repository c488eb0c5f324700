"""Opens reads: of the state folder, or of the MLflow that somebody names."""

from __future__ import annotations

import os

from isoflop.errors import Fault, InputError
from isoflop.home import Home
from isoflop.journal.sqlite import SqliteJournal
from isoflop.tracking.cache.journal import JournalSource
from isoflop.tracking.cache.rest import RestSource
from isoflop.tracking.cache.served import Served
from isoflop.tracking.cache.source import Source
from isoflop.tracking.cache.sql import SqlSource
from isoflop.tracking.reads import Reads
from isoflop.tracking.redaction import hide_userinfo
from isoflop.tracking.store import Store


def open_reads(home: Home, uri: str | None = None) -> Reads:
    """Reads of an MLflow database or server, or of the folder's journal, served from a cache in the folder.

    Where the folder cannot be written its journal is read without a cache. Raises `InputError` for an address that is
    none, `StateError` where there is no journal or MLflow cannot be read.
    """
    if uri:
        return Served(source_of(uri), home.ensure().reads)
    journal = SqliteJournal.open_readonly(home.journal)
    if not os.access(home.path, os.W_OK):
        return Store(journal, home.path)
    mark = str(home.journal.stat().st_ino)
    return Served(JournalSource(journal, home.path, name=f"journal {home.journal}", mark=mark), home.reads)


def source_of(uri: str) -> Source:
    """The source behind an address of MLflow. Raises `InputError` for one that is none."""
    kind = uri.partition(":")[0].partition("+")[0]
    if kind in {"http", "https"}:
        return RestSource(uri)
    if kind in {"sqlite", "postgresql"}:
        return SqlSource(uri)
    remedy = "write sqlite:///FILE, postgresql://HOST/DATABASE or http://HOST:PORT"
    raise InputError(Fault("--from", f"{hide_userinfo(uri)!r} is no address of MLflow that can be read", remedy))
