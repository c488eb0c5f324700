"""What `isoflop solve` looks for, and says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from isoflop.cli.describe import Asked
from isoflop.cli.output import amount
from isoflop.config import ModelConfig
from isoflop.errors import Fault, InputError
from isoflop.families import family
from isoflop.scaling import Shape, Solution, Vary, solve

NAMES = {"flops": "FLOPs", "parameters": "parameters"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Solved:
    """The shape nearest to a budget, and what the budget was of."""

    goal: str
    asked: Asked
    found: Solution

    @property
    def shape(self) -> Shape:
        """Depth, width and resolution, phi applied."""
        return Shape.of(self.found.model, self.asked.image[1])

    @classmethod
    def of(cls, asked: Asked, budgets: Mapping[str, float | None], vary: Vary) -> Self:
        """Vary a net that was asked for until its cost is nearest to the one budget that is given.

        Raises `InputError` where not one budget is given, or a shape cannot be.
        """
        given = {goal: target for goal, target in budgets.items() if target is not None}
        if len(given) != 1:
            flags = " or ".join(f"--{goal}" for goal in budgets)
            raise InputError(Fault("solve", f"{len(given)} budgets are given", f"give one: {flags}"))
        [(goal, target)] = given.items()
        if target <= 0:
            raise InputError(Fault(f"--{goal}", f"{target:g} is no budget", "give a number above 0"))
        found = solve(counter(goal, asked), target, vary=vary, model=asked.fixed)
        return cls(goal=goal, asked=asked, found=found)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "model": self.found.model.model_dump(),
            "shape": str(self.shape),
            self.goal: self.found.cost,
            "target": self.found.target,
            "residual": self.found.residual,
        }

    def lines(self) -> list[str]:
        """What was found in lines, the last of them a command that tells more."""
        cost, target = (
            f"{value:.4g} ms" if self.goal == "latency" else f"{amount(value)} {NAMES[self.goal]}"
            for value in (self.found.cost, self.found.target)
        )
        return [
            f"shape  {self.shape}",
            f"cost   {cost}, {self.found.residual:+.2%} of {target}",
            f"more   isoflop describe {self.found.model.family} {self._flags()}",
        ]

    def _flags(self) -> str:
        """What makes `describe` tell of the same net."""
        model, row = self.found.model, family(self.found.model.family)
        flags = {name: f"{getattr(model, name):.6g}" for name in ("depth", "width", "phi", "resolution")}
        flags |= {
            "stem": f"{self.shape.stem}",
            "channels": f"{self.asked.image[0]}",
            "classes": f"{self.asked.classes}",
        }
        chosen = [("knob", f"{key}={value}") for key, value in model.knobs.items() if value != row.knobs[key][0]]
        return " ".join(f"--{name} {value}" for name, value in [*flags.items(), *chosen])


def counter(goal: str, asked: Asked) -> Callable[[ModelConfig], float]:
    """What a model costs of a budget's kind; latency is measured in milliseconds, of one image on this device."""
    from isoflop.models import cost
    from isoflop.models.latency import measure_latency

    def counted(model: ModelConfig) -> float:
        return float(getattr(cost(model, image=asked.image, classes=asked.classes), goal))

    def measured(model: ModelConfig) -> float:
        return measure_latency(model, image=asked.image, classes=asked.classes).milliseconds

    return measured if goal == "latency" else counted
