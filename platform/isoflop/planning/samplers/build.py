"""The sampler that a spec asks for."""

from __future__ import annotations

from collections.abc import Callable

from isoflop.errors import Fault, SpecError
from isoflop.planning.samplers.additive.sampler import AdditiveSampler
from isoflop.planning.samplers.alone import Alone
from isoflop.planning.samplers.chance import RandomSampler
from isoflop.planning.samplers.evolution import EvolutionSampler
from isoflop.planning.samplers.gp import GPSampler
from isoflop.planning.samplers.grid import GridSampler
from isoflop.planning.samplers.nsga2 import NSGA2Sampler
from isoflop.planning.samplers.protocol import Sampler
from isoflop.planning.samplers.sobol import SobolSampler
from isoflop.planning.samplers.tpe import TPESampler
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


def _bare(spec: StudySpec, space: SearchSpace) -> Sampler:
    """The sampler itself, that may suggest what was tried."""
    objectives, startup = len(spec.objectives), spec.sampler.startup
    known: dict[str, Callable[[], Sampler]] = {
        "additive": lambda: AdditiveSampler(space, objectives, startup, spec.seed),
        "tpe": lambda: TPESampler(space, objectives, startup),
        "gp": lambda: GPSampler(space, objectives, startup),
        "nsga2": lambda: NSGA2Sampler(space, startup),
        "evolution": lambda: EvolutionSampler(space, startup),
        "sobol": lambda: SobolSampler(space, spec.seed),
        "grid": lambda: GridSampler(space, spec.seed),
        "random": lambda: RandomSampler(space),
    }
    return known[spec.sampler.name]()
