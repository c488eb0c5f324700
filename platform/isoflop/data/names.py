"""Names of prepared sets and of classes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from isoflop.errors import DataError, Fault

LEGAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_name(name: str) -> str:
    """The name of a prepared set. Raises `DataError` where it cannot name a folder everywhere."""
    if not LEGAL.fullmatch(name):
        what = f"{name!r} cannot name a prepared set"
        raise DataError(Fault("name", what, "pass --name with letters, digits, dot, dash and underscore, at most 64"))
    return name


def name_of(text: str) -> str:
    """A name for a set, made of a file's or folder's; empty where nothing of it can be used."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._")[:64]


def clean(text: str) -> str:
    """A class's or file's name in one Unicode form, without control characters and outer blanks."""
    whole = unicodedata.normalize("NFC", text.encode("utf-8", "backslashreplace").decode())
    return "".join(c for c in whole if unicodedata.category(c) != "Cc").strip()


def class_names(found: Iterable[str], where: str) -> tuple[str, ...]:
    """The classes in order: by number where all are numbers, else by code point.

    Raises `DataError` where fewer than two are left, or two that differ on disk become one.
    """
    raw = sorted(set(found))
    names = sorted({clean(name) for name in raw})
    if "" in names:
        raise DataError(Fault(where, "a class has an empty name", "give every class a name"))
    if len(names) < len(raw):
        twins = sorted(name for name in names if sum(clean(r) == name for r in raw) > 1)
        raise DataError(Fault(where, f"several classes are called {twins[0]!r} but for blanks", "rename them"))
    if len(names) < 2:
        what = f"holds one class, {names[0]!r}" if names else "holds no class"
        raise DataError(Fault(where, what, "a classifier needs two or more: one folder or label for each"))
    if all(name.isdecimal() for name in names):
        names.sort(key=lambda name: (int(name), name))
    return tuple(names)
