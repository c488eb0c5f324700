"""Learning curves of real trainings on scikit-learn's digits: what `trained_curves.json` beside this file holds.

    python -m benchmarks.trained_curves benchmarks/trained_curves.json

Configurations drawn from search_spaces/digits.yaml at random, each trained for 9 epochs with 9 reports on 1 thread:
40 with the cosine schedule that is the default, and 8 at a constant rate. Kept are accuracy and loss on validation at
each report. A training that diverges is left out.

Time: about 5 minutes on one idle core.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.recorded import SCHEDULES
from isoflop.config import TrialConfig
from isoflop.data import prepare
from isoflop.errors import DivergedError
from isoflop.families import Scalar
from isoflop.spec import load_spec
from isoflop.suggester import RandomSuggester
from isoflop.trial import run_trial

SPEC = Path(__file__).parents[1] / "search_spaces" / "digits.yaml"
REPORTS = 9
KEPT = ("val_accuracy", "val_loss")
CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """What one training reported."""

    schedule: str
    family: str
    metrics: Mapping[str, list[float]]


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="where to write them")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="isoflop-curves-") as folder:
        prepare("digits", root=Path(folder))
        found: dict[str, list[Any]] = {}
        for curve in curves(Path(folder) / "digits"):
            found.setdefault(curve.schedule, []).append({"family": curve.family, **curve.metrics})
            print(curve.schedule, curve.family, curve.metrics["val_accuracy"][-1], flush=True)
    options.file.write_text(json.dumps(found, separators=(",", ":")).replace("},{", "},\n{") + "\n")


def curves(data: Path) -> Iterator[Curve]:
    """Train one configuration after the other."""
    for schedule, count in SCHEDULES.items():
        suggester = RandomSuggester(len(schedule))
        space = load_spec(SPEC).space
        for seed in range(count):
            params = space.sample(suggester)
            try:
                yield _curve(schedule, params, seed, data)
            except DivergedError:
                print(schedule, params, "diverged")


def _curve(schedule: str, params: Mapping[str, Scalar], seed: int, data: Path) -> Curve:
    plain: dict[str, Scalar] = {"data.name": "digits", "train.horizon": float(REPORTS), "train.reports": REPORTS}
    config = TrialConfig.from_params({**params, **plain, "schedule.name": schedule})
    records = list(run_trial(config, seed, data=data, device=CPU))
    metrics = {name: [round(record.metrics[name], 5) for record in records] for name in KEPT}
    return Curve(schedule=schedule, family=config.model.family, metrics=metrics)


if __name__ == "__main__":
    main()
