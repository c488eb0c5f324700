"""The same search on Fashion-MNIST by the script that people write today and by Isoflop: wall clock, start-up included.

Isoflop runs it twice: on Ray, and on worker processes of its own (`--executor processes`).

16 configurations of a CNN of three layers (stride 2, width 8, 16 or 32) on 6,000 images, at most 3 epochs, halving by 3
after the first, one CPU a trial and two at a time. All get the same images, configurations, net, normalisation,
optimizer and schedule, a seed of its own each round, and run in a Python of their own, by turns. Preparing the data is
timed apart and counted in the second ratio. Needs Fashion-MNIST's IDX files (`--idx FOLDER`).

Time: about 8 minutes, 2 with --quick (6 configurations, once).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from benchmarks.cnn.body import Cnn
from benchmarks.process import ROOT, Finished, python
from benchmarks.report import table
from benchmarks.stock.fashion import Net
from isoflop.data import open_prepared
from isoflop.data.sources.idx import idx_source
from isoflop.journal.event import Event, Kind
from isoflop.journal.sqlite import SqliteJournal
from isoflop.records import Record, State

IMAGES, VALIDATION, EPOCHS, WORKERS = 6000, 1200, 3, 2
STUDY = "head-to-head"
CLI = ("-c", "from isoflop.cli import main; main()")
LIMIT_SECONDS = 1800.0
PLAIN = "Ray Tune + ASHA + DataLoader + MLflow"
OURS = {"ray": "Isoflop on Ray", "processes": "Isoflop on processes"}
"""Who Isoflop runs on, by its name for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One run of one of them."""

    seconds: float
    cpu: float
    best: float
    epochs: int
    parts: Mapping[str, float]
    """Where the wall clock went, where that is known."""


def main() -> None:
    """Run all by turns and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="6 configurations, once")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=None)
    parser.add_argument("--configurations", type=int, default=None)
    parser.add_argument("--idx", type=Path, default=Path("/usr/share/datasets/fashion-mnist"), help="the IDX files")
    options = parser.parse_args()
    count = options.configurations or (6 if options.quick else 16)
    repeats = options.repeats or (1 if options.quick else 3)
    check_nets()
    with tempfile.TemporaryDirectory(prefix="isoflop-head-") as folder:
        bench = Match(Path(folder), options.idx, configurations(count))
        prepared = bench.prepare()
        rounds = [bench.round(n) for n in range(repeats)]
    found = summary(rounds, prepared.seconds, count)
    print(json.dumps(found) if options.json else lines(found))


def configurations(count: int) -> list[dict[str, Any]]:
    """What both sides try; the first is the family's default, which Isoflop always tries first."""
    draw = random.Random(3)
    others = [
        {
            "width": draw.choice([8, 16, 32]),
            "lr": round(10 ** draw.uniform(-2, -0.3), 4),
            "momentum": round(draw.uniform(0.8, 0.95), 3),
            "batch_size": draw.choice([32, 64, 128]),
        }
        for _ in range(count - 1)
    ]
    return [{"width": 8, "lr": 0.1, "momentum": 0.9, "batch_size": 64}, *others]


def check_nets() -> None:
    """Both sides train the same net: equal weights give equal outputs."""
    theirs, body, head = Net(8), Cnn(8, 1), torch.nn.Linear(8, 10)
    ours = [*body.parameters(), *head.parameters()]
    assert [one.shape for one in theirs.parameters()] == [one.shape for one in ours]
    with torch.no_grad():
        for to, of in zip(ours, theirs.parameters(), strict=True):
            to.copy_(of)
        images = torch.randn(4, 1, 28, 28)
        assert torch.allclose(head(body(images)), theirs(images), atol=1e-5)


