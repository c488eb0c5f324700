"""Trials that do no work, on plain Ray Tune: a function trainable that imports torch, Optuna and MLflow's callback.

`python -m benchmarks.stock.idle FOLDER TRIALS` prints when each trial ended and when the search was over, in seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import ray
from optuna.samplers import TPESampler
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.search.optuna import OptunaSearch

WORKERS = 2
SPACE = {
    "width": tune.uniform(1.0, 4.0),
    "lr": tune.loguniform(5e-4, 1e-2),
    "weight_decay": tune.loguniform(1e-4, 0.1),
    "label_smoothing": tune.choice([0.0, 0.1]),
    "batch_size": tune.choice([32, 64, 128]),
}


def train(config: dict[str, Any]) -> None:
    """Import what every training imports, and report."""
    import torch

    torch.set_num_threads(1)
    tune.report({"val_accuracy": 1 - abs(config["width"] - 2) / 4})


class Stopwatch(tune.Callback):
    """Notes when trials end."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """One has."""
        del iteration, trials, trial, info
        self.ends.append(time.perf_counter())


def main() -> None:
    """Run the search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("trials", type=int)
    options = parser.parse_args()
    watch = Stopwatch()
    ray.init("local", num_cpus=WORKERS, include_dashboard=False)
    tuner = tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        param_space=SPACE,
        tune_config=tune.TuneConfig(
            metric="val_accuracy",
            mode="max",
            search_alg=OptunaSearch(sampler=TPESampler(seed=0)),
            num_samples=options.trials,
            max_concurrent_trials=WORKERS,
        ),
        run_config=tune.RunConfig(
            name="idle",
            storage_path=str(options.folder / "ray"),
            callbacks=[
                watch,
                MLflowLoggerCallback(
                    tracking_uri=f"sqlite:///{options.folder / 'mlflow.sqlite'}", experiment_name="idle"
                ),
            ],
        ),
    )
    tuner.fit()
    print(json.dumps({"ends": watch.ends, "over": time.perf_counter()}))


if __name__ == "__main__":
    main()
