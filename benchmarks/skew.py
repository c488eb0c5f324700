"""What weights of classes do on a skewed set: five digits have 80 training images, five have 4.

LeNet-5, 20 epochs, several seeds; validation is as it comes. Prints means and standard deviations over the seeds.
Time: half a minute.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch

from benchmarks.report import table
from isoflop.config import TrialConfig
from isoflop.data.preparation import prepare_source
from isoflop.data.sources.arrays import ArraySource
from isoflop.data.sources.digits import digits_source
from isoflop.families import Scalar
from isoflop.trial import run_trial

LOSSES: dict[str, dict[str, Scalar]] = {
    "plain": {},
    "balanced": {"loss.class_weights": "balanced"},
    "effective": {"loss.class_weights": "effective"},
    "focal": {"loss.name": "focal"},
}
METRICS = ("val_accuracy", "val_balanced_accuracy")


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_const", dest="seeds", const=2, help="two seeds")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = skewed(Path(folder))
        found = {name: [earned(data, loss, seed) for seed in range(options.seeds)] for name, loss in LOSSES.items()}
    if options.json:
        print(json.dumps(found))
        return
    rows = [[name, *(_spread([one[metric] for one in many]) for metric in METRICS)] for name, many in found.items()]
    print(table(["loss", *METRICS], rows))


def skewed(root: Path) -> Path:
    """The set, prepared."""
    digits = digits_source()
    ((pixels, labels),) = digits.parts.values()
    order = np.random.default_rng(0).permutation(len(labels))
    pixels, labels = pixels[order], labels[order]
    train = np.concatenate([np.flatnonzero(labels[:900] == c)[: 80 if c < 5 else 4] for c in range(10)])
    parts = {"train": train, "val": np.arange(900, 1350), "test": np.arange(1350, 1797)}
    rows = {name: (pixels[places], labels[places]) for name, places in parts.items()}
    source = ArraySource(name="skewed", kind="digits", classes=digits.classes, parts=rows)
    return prepare_source(source, root=root).path


def earned(data: Path, loss: dict[str, Scalar], seed: int) -> dict[str, float]:
    """The metrics of one training."""
    recipe: dict[str, Scalar] = {
        "model.family": "lenet",
        "data.name": "skewed",
        "optim.name": "adamw",
        "optim.lr": 3e-3,
        "train.batch_size": 32,
        "train.horizon": 20,
        "train.reports": 1,
    }
    (record,) = run_trial(TrialConfig.from_params(recipe | loss), seed, data=data, device=torch.device("cpu"))
    return {name: record.metrics[name] for name in METRICS}


def _spread(values: list[float]) -> str:
    return f"{mean(values):.1%} +- {stdev(values):.1%}"


if __name__ == "__main__":
    main()
