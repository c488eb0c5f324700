"""The files that a study of a run leaves: what it found as JSON, and in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_report(name: str, tree: Mapping[str, Any], text: str, folder: Path) -> list[Path]:
    """Write both files, and say which."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        folder / f"{name}.json": json.dumps(tree, indent=2, allow_nan=False) + "\n",
        folder / f"{name}.md": text,
    }
    for path, content in files.items():
        path.write_text(content, encoding="utf-8")
    return list(files)
