"""Tables for people, JSON for programs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

WIDE = 1000
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def emit(rows: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> None:
    """Print values as JSON; numbers that are not finite become null."""
    typer.echo(json.dumps(_plain(rows), indent=2, ensure_ascii=False))


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, empty: str, title: str | None = None) -> None:
    """Print rows as a table of these columns; where there are none, say what to do."""
    if not rows:
        typer.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        numeric = all(isinstance(row.get(column), (int, float)) for row in rows)
        shown.add_column(column, justify="right" if numeric else "left", no_wrap=not sys.stdout.isatty())
    for row in rows:
        shown.add_row(*(Text(cell(row.get(column))) for column in columns))
    # What goes to a file or a pipe has no edge to be folded at.
    Console(width=None if sys.stdout.isatty() else WIDE).print(shown)


def cell(value: object) -> str:
    """A value as a table shows it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def amount(value: float, unit: str = "") -> str:
    """A large number with its prefix: 1.23 M."""
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {prefix}{unit}".rstrip()
    return f"{value:.3g} {unit}".rstrip()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
