"""Recipes drawn at random: are their numbers equal in two trainings, and in one that is killed and goes on?

Each recipe sets some keys of all sections of a configuration to values that their schemas allow; a combination that
the configuration refuses is drawn anew. Of each, three trainings on scikit-learn's digits with the same seed: two
whole ones in processes of their own, and one that is ended by `kill -9` a report after it was saved and gone on with
from its checkpoint. A training that diverges must do so at the same step each time. Exit code 1 where any number
differs.

Time: four processes a recipe, most of it their start.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import torch
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from benchmarks.report import table
from isoflop.config import FIXED_BY_STUDY, SECTIONS, TrialConfig
from isoflop.data import prepare
from isoflop.errors import InputError, TrialError
from isoflop.families import Scalar
from isoflop.trial import run_trial

FAMILIES: Mapping[str, Mapping[str, Scalar]] = {
    "lenet": {},
    "resnet": {"model.depth": 0.25, "model.width": 0.125},
    "vit": {"model.stem": 2, "model.depth": 0.1, "model.width": 0.2},
    "mobilenet_v2": {"model.depth": 0.25, "model.width": 0.25},
}
"""Small nets, with and without residual paths and batch norms."""
ONLY: Mapping[str, frozenset[str]] = {"model": frozenset({"dropout", "drop_path"})}
"""Keys of a section that a recipe may set, where it is not all: what a net is made of is no recipe."""
APART = FIXED_BY_STUDY | {"train.compile", "train.precision", "train.batch_size", "train.micro_batch"}
"""Kept as they are: the compiler takes a minute each, precisions need a GPU to be quick, and batches set the time."""
SHARE = 0.3
"""How many of the keys a recipe sets."""
HORIZON, REPORTS = 1.0, 4
TRIES = 1000
SEED = 3
CPU = torch.device("cpu")

Train: TypeAlias = Callable[..., Any]
"""`numbers`, in this process or another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What became of a recipe."""

    recipe: dict[str, Scalar]
    end: str
    """`finished`, or why it ended before."""
    repeats: bool
    """Whether two whole trainings gave the same numbers."""
    resumes: bool
    """Whether one that was killed and went on gave them too."""


def recipes(seed: int) -> Iterator[dict[str, Scalar]]:
    """Configurations by dotted key, one after another, without end."""
    random = np.random.default_rng(seed)
    for _ in range(TRIES):
        family = str(random.choice([*FAMILIES]))
        drawn: dict[str, Scalar] = {
            key: value
            for key, field in _fields()
            if random.random() < SHARE and (value := _draw(field, random)) is not None
        }
        plain: dict[str, Scalar] = {
            "data.name": "digits",
            "model.family": family,
            "train.horizon": HORIZON,
            "train.reports": REPORTS,
        }
        try:
            yield TrialConfig.from_params({**plain, **FAMILIES[family], "train.batch_size": 128, **drawn}).params()
        except InputError:
            continue


def _fields() -> Iterator[tuple[str, FieldInfo]]:
    for section, part in SECTIONS.items():
        for name, field in part.model_fields.items():
            key = f"{section}.{name}"
            if key not in APART and name in ONLY.get(section, {name}):
                yield key, field


def _draw(field: FieldInfo, random: np.random.Generator) -> Scalar | None:
    """A value that a field's schema allows, near its default where it knows no bounds; none where nobody can tell."""
    schema = TypeAdapter(field.rebuild_annotation()).json_schema()
    if "enum" in schema:
        return str(random.choice(schema["enum"]))
    if schema.get("type") == "boolean":
        return bool(random.random() < 0.5)
    if schema.get("type") not in {"integer", "number"} or not isinstance(field.default, (int, float)):
        return None
    low = schema.get("minimum", schema.get("exclusiveMinimum", -math.inf))
    high = schema.get("maximum", schema.get("exclusiveMaximum", math.inf))
    if schema["type"] == "integer":
        return int(random.integers(int(low), int(min(high, 2 * field.default + 3)), endpoint=True))
    near = float(field.default or 0.01) * 10 ** random.uniform(-1, 1)
    return near if math.isinf(high - low) else float(low + (high - low) * random.uniform(0.02, 0.98))


def numbers(recipe: Mapping[str, Scalar], data: Path, *, checkpoints: Path | None = None, cut: int = 0) -> Any:
    """What a training reports, and how it ended.

    With a cut it saves after that report, and is dropped after the next one: then there is nothing to tell.
    """
    found: list[Any] = []
    try:
        run = run_trial(TrialConfig.from_params(recipe), SEED, data=data, checkpoints=checkpoints, device=CPU)
        for record in run:
            found.append([record.report, record.step, record.flops, record.fidelity, dict(record.metrics)])
            if record.report == cut:
                run.save(cut)
            if cut and record.report > cut:
                return None
    except (InputError, TrialError) as error:
        return [found, str(error)]
    return [found, "finished"]


def measure(recipe: dict[str, Scalar], data: Path, place: Path, train: Train) -> Found:
    """Train three times; of a training that ends before its third report, the last is no other than the first two."""
    whole, again = (train(recipe, data) for _ in range(2))
    records, end = whole
    cut = min(2, len(records))
    killed = train(recipe, data, checkpoints=place, cut=cut)
    rest = train(recipe, data, checkpoints=place) if killed is None else killed
    expected = [[record for record in records if killed is not None or record[0] > cut], end]
    return Found(recipe=recipe, end=end, repeats=whole == again, resumes=rest == expected)


def _apart(recipe: Mapping[str, Scalar], data: Path, *, checkpoints: Path | None = None, cut: int = 0) -> Any:
    """`numbers` in a process of its own, which is killed where it is cut."""
    given = json.dumps([recipe, str(data), str(checkpoints) if checkpoints else None, cut])
    command = [sys.executable, "-m", "benchmarks.recipes_repeat", "--worker", given]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode == -signal.SIGKILL:
        return None
    if done.returncode:
        raise RuntimeError(f"a training failed: {json.dumps(recipe)}")
    return json.loads(done.stdout.splitlines()[-1])


def _work(given: str) -> None:
    recipe, data, place, cut = json.loads(given)
    found = numbers(recipe, Path(data), checkpoints=Path(place) if place else None, cut=cut)
    if found is None:
        os.kill(os.getpid(), signal.SIGKILL)
    print(json.dumps(found))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="three recipes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        _work(options.worker)
        return
    with TemporaryDirectory() as folder:
        data = prepare("digits", root=Path(folder)).path
        drawn = recipes(options.seed)
        count = 3 if options.quick else options.recipes
        found = [measure(next(drawn), data, Path(folder, str(place)), _apart) for place in range(count)]
    if options.json:
        print(json.dumps([asdict(row) for row in found]))
    else:
        rows = [(_said(row.recipe), row.end, str(row.repeats), str(row.resumes)) for row in found]
        print(table(("recipe", "end", "two are equal", "killed is equal"), rows))
    sys.exit(not all(row.repeats and row.resumes for row in found))


def _said(recipe: Mapping[str, Scalar]) -> str:
    """What of a recipe is not as by default."""
    plain = TrialConfig.from_params({"model.family": recipe["model.family"], "data.name": "digits"}).params()
    changed = {key: value for key, value in recipe.items() if plain.get(key) != value}
    words = [f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}" for key, value in changed.items()]
    return " ".join([str(recipe["model.family"]), *words])


if __name__ == "__main__":
    main()
