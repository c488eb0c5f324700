"""Counts of nets that outlast a process: solving the shapes of a study asks for hundreds, each some 50 ms of work."""

from __future__ import annotations

import json
from dataclasses import astuple
from hashlib import sha256
from pathlib import Path

from isoflop.config import ModelConfig
from isoflop.scaling.extent import Count, Extent


class Memory:
    """A count that is asked once for each net, and whose answers stand in a file, a line each.

    What cannot be counted is asked again. Lines that are torn are passed over; two processes may write at once.
    """

    def __init__(self, count: Count, folder: Path, about: str) -> None:
        """Answers are those of `about`, whatever the numbers depend on beside the net: code, images, classes."""
        self.count = count
        self.path = folder / f"{sha256(about.encode()).hexdigest()[:16]}.jsonl"
        self._known: dict[str, Extent] = {}
        if self.path.is_file():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                self._take(line)

    def __call__(self, model: ModelConfig) -> Extent:
        """Count a net, or recall what it was counted as."""
        key = model.model_dump_json()
        if key not in self._known:
            found = self._known[key] = self.count(model)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, *astuple(found)]) + "\n")
        return self._known[key]

    def _take(self, line: str) -> None:
        try:
            key, depth, width, resolution, flops = json.loads(line)
        except ValueError:
            return
        self._known[key] = Extent(depth=depth, width=width, resolution=resolution, flops=flops)