class Match:
    """A folder with the data for both sides, and how to run each."""

    def __init__(self, folder: Path, idx: Path, configs: Sequence[Mapping[str, Any]]) -> None:
        self.folder, self.configs = folder, configs
        self.home = folder / "home"
        write_subset(idx, folder / "fashion-idx")
        self.family = plug_in(folder / "plug-in")
        self.job: dict[str, Any] = {}

    def prepare(self) -> Finished:
        """Prepare the subset for Isoflop, and write what it trains and validates on for the other side."""
        share = VALIDATION / (IMAGES + VALIDATION)
        command = ("data", "prepare", str(self.folder / "fashion-idx"), "--name", "fashion", "--val", str(share))
        done = python(*CLI, *command, timeout=LIMIT_SECONDS, environment=self._environment())
        data = open_prepared(self.home / "data" / "fashion")
        raw = self.folder / "plain" / "FashionMNIST" / "raw"
        for split, stem in (("train", "train"), ("val", "t10k")):
            images, labels = data.split(split)
            write_idx(raw / f"{stem}-images-idx3-ubyte", np.asarray(images)[:, 0])
            write_idx(raw / f"{stem}-labels-idx1-ubyte", np.asarray(labels))
        assert len(data.split("train")[1]) == IMAGES
        self.job = {"data": str(self.folder / "plain"), "mean": [*data.mean], "std": [*data.std]}
        (self.folder / "spec.yaml").write_text(yaml.safe_dump(spec(self.configs)))
        return done

    def round(self, turn: int) -> dict[str, Side]:
        """All of them once."""
        return {PLAIN: self.plain(turn)} | {who: self.isoflop(turn, executor) for executor, who in OURS.items()}

    def plain(self, turn: int) -> Side:
        """What people write today."""
        place = self.folder / f"plain-{turn}"
        place.mkdir()
        job = place / "job.json"
        job.write_text(json.dumps({**self.job, "seed": turn, "configs": self.configs}))
        done = python("-m", "benchmarks.stock.fashion", str(place), str(job), timeout=LIMIT_SECONDS)
        found = json.loads(done.output.splitlines()[-1])
        return Side(seconds=done.seconds, cpu=done.cpu, best=found["best"], epochs=found["epochs"], parts={})

    def isoflop(self, turn: int, executor: str) -> Side:
        """The same by `isoflop search`."""
        study = f"{STUDY}-{executor}-{turn}"
        began = time.time()
        spec = str(self.folder / "spec.yaml")
        command = ("search", spec, "--study", study, "--seed", str(turn), "--executor", executor)
        done = python(*CLI, *command, timeout=LIMIT_SECONDS, environment=self._environment())
        events = SqliteJournal.open_readonly(self.home / "journal.sqlite").read(study)
        records = [Record.from_dict(event.payload) for event in events if event.kind is Kind.RECORD]
        return Side(
            seconds=done.seconds,
            cpu=done.cpu,
            best=max(record.metrics["val_accuracy"] for record in records),
            epochs=len(records),
            parts=parts(events, began, began + done.seconds),
        )

    def _environment(self) -> dict[str, str]:
        return {"ISOFLOP_HOME": str(self.home), "PYTHONPATH": f"{self.family}:{ROOT}:{ROOT / 'platform'}"}


def spec(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The search as Isoflop's spec: nothing is sampled, all configurations are enqueued."""
    space = {
        "model.family": {"choice": {"cnn3": {"model.width": {"choice": [1.0, 2.0, 4.0]}}}},
        "optim.name": "sgd",
        "optim.lr": {"float": [0.01, 0.51], "log": True},
        "optim.momentum": {"float": [0.8, 0.95]},
        "optim.weight_decay": 0.0,
        "schedule.warmup": 0.0,
        "train.batch_size": {"choice": [64, 32, 128]},
    }
    known = [
        {
            "model.family": "cnn3",
            "model.width": config["width"] / 8,
            "optim.lr": config["lr"],
            "optim.momentum": config["momentum"],
            "train.batch_size": config["batch_size"],
        }
        for config in configs[1:]
    ]
    study = {
        "name": STUDY,
        "data": "fashion",
        "fidelity": {"axis": "epochs", "horizon": EPOCHS, "reports": EPOCHS},
        "halving": {"eta": 3, "rungs": 1},
        "budget": {"trials": len(configs)},
        "sampler": {"name": "random"},
        "resources": {"workers": WORKERS, "threads": 1},
        "enqueue": known,
    }
    return {"space": space, "study": study}


def parts(events: Sequence[Event], began: float, ended: float) -> dict[str, float]:
    """Where the wall clock of a study went, from the times in its journal; the last two in worker-seconds."""
    opened = next(e.time for e in events if e.kind is Kind.STUDY)
    taken = next(e.time for e in events if e.kind is Kind.STATE and e.payload["state"] == State.RUNNING)
    trained = [(e.time, Record.from_dict(e.payload).measured["seconds"]) for e in events if e.kind is Kind.RECORD]
    over = max(e.time for e in events if e.kind is Kind.END)
    closed = next(e.time for e in reversed(events) if e.kind is Kind.CLOSED)
    first = min(at - seconds for at, seconds in trained)
    busy = sum(seconds for _, seconds in trained)
    return {
        "driver: start, imports": opened - began,
        "executor: start": taken - opened,
        "workers: start, imports": first - taken,
        "trials": over - first,
        "executor: stop": closed - over,
        "MLflow: drain, exit": ended - closed,
        "training, worker-seconds": busy,
        "idle between, worker-seconds": WORKERS * (over - first) - busy,
    }


def plug_in(folder: Path) -> Path:
    """A folder that, on the path, makes Python believe that a package with our family is installed."""
    facts = folder / "isoflop_cnn3-0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: isoflop-cnn3\nVersion: 0\n")
    (facts / "entry_points.txt").write_text("[isoflop.families]\ncnn3 = benchmarks.cnn:FAMILY\n")
    return folder


