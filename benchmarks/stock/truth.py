"""Halving as plain Ray Tune runs it with Optuna: `OptunaSearch` and `ASHAScheduler`, all else default.

`python -m benchmarks.stock.truth JOB.json` prints how far each trial came and what Optuna was told of it. The training
is Isoflop's, so that both sides train the same; the search is not.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import optuna
import ray
from optuna.samplers import TPESampler
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from benchmarks.curve import accuracy
from benchmarks.told import counts


def curve(config: dict[str, Any]) -> None:
    """A training that costs nothing."""
    for epoch in range(1, config["epochs"] + 1):
        tune.report({"val_accuracy": accuracy(lr=config["lr"], width=config["width"], epoch=epoch)})


def digits(config: dict[str, Any]) -> None:
    """A LeNet on digits, by Isoflop's loop."""
    from isoflop.config import TrialConfig
    from isoflop.trial import run_trial

    params = {**config["base"], "optim.lr": config["lr"], "model.width": config["width"]}
    for record in run_trial(TrialConfig.from_params(params), 0, data=Path(config["data"])):
        tune.report({"val_accuracy": record.metrics["val_accuracy"]})


def main() -> None:
    """Run the search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", type=Path)
    job = json.loads(parser.parse_args().job.read_text())
    ray.init("local", num_cpus=2, include_dashboard=False)
    search = OptunaSearch(sampler=TPESampler(seed=0))
    with tempfile.TemporaryDirectory(prefix="stock-truth-") as folder:
        tuner = tune.Tuner(
            tune.with_resources(curve if job["problem"] == "curve" else digits, {"cpu": 1}),
            param_space={
                "lr": tune.loguniform(5e-4, 1e-2),
                "width": tune.uniform(1.0, 4.0),
                "epochs": job["epochs"],
                "base": job["base"],
                "data": job["data"],
            },
            tune_config=tune.TuneConfig(
                metric="val_accuracy",
                mode="max",
                search_alg=search,
                scheduler=ASHAScheduler(max_t=job["epochs"], grace_period=1, reduction_factor=3),
                num_samples=job["trials"],
                max_concurrent_trials=2,
            ),
            run_config=tune.RunConfig(name="truth", storage_path=folder),
        )
        results = tuner.fit()
    came = [(results[n].metrics or {})["training_iteration"] for n in range(len(results))]
    study: optuna.Study = vars(search)["_ot_study"]  # it shows it in no other way
    print(json.dumps({"epochs": came, "told": counts(study.get_trials())}))


if __name__ == "__main__":
    main()
