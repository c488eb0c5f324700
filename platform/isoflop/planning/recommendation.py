"""Which trial of a search to take, where every score is a draw of luck."""

from __future__ import annotations

from isoflop.journal.history import History
from isoflop.planning.ladder import Ladder
from isoflop.planning.rungs import Rungs
from isoflop.planning.samplers.additive.sampler import AdditiveSampler
from isoflop.planning.standing import Standing
from isoflop.planning.view import View
from isoflop.space import SearchSpace
from isoflop.study_spec import StudySpec


def recommendation(spec: StudySpec, space: SearchSpace, history: History) -> int | None:
    """The number of the trial that the default sampler's model expects most of, whichever sampler asked for it.

    Of the trials with the best scores, those with the luckiest draws are not the best: the model weighs what like
    configurations came to. None where no trial has a score. Costs about a suggestion of that sampler.
    """
    standing = Standing(history)
    for _ in standing.advance():
        pass
    seen = View(spec, space, Ladder(spec, Rungs.of(spec)), standing).now(len(standing.trials))
    return AdditiveSampler(space, len(spec.objectives)).recommend(seen)
