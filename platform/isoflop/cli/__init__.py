"""The command line: arguments to calls, nothing else. What is heavy is imported by the command that needs it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import typer

from isoflop.cli.app import app
from isoflop.cli.signals import caught
from isoflop.errors import InputError, StateError, StudyError

USAGE: type[typer.TyperException] = typer.BadParameter.__mro__[1]
"""The base of Typer's complaints about a command line, which it does not export by name."""
INTERRUPTED = 130
"""Typer's exit code for Ctrl-C."""


def main() -> None:
    """Run the command line.

    Exit codes: 0 done, 1 a study that came to nothing, 2 a user's mistake or a state folder that cannot be used, each
    in one line a fault, 130 stopped by Ctrl-C, 143 by SIGTERM.
    """
    with caught() as stopped:
        code = _run(stopped)
    sys.exit(code)


def _run(stopped: Callable[[], int]) -> int:
    try:
        code: int | None = app(standalone_mode=False, prog_name="isoflop")
    except USAGE as error:
        return _misused(error)
    except (InputError, StateError) as error:
        return _refuse(*map(str, getattr(error, "faults", [error])))
    except StudyError as error:
        return _refuse(str(error), code=1)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # a pager or head that was closed; Python would complain at exit
        return 0
    if code == INTERRUPTED:
        print("interrupted: what was finished stands", file=sys.stderr)
        return stopped()
    return code or 0


def _misused(error: Any) -> int:
    """One line for a wrong command line; a group of commands without a command shows its help."""
    message, where = error.format_message(), error.ctx.command_path if error.ctx else "isoflop"
    if message.startswith("Usage: "):
        print(message, file=sys.stderr)
        return 2
    return _refuse(f"{message.rstrip('.')}; see: {where} --help")


def _refuse(*lines: str, code: int = 2) -> int:
    for line in lines:
        print(f"error: {line}", file=sys.stderr)
    return code
