"""What imports cost: CPU seconds of a fresh Python that imports one thing, least of several runs.

Time: about a minute.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys

STAGES = {
    "python alone": "pass",
    "isoflop": "import isoflop",
    "isoflop --help": "import sys; sys.argv = ['isoflop', '--help']; from isoflop.cli import main; main()",
    "stage prepare": "import pipelines.prepare",
    "stage search": "import pipelines.search, isoflop.models, isoflop.job, isoflop.execution.ray_tune",
    "stage finalists": "import pipelines.finalists, isoflop.job, isoflop.execution.ray_tune",
    "stage evaluate": "import pipelines.evaluate, isoflop.trained, isoflop.portable.shelf",
    "stage report": "import pipelines.report",
    "a worker": "import isoflop.job, isoflop.execution.ray_worker, timm.models.vision_transformer",
    "torch": "import torch",
    "torchvision.models": "import torchvision.models",
    "timm": "import timm",
    "ray.tune": "from ray import tune",
    "optuna": "import optuna",
    "mlflow's client": "from mlflow.tracking import MlflowClient",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_const", dest="runs", const=1, help="one run each")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {name: min(seconds(code) for _ in range(options.runs)) for name, code in STAGES.items()}
    if options.json:
        print(json.dumps(found))
        return
    for name, cpu in found.items():
        print(f"{name:<20} {cpu:6.2f} s CPU  {cpu - found['python alone']:6.2f} s beyond Python's own start")


def seconds(code: str) -> float:
    """CPU seconds, user and system, of a Python that runs this."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


if __name__ == "__main__":
    main()
