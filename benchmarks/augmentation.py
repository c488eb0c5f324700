"""What each augmentation takes: microseconds an image, and how much longer a training step becomes.

Batches of 64 colour images of 32 pixels, one thread on the CPU: the time of `Batches` with one augmentation less that
without any, and its share of the CPU time of a full step of a small ResNet on such a batch. Beside it the same from
torchvision's v2 transforms, image by image, where they have it. All by turns in one run; a figure is the median over
the rounds, in CPU seconds of the thread, as other programs on the machine then matter little.

Time: with `--quick` a quarter of a minute of CPU, without it three times as much.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms import v2

from benchmarks.report import table
from benchmarks.throughput import Case, Constant, made, run
from isoflop.config import AugmentConfig
from isoflop.data.augmentation.augment import STEPS
from isoflop.data.batches import Batches

CASE = Case(family="resnet", settings={"width": 0.25, "depth": 0.5}, image=(3, 32, 32))
SIDE = CASE.image[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One augmentation."""

    name: str
    settings: Mapping[str, Any]
    usual: Callable[[Tensor], Any] | None
    """The same of torchvision, of one image."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What one augmentation takes."""

    name: str
    microseconds_per_image: float
    step_percent: float
    torchvision_microseconds_per_image: float | None


def rows() -> list[Row]:
    """All augmentations."""
    auto = {name.value: v2.AutoAugment(name) for name in v2.AutoAugmentPolicy}
    listed: list[tuple[str, dict[str, Any], Callable[[Tensor], Any] | None]] = [
        ("crop with padding", {"crop": 2}, v2.RandomCrop(SIDE, padding=2)),
        ("flip", {"flip": True}, v2.RandomHorizontalFlip()),
        ("vertical flip", {"flip_vertical": True}, v2.RandomVerticalFlip()),
        ("resized crop", {"resized_crop": 0.3}, v2.RandomResizedCrop(SIDE, (0.3, 1), antialias=False)),
        ("rotation", {"rotation": 15}, v2.RandomAffine(15, interpolation=v2.InterpolationMode.BILINEAR)),
        (
            "rotation, scale, shear, translation",
            {"rotation": 15, "scale": 0.1, "shear": 10, "translation": 0.1},
            v2.RandomAffine(15, (0.1, 0.1), (0.9, 1.1), (-10, 10, -10, 10), v2.InterpolationMode.BILINEAR),
        ),
        ("elastic", {"elastic": 50, "elastic_sigma": 3.0}, v2.ElasticTransform(50, 3.0)),
        ("brightness", {"brightness": 0.4}, v2.ColorJitter(brightness=0.4)),
        ("contrast", {"contrast": 0.4}, v2.ColorJitter(contrast=0.4)),
        ("saturation", {"saturation": 0.4}, v2.ColorJitter(saturation=0.4)),
        ("hue", {"hue": 0.1}, v2.ColorJitter(hue=0.1)),
        ("erasing", {"erasing": 0.25}, v2.RandomErasing(0.25)),
        ("RandAugment", {"policy": "randaugment"}, v2.RandAugment()),
        ("TrivialAugment", {"policy": "trivialaugment"}, v2.TrivialAugmentWide()),
        *((f"AutoAugment {name}", {"policy": f"autoaugment_{name}"}, usual) for name, usual in auto.items()),
        ("AugMix", {"policy": "augmix"}, v2.AugMix()),
        ("mixup", {"mixup": 0.2}, None),
        ("CutMix", {"cutmix": 1.0}, None),
        ("crop, flip, erasing, mixup", {"crop": 2, "flip": True, "erasing": 0.25, "mixup": 0.2}, None),
    ]
    return [Row(name=name, settings=settings, usual=usual) for name, settings, usual in listed]


def fed(split: Batches, config: AugmentConfig, steps: int) -> float:
    """CPU seconds of a batch."""
    began = time.thread_time()
    for step in range(steps):
        split.at(step, size=CASE.batch, seed=0, config=config)
    return (time.thread_time() - began) / steps


def one_by_one(images: Tensor, change: Callable[[Tensor], Any]) -> float:
    """CPU seconds of an image."""
    began = time.thread_time()
    for image in images:
        change(image)
    return (time.thread_time() - began) / len(images)


def measure(rounds: int) -> list[Found]:
    """Take all in turns."""
    fit = made(CASE, torch.device("cpu"))
    split = fit.train
    assert isinstance(split, Batches)
    plain, listed = AugmentConfig(), rows()
    configs = [AugmentConfig(**row.settings) for row in listed]
    constant = Constant(*split.at(0, size=CASE.batch, seed=0, config=plain))
    single = split.images[: CASE.batch]
    steps: list[float] = []
    ours: list[list[float]] = [[] for _ in listed]
    usual: list[list[float]] = [[] for _ in listed]
    for turn in range(rounds + 1):  # the first only warms up
        steps.append(run(fit, constant, 2)[0] / 2)
        for place, row in enumerate(listed):
            # Whole blocks of steps, as what is drawn for a block is drawn in its first step.
            took = fed(split, configs[place], STEPS) - fed(split, plain, STEPS)
            ours[place].append(took)
            if row.usual is not None:
                usual[place].append(one_by_one(single, row.usual))
        if turn == 0:
            steps, ours, usual = [], [[] for _ in listed], [[] for _ in listed]
    step = statistics.median(steps)
    return [
        Found(
            name=row.name,
            microseconds_per_image=statistics.median(mine) / CASE.batch * 1e6,
            step_percent=100 * statistics.median(mine) / step,
            torchvision_microseconds_per_image=statistics.median(theirs) * 1e6 if theirs else None,
        )
        for row, mine, theirs in zip(listed, ours, usual, strict=True)
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a third of the rounds")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = measure(3 if options.quick else 9)
    if options.json:
        print(json.dumps([asdict(row) for row in found]))
        return
    lines = [
        (
            row.name,
            f"{row.microseconds_per_image:.1f}",
            f"{row.step_percent:.2f} %",
            "-" if (usual := row.torchvision_microseconds_per_image) is None else f"{usual:.0f}",
        )
        for row in found
    ]
    print(table(("augmentation", "us an image", "of a step", "torchvision, us an image"), lines))


if __name__ == "__main__":
    main()
