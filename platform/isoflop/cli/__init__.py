"""The command line: arguments to calls, nothing else. What is heavy is imported by the command that needs it."""

from __future__ import annotations

import sys
from typing import Any

import typer

from isoflop.cli.app import app
from isoflop.errors import InputError, StateError

USAGE: type[typer.TyperException] = typer.BadParameter.__mro__[1]
"""The base of Typer's complaints about a command line, which it does not export by name."""


def main() -> None:
    """Run the command line; a user's mistake is one line a fault and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except USAGE as error:
        sys.exit(_refuse(_complaint(error)))
    except InputError as error:
        sys.exit(_refuse(*map(str, error.faults)))
    except StateError as error:
        sys.exit(_refuse(str(error)))
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted: what was finished stands", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # a pager or head that was closed; Python would complain at exit
        sys.exit(0)
    sys.exit(code or 0)


def _complaint(error: Any) -> str:
    where = error.ctx.command_path if error.ctx else "isoflop"
    return f"{error.format_message().rstrip('.')}; see: {where} --help"


def _refuse(*lines: str) -> int:
    for line in lines:
        print(f"error: {line}", file=sys.stderr)
    return 2
