"""What feeding a training costs: images a second with augmented batches, against the same step with one constant batch.

Full training steps (those of `Fit`) of four nets at 28 to 32 pixels, with crop, flip, random erasing and mixup, one
thread on the CPU. Beside Isoflop's batches stands the usual way: torch's DataLoader with torchvision's v2 transforms of
each image, with 0 and with 2 workers. All feed the same net by turns, a block of steps each, and a ratio is the median
over the rounds of a block's time to that of the constant batch beside it. Times are CPU seconds of the process where
nothing else works for it, as other programs on the machine then matter little, and the wall clock for workers and on a
GPU.

The second table: two trainings of one thread each at once, against one training of two threads.

Exit code 1 where Isoflop's batches bring less than 94 % of the constant batch's images a second.

Time: with `--quick` a bit more than two minutes of CPU, without it three times as much.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from benchmarks.report import table
from isoflop.config import AugmentConfig, TrialConfig
from isoflop.data.batches import Batches
from isoflop.length import Length
from isoflop.models import build
from isoflop.models.net import LAYOUT
from isoflop.training.fit import Fit
from isoflop.training.objective import Supervised
from isoflop.training.split import Split
from isoflop.training.task import Classification

LIMIT = 0.94
CLASSES, IMAGES = 10, 6400
BLOCK_SECONDS = 0.15
RECIPE: Mapping[str, Any] = {
    "augment.crop": 2,
    "augment.flip": True,
    "augment.erasing": 0.25,
    "augment.mixup": 0.2,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A net, and the images that it trains on."""

    family: str
    settings: Mapping[str, Any]
    image: tuple[int, int, int]
    batch: int = 64
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further settings, by dotted key."""

    @property
    def config(self) -> TrialConfig:
        """Its training."""
        return TrialConfig.from_params(
            {
                "model.family": self.family,
                "data.name": "noise",
                "train.batch_size": self.batch,
                **{f"model.{key}": value for key, value in self.settings.items()},
                **RECIPE,
                **self.more,
            }
        )


CASES = (
    Case(family="lenet", settings={}, image=(1, 28, 28)),
    Case(family="resnet", settings={"width": 0.25, "depth": 0.5}, image=(1, 28, 28)),
    Case(family="efficientnet", settings={"width": 0.25, "depth": 0.3}, image=(3, 32, 32)),
    Case(family="vit", settings={"width": 0.33, "depth": 0.25, "stem": 4}, image=(3, 32, 32)),
)


class Constant:
    """A split that feeds one batch again and again."""

    def __init__(self, images: Tensor, targets: Tensor) -> None:
        self.batch = images, targets

    def pieces(
        self, step: int, *, size: int, piece: int, seed: int, config: AugmentConfig
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """That batch."""
        del step, size, piece, seed, config
        yield self.batch

    def all(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """That batch."""
        del size
        yield self.batch


class Noise(Dataset[tuple[Tensor, int]]):
    """Images of noise, changed one by one by torchvision."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        from torchvision.transforms import v2

        self.images, self.labels = images, labels.tolist()
        channels, side = images.shape[1], images.shape[2]
        self.changes = v2.Compose(
            [
                v2.RandomCrop(side, padding=RECIPE["augment.crop"]),
                v2.RandomHorizontalFlip(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize([0.5] * channels, [0.3] * channels),
                v2.RandomErasing(RECIPE["augment.erasing"]),
            ]
        )

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        """An image and its label."""
        return self.changes(self.images[place]), self.labels[place]


class Mixed:
    """Makes a batch of single images, and mixes it."""

    def __init__(self) -> None:
        from torchvision.transforms import v2

        self.mixup = v2.MixUp(num_classes=CLASSES, alpha=RECIPE["augment.mixup"])

    def __call__(self, pairs: list[tuple[Tensor, int]]) -> Any:
        """The batch."""
        return self.mixup(*default_collate(pairs))


class Loaded(Constant):
    """A split that torch's DataLoader feeds."""

    def __init__(self, loader: DataLoader[tuple[Tensor, int]], device: torch.device) -> None:
        self.loader, self.device = loader, device
        self.left: Iterator[Any] = iter(())

    def pieces(
        self, step: int, *, size: int, piece: int, seed: int, config: AugmentConfig
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The next batch."""
        del step, size, piece, seed, config
        batch = next(self.left, None)
        if batch is None:
            self.left = iter(self.loader)
            batch = next(self.left)
        images, targets = batch
        yield images.to(self.device).contiguous(memory_format=LAYOUT), targets.to(self.device)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Images a second of a net, by how it is fed."""

    family: str
    parameters: int
    images_per_second: float
    ratio_to_constant_batch: float
    wall_ratio: float
    """The same by the wall clock, other programs on the machine disturbing."""
    loader_ratio: float
    """The same of the DataLoader without workers."""
    loader_2_workers_wall_ratio: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """Images a second of two cores, by how they are used."""

    family: str
    two_trainings_of_one_thread: float
    one_training_of_two_threads: float
    packing_ratio: float
    """The first over the second."""


def made(case: Case, device: torch.device) -> Fit:
    """A training on noise."""
    random, config = np.random.default_rng(0), case.config
    channels = case.image[0]
    split = Batches(
        random.integers(0, 256, (IMAGES, *case.image), dtype=np.uint8),
        random.integers(0, CLASSES, IMAGES),
        mean=[0.5] * channels,
        std=[0.3] * channels,
        resolution=case.image[1],
        device=device,
        classes=CLASSES,
    )
    net = build(config.model, image=case.image, classes=CLASSES, seed=0).to(device).to(memory_format=LAYOUT).train()
    task = Classification(config.loss)
    length = Length.of(config.train, images=IMAGES, flops=1.0)
    return Fit(net, task, objective=Supervised(task), train=split, val=split, config=config, length=length, seed=0)


def run(fit: Fit, feed: Split, steps: int) -> tuple[float, float]:
    """CPU and wall seconds of so many steps."""
    fit.train, fit.step = feed, 0
    if fit.device.type == "cuda":
        torch.cuda.synchronize()
    wall, cpu = time.perf_counter(), time.process_time()
    fit.advance(steps)
    return time.process_time() - cpu, time.perf_counter() - wall


def measure(case: Case, device: torch.device, rounds: int) -> Found:
    """Feed a net in four ways, by turns."""
    fit = made(case, device)
    ours = fit.train
    assert isinstance(ours, Batches)
    constant = Constant(*ours.at(0, size=case.batch, seed=0, config=case.config.augment))
    data = Noise(ours.images[:].cpu(), ours.labels.cpu())

    def loaded(workers: int) -> Loaded:
        loader = DataLoader(
            data,
            case.batch,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            collate_fn=Mixed(),
            persistent_workers=workers > 0,
        )
        return Loaded(loader, device)

    feeds: dict[str, Split] = {"ours": ours, "constant": constant, "loader": loaded(0), "workers": loaded(2)}
    for feed in feeds.values():
        run(fit, feed, 2)
    steps = max(2, round(BLOCK_SECONDS / (run(fit, constant, 4)[1] / 4)))
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in feeds}
    for turn in range(rounds):
        # Workers disturb whatever runs beside them, so they come last and are left alone.
        order = ["ours", "constant", "loader"]
        for name in [*order[turn % 3 :], *order[: turn % 3]]:
            taken[name].append(run(fit, feeds[name], steps))
    by_workers = [
        (run(fit, constant, steps)[1], run(fit, feeds["workers"], steps)[1]) for _ in range(max(3, rounds // 3))
    ]
    clock = 1 if device.type == "cuda" else 0

    def ratio(name: str, clock: int) -> float:
        pairs = zip(taken["constant"], taken[name], strict=True)
        return statistics.median(mine[clock] / other[clock] for mine, other in pairs)

    return Found(
        family=case.family,
        parameters=sum(parameter.numel() for parameter in fit.net.parameters()),
        images_per_second=steps * case.batch / statistics.median(times[clock] for times in taken["ours"]),
        ratio_to_constant_batch=ratio("ours", clock),
        wall_ratio=ratio("ours", 1),
        loader_ratio=ratio("loader", clock),
        loader_2_workers_wall_ratio=statistics.median(mine / other for mine, other in by_workers),
    )


def serve(line: Connection, threads: int) -> None:
    """Train in a process of its own: so many steps of a case's net whenever they are asked for, none to end."""
    torch.set_num_threads(threads)
    fits: dict[str, Fit] = {}
    while asked := line.recv():
        case, steps = asked
        fit = fits.get(case.family) or fits.setdefault(case.family, made(case, torch.device("cpu")))
        run(fit, fit.train, steps)
        line.send(None)


def pack(rounds: int) -> list[Packed]:
    """Use two cores in both ways, by turns."""
    context = multiprocessing.get_context("spawn")
    lines, processes = [], []
    for threads in (1, 1, 2):
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, threads), daemon=True)
        process.start()
        lines.append(ours)
        processes.append(process)
    found = [_packed(case, lines, rounds) for case in CASES]
    for line, process in zip(lines, processes, strict=True):
        line.send(None)
        process.join()
    return found


def _packed(case: Case, lines: list[Connection], rounds: int) -> Packed:
    def asked(lines: list[Connection], steps: int) -> float:
        began = time.perf_counter()
        for line in lines:
            line.send((case, steps))
        for line in lines:
            line.recv()
        return len(lines) * steps * case.batch / (time.perf_counter() - began)

    asked(lines, 2)
    steps = max(4, round(2 * BLOCK_SECONDS * asked(lines[:1], 4) / case.batch))
    found = [(asked(lines[:2], steps), asked(lines[2:], steps)) for _ in range(rounds)]
    return Packed(
        family=case.family,
        two_trainings_of_one_thread=statistics.median(two for two, _ in found),
        one_training_of_two_threads=statistics.median(one for _, one in found),
        packing_ratio=statistics.median(two / one for two, one in found),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quick", action="store_true", help="a third of the rounds")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device, rounds = torch.device(options.device), 9 if options.quick else 27
    found = [measure(case, device, rounds) for case in CASES]
    packed = pack(rounds // 2) if device.type == "cpu" else []
    if options.json:
        more = {row.family: asdict(row) for row in packed}
        print(json.dumps([more.get(row.family, {}) | asdict(row) for row in found]))
    else:
        _print(found, packed)
    sys.exit(any(row.ratio_to_constant_batch < LIMIT for row in found))


def _print(found: list[Found], packed: list[Packed]) -> None:
    percent: Callable[[float], str] = "{:.1%}".format
    rows = [
        (
            row.family,
            f"{row.parameters / 1e3:,.0f} k",
            f"{row.images_per_second:,.0f}",
            percent(row.ratio_to_constant_batch),
            percent(row.wall_ratio),
            percent(row.loader_ratio),
            percent(row.loader_2_workers_wall_ratio),
        )
        for row in found
    ]
    head = ("family", "parameters", "images/s", "of constant", "by wall", "DataLoader", "2 workers, by wall")
    print(table(head, rows))
    if packed:
        both = [
            (
                row.family,
                f"{row.two_trainings_of_one_thread:,.0f}",
                f"{row.one_training_of_two_threads:,.0f}",
                f"{row.packing_ratio:.2f}",
            )
            for row in packed
        ]
        print(f"\n{table(('family', 'images/s of 2 x 1 thread', 'of 1 x 2 threads', 'ratio'), both)}")


if __name__ == "__main__":
    main()
