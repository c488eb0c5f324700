"""What must not leave this machine with the records: secrets by the name of their key, and those within addresses."""

from __future__ import annotations

import re

HIDDEN = "REDACTED"
KEYS = re.compile(r"token|secret|passw|api[_-]?key|credential|dsn|cookie", re.IGNORECASE)
USERINFO = re.compile(r"(?<=://)[^/\s@]+(?=@)")


def redact(key: str, text: str) -> str:
    """A text without secrets: all of it where the key names one, else the user and password of its addresses."""
    return HIDDEN if text and KEYS.search(key) else hide_userinfo(text)


def hide_userinfo(text: str) -> str:
    """A text whose addresses name no user and no password."""
    return USERINFO.sub(HIDDEN, text)


def clip(text: str, limit: int) -> str:
    """A text of at most `limit` characters: begin and end, since a traceback tells what it is at its end."""
    if len(text) <= limit:
        return text
    gap = " [...] "
    head = (limit - len(gap)) // 2
    return text[:head] + gap + text[len(text) - (limit - len(gap) - head) :]
