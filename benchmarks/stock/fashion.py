"""A search on Fashion-MNIST as a user writes it today with Ray Tune, ASHA, torchvision and MLflow's callback.

After Ray's own PyTorch example: a function trainable, a DataLoader over torchvision's data set with its transforms, a
checkpoint and a report each epoch. One CPU a trial, as many side by side as there are CPUs; everything else is Ray's
default. `python -m benchmarks.stock.fashion FOLDER JOB.json`; FOLDER gets MLflow's database and Ray's results.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import BasicVariantGenerator
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

EPOCHS = 3


class Net(nn.Module):
    """Three convolutions of one width, each of stride 2 and with batch norm, and a linear head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *conv(1, width),
            *conv(width, width),
            *conv(width, width),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(width, 10),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, 10)."""
        logits: torch.Tensor = self.layers(x)
        return logits


def conv(inputs: int, outputs: int) -> list[nn.Module]:
    """One layer."""
    return [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def train(config: dict[str, Any]) -> None:
    """Train one configuration, with a report after each epoch."""
    torch.manual_seed(config["seed"])
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(config["mean"], config["std"])])
    train_set = datasets.FashionMNIST(config["data"], train=True, transform=transform)
    val_set = datasets.FashionMNIST(config["data"], train=False, transform=transform)
    train_loader = DataLoader(train_set, batch_size=config["batch_size"], shuffle=True, drop_last=True)
    val_loader = DataLoader(val_set, batch_size=256)
    net = Net(config["width"])
    optimizer = torch.optim.SGD(net.parameters(), lr=config["lr"], momentum=config["momentum"], nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * len(train_loader))
    for _ in range(EPOCHS):
        net.train()
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        accuracy = evaluate(net, val_loader)
        with tempfile.TemporaryDirectory() as folder:
            torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, Path(folder, "checkpoint.pt"))
            tune.report({"val_accuracy": accuracy}, checkpoint=tune.Checkpoint.from_directory(folder))


def evaluate(net: nn.Module, loader: DataLoader[Any]) -> float:
    """Accuracy on the validation images."""
    net.eval()
    right = total = 0
    with torch.no_grad():
        for images, labels in loader:
            right += int((net(images).argmax(1) == labels).sum())
            total += len(labels)
    return right / total


def main() -> None:
    """Run the search and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "job", type=Path, help="JSON: the data's folder, its mean and std, the seed and the configurations"
    )
    options = parser.parse_args()
    job = json.loads(options.job.read_text())
    configs = job.pop("configs")
    ray.init("local", num_cpus=2, include_dashboard=False)
    tuner = tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        param_space={
            **job,
            "width": tune.choice([8, 16, 32]),
            "lr": tune.loguniform(1e-2, 0.5),
            "momentum": tune.uniform(0.8, 0.95),
            "batch_size": tune.choice([32, 64, 128]),
        },
        tune_config=tune.TuneConfig(
            metric="val_accuracy",
            mode="max",
            num_samples=len(configs),
            search_alg=BasicVariantGenerator(points_to_evaluate=configs),
            scheduler=ASHAScheduler(max_t=EPOCHS, grace_period=1, reduction_factor=3),
        ),
        run_config=tune.RunConfig(
            name="fashion",
            storage_path=str(options.folder / "ray"),
            callbacks=[
                MLflowLoggerCallback(
                    tracking_uri=f"sqlite:///{options.folder / 'mlflow.sqlite'}", experiment_name="fashion"
                )
            ],
        ),
    )
    results = tuner.fit()
    curves = [results[n].metrics_dataframe for n in range(len(results))]
    best = max(float(curve["val_accuracy"].max()) for curve in curves if curve is not None)
    epochs = [len(curve) for curve in curves if curve is not None]
    print(json.dumps({"best": best, "epochs": sum(epochs), "trials": epochs}))


if __name__ == "__main__":
    main()
