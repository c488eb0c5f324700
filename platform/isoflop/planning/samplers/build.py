"""The sampler that a spec asks for."""

from __future__ import annotations

from isoflop.planning.samplers.chance import RandomSampler
from isoflop.planning.samplers.grid import GridSampler
from isoflop.planning.samplers.protocol import Sampler
from isoflop.planning.samplers.sobol import SobolSampler
from isoflop.planning.samplers.tpe import TPESampler
from isoflop.planning.samplers.unseen import Unseen
from isoflop.space import SearchSpace
from isoflop.study_spec import StudySpec


def build_sampler(spec: StudySpec, space: SearchSpace) -> Sampler:
    """The sampler of a spec. Raises `SpecError` where it cannot do what the spec asks."""
    sampler = _bare(spec, space)
    return sampler if space.size() is None else Unseen(sampler, space)


def _bare(spec: StudySpec, space: SearchSpace) -> Sampler:
    """The sampler itself, that may suggest what was tried."""
    name, objectives, startup = spec.sampler.name, len(spec.objectives), spec.sampler.startup
    if name == "random":
        return RandomSampler(space)
    if name == "sobol":
        return SobolSampler(space, spec.seed)
    if name == "grid":
        return GridSampler(space, spec.seed)
    return TPESampler(space, objectives, startup)