def write_subset(idx: Path, folder: Path) -> None:
    """The first images of the training set as IDX files, and a test set that nobody opens."""
    source = idx_source(idx, name="fashion_mnist")
    need = {"train": ("train", IMAGES + VALIDATION), "test": ("t10k", 1000)}
    for split, (stem, count) in need.items():
        images, labels = source.parts[split]
        write_idx(folder / f"{stem}-images-idx3-ubyte", images[:count, ..., 0])
        write_idx(folder / f"{stem}-labels-idx1-ubyte", labels[:count])


def write_idx(path: Path, values: np.ndarray[Any, Any]) -> None:
    """An array as an IDX file of bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">u4").tobytes()
    path.write_bytes(head + np.ascontiguousarray(values, np.uint8).tobytes())


def summary(rounds: Sequence[Mapping[str, Side]], prepared: float, count: int) -> dict[str, Any]:
    """Medians over the rounds, and each round."""
    sides = {who: [turn[who] for turn in rounds] for who in (PLAIN, *OURS.values())}
    return {
        "configurations": count,
        "rounds": [{who: asdict(side) for who, side in turn.items()} for turn in rounds],
        "medians": {who: _medians(runs) for who, runs in sides.items()},
        "against": {who: _against(sides[PLAIN], sides[who], prepared) for who in OURS.values()},
        "prepare_seconds": prepared,
    }


def _against(plain: Sequence[Side], ours: Sequence[Side], prepared: float) -> dict[str, Any]:
    """How many times less one takes than the plain script, in each round and by the median, and how well it does."""
    pairs = [*zip(plain, ours, strict=True)]
    return {
        "ratios": [a.seconds / b.seconds for a, b in pairs],
        "ratio": statistics.median(a.seconds / b.seconds for a, b in pairs),
        "ratio_cpu": statistics.median(a.cpu / b.cpu for a, b in pairs),
        "ratio_with_prepare": statistics.median(a.seconds / (b.seconds + prepared) for a, b in pairs),
        "accuracy": _paired([a.best for a in plain], [b.best for b in ours]),
        "parts": {name: statistics.median(side.parts[name] for side in ours) for name in ours[0].parts},
    }


def _medians(sides: Sequence[Side]) -> dict[str, float]:
    names = ("seconds", "cpu", "best", "epochs")
    return {name: statistics.median(getattr(side, name) for side in sides) for name in names}


def _paired(plain: Sequence[float], ours: Sequence[float]) -> dict[str, float]:
    """Means, their difference, and its standard error.

    That covers the seeds where there are several rounds; of one round it is that of two accuracies on the images.
    """
    means = statistics.mean(plain), statistics.mean(ours)
    differences = [b - a for a, b in zip(plain, ours, strict=True)]
    one = math.sqrt(sum(mean * (1 - mean) for mean in means) / VALIDATION)
    error = statistics.stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else one
    return {"plain": means[0], "isoflop": means[1], "difference": means[1] - means[0], "error": error}


def lines(found: Mapping[str, Any]) -> str:
    """What a person reads."""
    rows = [
        [who, f"{side['seconds']:.1f}", f"{side['cpu']:.1f}", f"{side['epochs']:g}", f"{side['best']:.4f}"]
        for turn in found["rounds"]
        for who, side in turn.items()
    ]
    parts = [[name, *(f"{one['parts'][name]:.2f}" for one in found["against"].values())] for name in _names(found)]
    return "\n".join(
        [
            f"Fashion-MNIST, {IMAGES} images, {found['configurations']} configurations, {WORKERS} workers, by turns",
            table(["", "wall s", "CPU s", "epochs", "best accuracy"], rows),
            "",
            "where Isoflop's wall clock goes (median, from its journal), seconds",
            table(["", *found["against"]], parts),
            "",
            f"times less than {PLAIN} (medians over the rounds)",
            table(["", "wall clock", "rounds", "CPU", "data prepared too", "accuracy", "its error"], _verdicts(found)),
        ]
    )


def _names(found: Mapping[str, Any]) -> list[str]:
    return [*next(iter(found["against"].values()))["parts"]]


def _verdicts(found: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            who,
            f"{one['ratio']:.2f}",
            ", ".join(f"{ratio:.2f}" for ratio in one["ratios"]),
            f"{one['ratio_cpu']:.2f}",
            f"{one['ratio_with_prepare']:.2f}",
            f"{one['accuracy']['difference']:+.4f}",
            f"{one['accuracy']['error']:.4f}",
        ]
        for who, one in found["against"].items()
    ]


if __name__ == "__main__":
    main()
