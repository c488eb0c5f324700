"""What the default sampler recommends."""

from __future__ import annotations

import random
from dataclasses import replace

from isoflop.planning.samplers.additive.sampler import KEPT, AdditiveSampler
from isoflop.planning.samplers.protocol import Observation
from isoflop.records import State
from isoflop.space import Float, SearchSpace
from tests.unit.planning.samplers.additive.spaces import LINE, PLAIN


def observed(number: int, place: float, score: float, *, state: State = State.COMPLETE) -> Observation:
    return Observation(number=number, params={"u": place}, state=state, scores={1: (score,)})


def test_it_recommends_by_the_model_not_by_the_luckiest_value():
    chance = random.Random(0)
    places = [number / 60 for number in range(60)]
    seen = [observed(n, u, -((u - 0.5) ** 2) + chance.gauss(0, 0.01)) for n, u in enumerate(places)]
    lucky = observed(60, 0.15, 0.02)
    assert abs(places[AdditiveSampler(LINE).recommend([*seen, lucky])] - 0.5) < 0.1


def test_a_trial_that_did_poorly_beside_the_best_is_not_recommended():
    best = [observed(number, 0.46 + number / 200, 1.0) for number in range(16)]
    assert AdditiveSampler(LINE).recommend([*best, observed(16, 0.501, 0.5)]) != 16


def test_a_trial_that_the_model_does_not_hold_is_not_recommended():
    bad = [observed(number, 0.72, 0.0) for number in range(20)]
    seen = [*bad]
    for number in range(20, 20 + 2 * KEPT):
        place = 0.7 * ((number * 0.618) % 1)
        seen.append(observed(number, place, place))
    assert AdditiveSampler(LINE).recommend(seen) >= 20


def test_it_recommends_a_complete_trial_where_there_is_one():
    cut = [observed(number, 0.9, 1.0, state=State.PRUNED) for number in range(5)]
    assert AdditiveSampler(LINE).recommend([*cut, observed(5, 0.1, 0.2)]) == 5
    assert AdditiveSampler(LINE).recommend(cut) in range(5)
    assert AdditiveSampler(LINE).recommend([]) is None


def test_where_nothing_varies_the_best_is_recommended():
    scores = (0.2, 0.5, 0.4)
    seen = [Observation(number=n, params={}, state=State.COMPLETE, scores={1: (s,)}) for n, s in enumerate(scores)]
    assert AdditiveSampler(PLAIN).recommend(seen) == 1
    fixed = SearchSpace(dimensions=(Float(key="only", low=0.5, high=0.5),))
    told = [replace(one, params={"only": 0.5}) for one in seen]
    assert AdditiveSampler(fixed).recommend(told) == 1
