"""Equal FLOPs: one dimension of each proposed net is solved, so that all cost the same."""

from __future__ import annotations

import math
from collections.abc import Mapping

from isoflop.config import ModelConfig, TrialConfig
from isoflop.families import family
from isoflop.plan import Price
from isoflop.scaling import LARGEST, PHI, Vary, solve
from isoflop.study_spec import By, Equal

VARY: Mapping[By, Vary] = {"depth": "depth", "width": "width", "resolution": "resolution", "phi": "compound"}
"""What the solver calls them."""
FREE: Mapping[str, float | str] = {"dropout": 0.0, "drop_path": 0.0, "weights": ""}
"""Settings of a model that change no FLOPs, at values at which nets are counted: many trials differ in nothing else."""
NEAR = 0.5
"""Share of the tolerance at which solving ends: nearer costs more counts of a net than it is worth."""
ROUNDED: Mapping[By, str] = {
    "depth": "layers are whole: let nets be deeper and narrower, or solve another dimension",
    "width": "channels are multiples of model.divisor, or of attention's heads: give a divisor of 1 or 2, or solve "
    "another dimension",
    "resolution": "sides are multiples of model.stem: give a smaller stem, or solve another dimension",
    "phi": "layers, channels and pixels are rounded: solve another dimension",
}
"""Why a net cannot come near, and the remedy."""


class Leveller:
    """Solves configurations. Equal ones come to the same, whichever others were solved before."""

    def __init__(self, equal: Equal, price: Price) -> None:
        self.equal, self.price = equal, price
        self._solved: dict[str, float] = {}
        """What was solved, by the model without it."""

    def level(self, config: TrialConfig) -> TrialConfig:
        """A configuration with its solved dimension. Raises `SpecError` where the net cannot be."""
        by = self._by(config.model)
        bare = config.model.model_copy(update=FREE)
        key = bare.model_dump_json()
        if key not in self._solved:
            self._solved[key] = self._solve(by, bare)
        return config.model_copy(update={"model": _with(config.model, by, self._solved[key])})

    def amiss(self, model: ModelConfig, flops: float) -> str:
        """Why a solved net is not near enough, empty where it is."""
        off, by = flops / self.equal.flops - 1, self._by(model)
        if abs(off) <= self.equal.tolerance:
            return ""
        wanted = f"{self.equal.flops:.4g} flops within {self.equal.tolerance:.0%} by model.{by}"
        return f"{wanted} (is {flops:.4g}, {off:+.1%}; {ROUNDED[by]})"

    def _by(self, model: ModelConfig) -> By:
        return self.equal.families.get(model.family, self.equal.by)

    def _solve(self, by: By, model: ModelConfig) -> float:
        def flops(tried: ModelConfig) -> float:
            return self.price(_with(tried, by, getattr(tried, by)), batch=1, states=0).flops

        start = model if by == "resolution" else _with(model, by, _guess(by, model, self.equal.flops / flops(model)))
        near = self.equal.tolerance * NEAR
        found: float = getattr(solve(flops, self.equal.flops, vary=VARY[by], model=start, near=near).model, by)
        return _short(found)


def _guess(by: By, model: ModelConfig, times: float) -> float:
    """Where a net may cost so many times what it does now, were its FLOPs depth * width**2 * resolution**2."""
    row = family(model.family)
    if by == "phi":
        return min(max(math.log(times) / math.log(row.alpha * row.beta**2 * row.gamma**2), -PHI), PHI)
    grown = math.sqrt(times) if by == "width" else times
    return min(max(grown, 1 / LARGEST), LARGEST)


def _with(model: ModelConfig, by: By, value: float) -> ModelConfig:
    """A model with another value of a dimension, as short as it is written."""
    return model.model_copy(update={by: _short(value)})


def _short(value: float) -> float:
    """Six digits say enough of a multiplier, and no platform rounds them in another way; pixels stay whole."""
    return value if isinstance(value, int) else float(f"{value:.6g}")
