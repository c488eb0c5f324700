"""Reading a set that memory does not hold: in shards against anywhere, each image read from the disk once.

A file of random images is thrown out of the system's cache before each arm, as it is when a set is several times the
memory; then a part of an epoch is gathered as a training on the CPU gathers it, `--work` milliseconds after each batch
standing for its step. Each arm runs in a process of its own, in turns, `--rounds` times. `from disk` is what was read
over what the images take, and `private` how far the process's own memory rose beside its maps. The last arm reads what
is in the cache: the most that gathering allows. Exit code 1 where shards are not read faster than anywhere, or more
than a quarter of what is read from the disk is no image's, or an arm takes more than 64 MiB for itself.

Time: about two minutes; a file of 4 GiB in the folder for temporary files.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.report import table
from isoflop.data.files import hash_of, write_images
from isoflop.data.order import Order, Shuffled, Windowed
from isoflop.data.readahead import read_ahead
from isoflop.data.resident import mapped
from isoflop.data.sampling import SHARDS
from isoflop.data.staging import SHARD

BATCH = 64
ARMS = {"anywhere": 0.05, "shards": 0.5, "shards, not read ahead": 0.5, "anywhere, in the cache": 0.5}
"""By the share of an epoch that is read. Of what is read anywhere it is small, as the system reads what lies around an
image too: a set that memory does not hold has lost that again before it is asked for."""
MOST, WASTE = 2**26, 1.25


def make(path: Path, count: int, side: int) -> None:
    """Write random images."""
    block = np.random.default_rng(0).integers(0, 256, (256, 3, side, side), np.uint8)
    write_images(path, block, np.arange(count) % len(block))


def drop(path: Path) -> None:
    """Throw a file out of the system's cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def order_of(arm: str, images: np.ndarray[Any, np.dtype[np.uint8]]) -> Order:
    """The order of an arm."""
    block = SHARD // (images.nbytes // len(images))
    if not arm.startswith("shards"):
        return Shuffled(len(images))

    def fetch(start: int, stop: int) -> None:
        read_ahead(images, start, stop)

    return Windowed(
        len(images), block=block, window=SHARDS * block, fetch=None if arm == "shards, not read ahead" else fetch
    )


def run(arm: str, path: Path, work: float) -> dict[str, float]:
    """Gather an arm's share of an epoch in this process."""
    torch.set_num_threads(1)
    if arm == "anywhere, in the cache":
        hash_of(path)
    images = np.load(path, mmap_mode="r")
    tensor, order = mapped(images), order_of(arm, images)
    steps = int(ARMS[arm] * len(images) / BATCH)
    before, read, began = private(), from_disk(), time.perf_counter()
    most = before
    for step in range(steps):
        torch.index_select(tensor, 0, order.at(step, size=BATCH, seed=0))
        time.sleep(work / 1000)
        most = max(most, private()) if step % 64 == 0 else most
    seconds, used = time.perf_counter() - began, steps * BATCH * images.nbytes / len(images)
    return {
        "images_per_second": steps * BATCH / seconds,
        "from_disk": (from_disk() - read) / used,
        "private": most - before,
    }


def private() -> int:
    """Bytes that this process holds for itself."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def from_disk() -> int:
    """Bytes that this process has had read from disks."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes"))


def measure(path: Path, work: float, rounds: int) -> Iterator[dict[str, Any]]:
    """The median of each arm over the rounds, in turns."""
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for _ in range(rounds):
        for arm, seen in found.items():
            drop(path)
            command = [
                sys.executable,
                "-m",
                "benchmarks.shards",
                "--arm",
                arm,
                "--file",
                str(path),
                "--work",
                str(work),
            ]
            seen.append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
    for arm, seen in found.items():
        speeds = [one["images_per_second"] for one in seen]
        yield {
            "arm": arm,
            "images_per_second": median(speeds),
            "least": min(speeds),
            "most": max(speeds),
            "from_disk": median(one["from_disk"] for one in seen),
            "private": max(one["private"] for one in seen),
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1 GiB and one round")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", type=int, default=64, help="pixels of a side")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--arm", help="run one arm here, on --file")
    parser.add_argument("--file", type=Path)
    parser.add_argument("--work", type=float, default=0.0, help="milliseconds that a step takes beside")
    options = parser.parse_args()
    if options.arm:
        print(json.dumps(run(options.arm, options.file, options.work)))
        return
    size = 2**30 if options.quick else 2**32
    with tempfile.TemporaryDirectory(prefix="isoflop-shards-") as folder:
        path = Path(folder) / "images.npy"
        make(path, size // (3 * options.side**2), options.side)
        rows = list(measure(path, options.work, 1 if options.quick else options.rounds))
    image = 3 * options.side**2
    if options.json:
        print(json.dumps(rows))
    else:
        print(f"{size / 2**30:g} GiB of images of 3 x {options.side} x {options.side}, {options.work:g} ms a step")
        cells = [
            (
                row["arm"],
                f"{row['images_per_second']:,.0f}",
                f"{row['least']:,.0f} to {row['most']:,.0f}",
                f"{row['images_per_second'] * image / 2**20:.0f}",
                f"{row['from_disk']:.2f}",
                f"{row['private'] / 2**20:.1f}",
            )
            for row in rows
        ]
        print(table(("order", "images/s", "of all rounds", "MiB/s", "from disk", "private MiB"), cells))
    found = {row["arm"]: row for row in rows}
    slower = found["shards"]["images_per_second"] < found["anywhere"]["images_per_second"]
    wasteful = found["shards, not read ahead"]["from_disk"] > WASTE
    sys.exit(slower or wasteful or max(row["private"] for row in rows) > MOST)


if __name__ == "__main__":
    main()
