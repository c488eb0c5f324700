"""What must not leave this machine with the records: secrets by the name of their key, and those within addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "REDACTED"
KEYS = re.compile(r"token|secret|passw|api[_-]?key|credential|dsn|cookie", re.IGNORECASE)
USERINFO = re.compile(r"(?<=://)[^/\s@]+(?=@)")
ASSIGNED = re.compile(
    r"""((?:token|secret\w*|passw(?:or)?d|api[_-]?key|credentials?|dsn|cookie)["']?\s*[=:]\s*["']?|\bbearer\s+)"""
    r"""(?!REDACTED)[^\s"',;&)}\]]+""",
    re.IGNORECASE,
)
"""What a text gives to a name of a secret: `?token=...`, `PASSWORD: ...`, `Bearer ...`."""


def redact(key: str, text: str) -> str:
    """A text without secrets: all of it where the key names one, else `hide_secrets`."""
    return HIDDEN if text and KEYS.search(key) else hide_secrets(text)


def redact_tree(value: Any, key: str = "") -> Any:
    """JSON values without secrets; only text can be one, a number is a setting such as `model.tokens: 4`."""
    if isinstance(value, Mapping):
        return {name: redact_tree(one, str(name)) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_tree(one, key) for one in value]
    return redact(key, value) if isinstance(value, str) else value


def hide_secrets(text: str) -> str:
    """A text without what it gives to a name of a secret, and without user and password of its addresses."""
    return ASSIGNED.sub(rf"\g<1>{HIDDEN}", hide_userinfo(text))


def hide_userinfo(text: str) -> str:
    """A text whose addresses name no user and no password."""
    return USERINFO.sub(HIDDEN, text)


def clip(text: str, limit: int) -> str:
    """A text of at most `limit` characters: begin and end, since a traceback tells what it is at its end.

    What no database takes, NUL and halves of surrogate pairs, becomes a question mark.
    """
    text = text.replace("\0", "?").encode(errors="replace").decode()
    if len(text) <= limit:
        return text
    gap = " [...] "
    head = (limit - len(gap)) // 2
    return text[:head] + gap + text[len(text) - (limit - len(gap) - head) :]
