"""The sampler that a spec asks for; each is imported where it is used, as SciPy and Optuna take half a second."""

from __future__ import annotations

from typing import assert_never

from isoflop.errors import Fault, SpecError
from isoflop.planning.samplers.alone import Alone
from isoflop.planning.samplers.chance import RandomSampler
from isoflop.planning.samplers.protocol import Sampler
from isoflop.planning.samplers.unseen import Unseen
from isoflop.space import SearchSpace
from isoflop.study_spec import StudySpec

SINGLE = frozenset({"evolution"})
"""Samplers of one objective."""


def build_sampler(spec: StudySpec, space: SearchSpace) -> Sampler:
    """The sampler of a spec. Raises `SpecError` where it cannot do what the spec asks."""
    if spec.sampler.name in SINGLE and len(spec.objectives) > 1:
        what = f"{spec.sampler.name} has one objective, and the study has {len(spec.objectives)}"
        raise SpecError(Fault("study.sampler.name", what, "use additive, nsga2, tpe or gp"))
    if not space.dimensions:
        return RandomSampler(space)
    sampler = Alone(_bare(spec, space))
    return sampler if space.size() is None else Unseen(sampler, space)


def _bare(spec: StudySpec, space: SearchSpace) -> Sampler:  # noqa: PLR0911 - one a sampler
    """The sampler itself, that may suggest what was tried."""
    objectives, startup = len(spec.objectives), spec.sampler.startup
    match spec.sampler.name:
        case "additive":
            from isoflop.planning.samplers.additive.sampler import AdditiveSampler

            return AdditiveSampler(space, objectives, startup, spec.seed)
        case "tpe":
            from isoflop.planning.samplers.tpe import TPESampler

            return TPESampler(space, objectives, startup)
        case "gp":
            from isoflop.planning.samplers.gp import GPSampler

            return GPSampler(space, objectives, startup)
        case "nsga2":
            from isoflop.planning.samplers.nsga2 import NSGA2Sampler

            return NSGA2Sampler(space, startup)
        case "evolution":
            from isoflop.planning.samplers.evolution import EvolutionSampler

            return EvolutionSampler(space, startup)
        case "sobol":
            from isoflop.planning.samplers.sobol import SobolSampler

            return SobolSampler(space, spec.seed)
        case "grid":
            from isoflop.planning.samplers.grid import GridSampler

            return GridSampler(space, spec.seed)
        case "random":
            return RandomSampler(space)
        case name:
            assert_never(name)
