"""Do averaged weights beat the last ones? LeNet-5 on scikit-learn's digits at a constant rate, the same seeds for each.

Exit code 1 where an average's validation loss is not smaller for every seed. Time: about half a minute on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.report import table
from isoflop.config import TrialConfig
from isoflop.data import prepare
from isoflop.families import Scalar
from isoflop.trial import run_trial

PLAIN: Mapping[str, Scalar] = {
    "model.family": "lenet",
    "data.name": "digits",
    "train.horizon": 10,
    "train.reports": 1,
    "train.batch_size": 32,
    "optim.lr": 0.2,
    "schedule.name": "constant",
}
AVERAGES: Mapping[str, Mapping[str, Scalar]] = {
    "none": {},
    "ema": {"average.name": "ema", "average.decay": 0.98},
    "swa": {"average.name": "swa", "average.start": 0.5, "average.every": 0.25},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a training came to."""

    average: str
    seed: int
    accuracy: float
    loss: float


def measure(average: str, seed: int, data: Path) -> Found:
    """Train; validation's accuracy and loss at the end."""
    config = TrialConfig.from_params({**PLAIN, **AVERAGES[average]})
    (record,) = run_trial(config, seed, data=data, device=torch.device("cpu"))
    found = record.metrics
    return Found(average=average, seed=seed, accuracy=found["val_accuracy"], loss=found["val_loss"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one seed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        data = prepare("digits", root=Path(folder)).path
        seeds = range(1 if options.quick else options.seeds)
        found = [measure(average, seed, data) for seed in seeds for average in AVERAGES]
    if options.json:
        print(json.dumps([asdict(row) for row in found]))
    else:
        rows = [(row.average, str(row.seed), f"{row.accuracy:.4f}", f"{row.loss:.4f}") for row in found]
        print(table(("average", "seed", "accuracy", "loss"), rows))
    last = {row.seed: row.loss for row in found if row.average == "none"}
    sys.exit(any(row.loss >= last[row.seed] for row in found if row.average != "none"))


if __name__ == "__main__":
    main()
