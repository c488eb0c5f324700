"""A training in a process of its own, with the code of a given source, seen from the process that asked for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from isoflop.errors import Fault, InputError, StateError
from isoflop.records import Record
from isoflop.reproduction.recorded import Training
from isoflop.reproduction.sources import Source, environment

REMAKE: Final = Path(__file__).with_name("remake.py")
MEMORY: Final = "ExhaustedError"
"""Where memory runs out, a TrialError as well."""
GRACE: Final = 10.0
"""Seconds in which a process that is not needed any more ends by itself."""


class FailedError(Exception):
    """The training failed, which the recorded one did not."""


@dataclass(kw_only=True, slots=True)
class Remade:
    """A training that is made again. It leaves what it leaves in `folder`."""

    training: Training
    source: Source
    data: Path
    weights: Mapping[str, Path]
    home: Path
    folder: Path
    device: str = field(default="", init=False)
    """The accelerator that it trained on, empty for none."""

    def records(self) -> Generator[Record]:
        """Its records as they come; after the last one it has left its answers, if the recorded one came to its end.

        Raises `FailedError` where it fails, `InputError` or `StateError` where it cannot be made here. Closing the
        iterator ends the process.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "log.txt"
        command = [sys.executable, "-P", str(REMAKE)]
        with (
            log.open("w", encoding="utf-8") as errors,
            subprocess.Popen(
                command,
                env={**environment(self.source.path), "ISOFLOP_HOME": str(self.home)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
            ) as process,
        ):
            try:
                assert process.stdin is not None, "it was opened with a pipe"
                with suppress(BrokenPipeError), process.stdin as line:
                    json.dump(self._order(), line)
                yield from self._heard(process, log)
            finally:
                _end(process)

    def _order(self) -> dict[str, Any]:
        return {
            "config": dict(self.training.config),
            "seed": self.training.seed,
            "flops": self.training.flops,
            "data": str(self.data),
            "weights": {name: str(file) for name, file in self.weights.items()},
            "asked": self.training.asked,
            "reports": len(self.training.records),
            "finish": self.complete,
            "folder": str(self.folder),
        }

    @property
    def complete(self) -> bool:
        """Whether the recorded training came to its end, where a training leaves its answers."""
        return len(self.training.records) == self.training.config["train.reports"]

    def _heard(self, process: subprocess.Popen[str], log: Path) -> Iterator[Record]:
        assert process.stdout is not None, "it was opened with a pipe"
        for line in process.stdout:
            ((what, value),) = json.loads(line).items()
            if what == "begin":
                self._begun(value)
            elif what == "record":
                yield Record.from_dict(value)
            elif what == "error":
                raise _fault(value)
            else:
                return
        code = process.wait()
        said = log.read_text(encoding="utf-8").strip().splitlines() or ["run it again"]
        raise StateError(f"the training was lost: its process ended with {code}; {said[-1]}")

    def _begun(self, value: Mapping[str, Any]) -> None:
        """What code and machine it has. Raises `StateError` where another copy of the package was before ours."""
        self.device = value["device"]
        if not Path(value["package"]).is_relative_to(self.source.path):
            what = f"Python imports isoflop from {value['package']}, not from {self.source.path}"
            raise StateError(f"{what}; install it with `pip install --editable`, or reproduce in a clone")


def _fault(value: Mapping[str, Any]) -> Exception:
    """What an error of the training means here."""
    kinds, text = value["kinds"], str(value["text"])
    if MEMORY in kinds:
        return InputError(Fault("this machine", text, "reproduce it on one with more memory"))
    if "TrialError" in kinds:
        return FailedError(text)
    if "InputError" in kinds:
        return InputError(*text.splitlines())
    # Packages that do not go with the code, a full disk, a lost process: of the run itself that says nothing.
    known = "IsoflopError" in kinds
    return StateError(f"the training broke off: {text if known else value['trace'].strip().splitlines()[-1]}")


def _end(process: subprocess.Popen[str]) -> None:
    """End a process that may have ended."""
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
