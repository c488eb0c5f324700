"""Measure and print."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import benchmarks.device
from benchmarks.device.members import distributions, equalities, speeds
from benchmarks.device.packed import packs
from benchmarks.device.setting import LARGE, NETS, Setting, images
from benchmarks.device.throughput import peaks, rows
from benchmarks.report import table

PARTS = ("throughput", "fused", "packed")
STILL = "No GPU is here: these are checks on the CPU, and the table of a GPU is still to be made."


def main() -> None:
    """Run the parts that are asked for."""
    options = _parser().parse_args()
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="isoflop-device-") as folder:
        os.environ.setdefault("ISOFLOP_HOME", folder)
        count = 2_400 if options.quick or device.type == "cpu" else 24_000
        data = images(Path(folder), idx=options.idx, count=count)
        setting = _setting(options, device, data)
        found: dict[str, Any] = {"device": _name(device), "gpu": device.type == "cuda", "torch": torch.__version__}
        for part in options.parts:
            found |= MEASURES[part](setting)
    print(json.dumps(found) if options.json else "\n\n".join(list(_lines(found))))
    checks = [*found.get("equalities", ()), *found.get("distributions", ())]
    sys.exit(0 if all(check["good"] for check in checks) else 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.device",
        description=benchmarks.device.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--device", choices=("cuda", "cpu"), help="by default a GPU where there is one")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--nets", nargs="+", choices=[*NETS, *LARGE], help="by default all on a GPU, else small ones")
    parser.add_argument("--idx", type=Path, help="folder with the IDX files of MNIST or Fashion-MNIST")
    return parser


def _setting(options: argparse.Namespace, device: torch.device, data: Path) -> Setting:
    gpu, quick = device.type == "cuda", options.quick
    known = {**NETS, **LARGE}
    some = ["lenet", "resnet", "vit"] if gpu or not quick else ["lenet", "vit"]
    names = options.nets or (list(known) if gpu and not quick else some)
    return Setting(
        device=device,
        data=data,
        nets={name: known[name] for name in names},
        batch=256 if gpu else 32,
        steps=(20 if quick else 100) if gpu else (3 if quick else 4),
        rounds=5 if gpu and not quick else 3,
        members=(1, 4) if quick else (1, 4, 8),
        processes=(1, 2) if quick or not gpu else (1, 2, 4, 8),
    )


def _throughput(setting: Setting) -> dict[str, Any]:
    found = peaks(setting.device)
    return {
        "peaks": found,
        "throughput": [
            {**asdict(row), "ratio_to_constant_batch": row.ratio_to_constant_batch} for row in rows(setting, found)
        ],
    }


def _fused(setting: Setting) -> dict[str, Any]:
    return {
        "fused": [{**asdict(one), "gain": one.gain} for one in speeds(setting)],
        "equalities": [{**asdict(one), "good": one.good} for one in equalities(setting)],
        "distributions": [{**asdict(one), "errors": one.errors, "good": one.good} for one in distributions(setting)],
    }


def _packed(setting: Setting) -> dict[str, Any]:
    return {"packed": [asdict(one) for one in packs(setting)]}


MEASURES = {"throughput": _throughput, "fused": _fused, "packed": _packed}


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{found['device']}, torch {found['torch']}"
    if "throughput" in found:
        yield "\n".join(f"peak in {name}: {value / 1e12:.3g} TFLOP/s" for name, value in found["peaks"].items())
        yield _table(
            ("net", "variant", "images/s", "constant batch", "ratio", "share of peak"), _fast, found["throughput"]
        )
    if "fused" in found:
        yield _table(("net", "members", "steps/s apart", "fused", "gain", "better"), _joined, found["fused"])
        yield "\n".join(_check(row) for row in found["equalities"])
        yield "\n".join(_distribution(row) for row in found["distributions"])
    if "packed" in found:
        yield _table(("net", "processes", "trials an hour"), _hourly, found["packed"])
    if not found["gpu"]:
        yield STILL


def _table(
    head: Sequence[str], line: Callable[[Mapping[str, Any]], Sequence[str]], rows: Sequence[Mapping[str, Any]]
) -> str:
    return table(head, [line(row) for row in rows])


def _hourly(row: Mapping[str, Any]) -> Sequence[str]:
    return row["net"], str(row["processes"]), f"{row['trials_per_hour']:.0f}"


def _fast(row: Mapping[str, Any]) -> Sequence[str]:
    return (
        row["net"],
        row["variant"],
        f"{row['images_per_second']:,.0f}",
        f"{row['constant']:,.0f}",
        f"{row['ratio_to_constant_batch']:.3f}",
        f"{row['share_of_peak']:.1%}",
    )


def _joined(row: Mapping[str, Any]) -> Sequence[str]:
    numbers = (f"{row['separate']:.1f}", f"{row['fused']:.1f}", f"{row['gain']:.2f}")
    return (row["net"], str(row["members"]), *numbers, row["better"])


def _check(row: Mapping[str, Any]) -> str:
    said = "equal" if row["good"] else "NOT EQUAL"
    return f"{row['net']}, {row['members']} members, 10 steps in float64: {said}, {row['apart']:.1e} apart at most"


def _distribution(row: Mapping[str, Any]) -> str:
    means = [sum(row[kind]) / len(row[kind]) for kind in ("fused", "separate")]
    said = "alike" if row["good"] else "NOT ALIKE"
    numbers = f"mean accuracy fused {means[0]:.4f}, separate {means[1]:.4f}"
    return f"{row['net']}, {len(row['fused'])} seeds: {numbers}: {said}, {row['errors']:.2f} standard errors apart"


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU ({platform.machine()}), 1 thread"


if __name__ == "__main__":
    main()
