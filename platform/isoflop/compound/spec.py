"""The spec of a scaling study that is asked for by families' names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isoflop.choice import choose
from isoflop.config import default_of, known_keys
from isoflop.errors import Fault, InputError
from isoflop.families import Scalar, family
from isoflop.outcome import Study
from isoflop.space import FAMILY
from isoflop.spec import Spec, spec_from_tree
from isoflop.tasks import USUAL


def scaling_spec(
    families: Sequence[str],
    *,
    data: str,
    images: float,
    scale: Mapping[str, Any],
    settings: Mapping[str, Scalar],
    bases: Mapping[str, Mapping[str, Scalar]] | None = None,
    metric: str = USUAL.first,
) -> Spec:
    """A spec that scales families, each from its base with these settings over it.

    Every training sees so many images; the error is that of `metric`. Raises `UnknownError` for an unknown family,
    `SpecError` for what cannot be.
    """
    for name in families:
        family(name)
    fixed = {name: {**(bases or {}).get(name, {}), **settings} for name in families}
    tree = {
        "space": {FAMILY: {"choice": {name: settings or None for name, settings in fixed.items()}}},
        "study": {
            "name": "-".join(("scale", *families))[:64],
            "data": data,
            "objectives": [metric],
            "fidelity": {"axis": "images", "horizon": images, "reports": 3},
            "halving": None,
            "scale": dict(scale),
        },
    }
    return spec_from_tree(tree, where="scale")


def bases_of(study: Study, families: Sequence[str]) -> dict[str, dict[str, Scalar]]:
    """The best trial of each family in a search, as a base of its scaling: its settings that are not the defaults.

    Raises `InputError` where there is none.
    """
    spec = study.spec.study
    found: dict[str, dict[str, Scalar]] = {}
    for name in families:
        trials = [trial for trial in study.trials if trial.config.get(FAMILY) == name]
        best = choose(trials, spec.objectives, spec.constraints, 1)
        if not best:
            what = f"has no COMPLETE trial of {name}"
            raise InputError(Fault(f"study {study.id}", what, "name families that it searched, or leave --base out"))
        found[name] = {
            key: value
            for key, value in best[0].config.items()
            if key != FAMILY and key in known_keys(name) and value not in (None, default_of(key, name))
        }
    return found
