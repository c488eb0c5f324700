"""What is other here than it was where a run was trained, said before it is trained again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from isoflop.provenance import LIBRARIES

WORDS: Final = {
    "code": "code of the training core",
    "lock_hash": "requirements.lock",
    "hardware": "hardware",
}


def circumstances(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What of two provenances may change numbers, a line each; what one of them does not say is no difference."""
    for name, words in WORDS.items():
        if then.get(name) and now.get(name) and then[name] != now[name]:
            yield f"{words}: was {then[name]}, is {now[name]}"
    was, installed = then.get("versions") or {}, now.get("versions") or {}
    for name in LIBRARIES:
        if was.get(name) and was[name] != installed.get(name):
            yield f"{name}: was {was[name]}, is {installed.get(name) or 'missing'}"
