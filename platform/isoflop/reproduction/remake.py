"""Trains one configuration and says so line by line: run by its path, with the code of any commit on the search path.

It reads an order as JSON from its input, and writes JSON lines: what code and machine it has, each record, and at last
what it left. Of the package it uses what is public: `TrialConfig` and `run_trial`. So it is never imported.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, TextIO


def main() -> None:
    """Answer one order."""
    order = json.load(sys.stdin)
    line = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    try:
        train(order, line)
    except Exception as error:  # noqa: BLE001 - whoever asked decides what it means
        kinds = [kind.__name__ for kind in type(error).__mro__]
        say(line, "error", {"kinds": kinds, "text": str(error), "trace": traceback.format_exc(limit=-8)})


def train(order: dict[str, Any], line: TextIO) -> None:
    """Train as far as the order says; where that is to the end, leave answers and weights in its folder."""
    import torch

    import isoflop

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    say(line, "begin", {"package": str(Path(isoflop.__file__).parent), "device": device})
    from isoflop import TrialConfig, run_trial

    # What is not needed is not said: older code may not know it.
    optional = {"weights": {name: Path(file) for name, file in order["weights"].items()}, "asked": order["asked"]}
    run = run_trial(
        TrialConfig.from_params(order["config"]),
        order["seed"],
        data=Path(order["data"]),
        flops=order["flops"],
        **{name: value for name, value in optional.items() if value},
    )
    for record in islice(run, order["reports"]):
        say(line, "record", asdict(record))
    if order["finish"]:
        run.finish(Path(order["folder"]), weights=True)
    say(line, "end", None)


def say(line: TextIO, what: str, value: Any) -> None:
    """Write a line."""
    line.write(json.dumps({what: value}) + "\n")
    line.flush()


if __name__ == "__main__":
    main()
