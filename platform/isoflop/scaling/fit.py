"""Whether pretrained weights fit a net."""

from __future__ import annotations

from collections.abc import Iterator

from isoflop.config import OWN, WEIGHTS, ModelConfig
from isoflop.errors import Fault
from isoflop.families import Scalar, family

ANY = frozenset({"variant", "auxiliary"})
"""Knobs that pretrained weights leave free: a net without auxiliary heads passes over theirs."""


def unfit(model: ModelConfig) -> Iterator[Fault]:
    """Why pretrained weights do not fit a net, nothing where they do or none are asked for.

    Of weights that one of our trainings left, only the family is looked at: what else they fit stands in their header.
    """
    if not model.weights:
        return
    row = family(model.family)
    if model.weights.rpartition("-")[0] in {f"{row.name}-{method}" for method in OWN}:
        return
    if model.weights.rpartition("-")[0] != f"{row.name}-{model.variant}":
        what = f"{model.weights} are not weights of {row.name} {model.variant}".rstrip()
        yield Fault(WEIGHTS, what, f"run: isoflop weights add {row.name} --variant {model.variant}")
        return
    wanted: dict[str, Scalar] = {
        "depth": 1.0,
        "width": 1.0,
        "phi": 0.0,
        "divisor": 8,
        "stem": row.published or row.stem,
    }
    wanted |= {name: values[0] for name, values in row.knobs.items() if name not in ANY}
    found = {**model.model_dump(include=set(wanted)), "stem": model.stem or row.stem}
    wrong = [name for name, value in wanted.items() if found[name] != value]
    if wrong:
        here = ", ".join(f"model.{name} is {found[name]}" for name in wrong)
        other = ", ".join(f"model.{name}: {wanted[name]}" for name in wrong)
        what = f"{model.weights} fit the published net alone, and {here}"
        yield Fault(WEIGHTS, what, f"set {other}, or leave model.weights out")
