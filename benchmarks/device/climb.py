"""Climb on: larger sizes of a scaling study on a GPU, with what its law said of them.

`python -m benchmarks.device.climb scaling.json --data FOLDER [--family NAME] [--phi 5 6] [--seeds 3] [--json]`

Takes the report of `isoflop scale` for the base, the line and the law, and a folder that `isoflop data prepare` made.
Solves the sizes, trains each for as many images as the study did, and prints the error beside the law's. Needs torch,
torchvision, timm, pydantic and numpy alone. On a CPU it says so: sizes there are for a check of the script.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from benchmarks.report import table
from isoflop.config import TrialConfig
from isoflop.data import PreparedData, open_prepared
from isoflop.models import cost
from isoflop.models.extent import counter
from isoflop.scaling.climb import Climb
from isoflop.scaling.extent import Logs
from isoflop.scaling.ground import Ground
from isoflop.scaling.line import Line
from isoflop.scaling.rules import sized
from isoflop.seeds import derive
from isoflop.tasks import metric_of
from isoflop.trial import run_trial

SIZES = (4.5, 5.0, 5.5, 6.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """A size that was trained."""

    family: str
    phi: float
    flops: float
    residual: float
    parameters: int
    errors: tuple[float, ...]
    law: float | None
    """What the study's law says of it; none where the study found none."""
    seconds: float
    """Of one training, mean over seeds."""


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.device.climb",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("report", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--family")
    parser.add_argument("--phi", type=float, nargs="+", default=SIZES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", choices=("cuda", "cpu"), help="by default a GPU where there is one")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    report, prepared = json.loads(options.report.read_text(encoding="utf-8")), open_prepared(options.data)
    names = [options.family] if options.family else [*report["families"]]
    found = [
        size
        for name in names
        for size in climbed(report, name, prepared, phis=options.phi, seeds=options.seeds, device=device)
    ]
    same = report["data"]["digest"] == prepared.digest
    print(json.dumps([asdict(size) for size in found]) if options.json else _lines(found, device, same=same))


def climbed(
    report: Mapping[str, Any],
    family: str,
    prepared: PreparedData,
    *,
    phis: tuple[float, ...],
    seeds: int,
    device: torch.device,
) -> Iterator[Size]:
    """Train sizes of a family along the line that a study fitted."""
    about, metric, rules = report["families"][family], report["metric"], report["scale"]["rules"]
    recipe = {**about["base"], "data.name": prepared.path.name, "data.digest": prepared.digest}
    base = TrialConfig.from_params(recipe)
    ground = Ground.around(base.model, counter(image=prepared.shape, classes=prepared.outputs))
    fitted = about["fit"]["line"]
    climb = Climb(ground=ground, line=Line(**{**fitted, "start": Logs(**fitted["start"])}))
    for phi in phis:
        placement = climb.at(phi)
        config = TrialConfig.from_params({**base.params(), **sized(base.params(), ground.extent, placement, rules)})
        began = time.perf_counter()
        errors = [_error(config, derive(seed, "climb") % 2**31, prepared, device, metric) for seed in range(seeds)]
        yield Size(
            family=family,
            phi=phi,
            flops=placement.extent.flops,
            residual=placement.residual,
            parameters=cost(placement.model, image=prepared.shape, classes=prepared.outputs).parameters,
            errors=tuple(errors),
            law=_law(about["law"], placement.extent.flops),
            seconds=(time.perf_counter() - began) / seeds,
        )


def _error(config: TrialConfig, seed: int, prepared: PreparedData, device: torch.device, metric: str) -> float:
    """What one training comes to."""
    *_, last = run_trial(config, seed, data=prepared.path, device=device)
    value, known = last.metrics[metric], metric_of(metric)
    return 1 - value if known is not None and known.sign > 0 else value


def _law(law: Mapping[str, Any], flops: float) -> float | None:
    if "reason" in law:
        return None
    a, b, c = (law[name]["value"] for name in ("a", "b", "c"))
    return float(a * (flops / law["reference"]) ** -b + c)


def _lines(found: list[Size], device: torch.device, *, same: bool) -> str:
    rows = [
        (
            one.family,
            f"{one.phi:g}",
            f"{one.flops:,.0f}",
            f"{one.residual:+.1%}",
            f"{one.parameters:,}",
            f"{fmean(one.errors):.4f} ({', '.join(f'{error:.4f}' for error in one.errors)})",
            "-" if one.law is None else f"{one.law:.4f}",
            f"{one.seconds:.1f}",
        )
        for one in found
    ]
    head = ("family", "phi", "FLOPs", "off target", "parameters", "error", "the law's", "seconds a training")
    notes = [] if device.type == "cuda" else ["No GPU is here: a check of the script on the CPU."]
    notes += [] if same else ["These are not the images of the study: its law is of others."]
    return "\n".join([table(head, rows), *notes])


if __name__ == "__main__":
    main()
