"""What every sampler promises: pure, inside the space, and sound whatever it has seen."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import get_args

import pytest

from isoflop.errors import SpecError
from isoflop.families import Scalar
from isoflop.planning.samplers.build import SINGLE, build_sampler
from isoflop.planning.samplers.protocol import Observation, Sampler
from isoflop.records import State
from isoflop.seeds import derive
from isoflop.space import Choice, Float, Int, SearchSpace
from isoflop.study_spec import Objective, StudySpec
from isoflop.study_spec import Sampler as Settings

NAMES = get_args(Settings.model_fields["name"].annotation)
SLOW = {"gp"}
"""Whose suggestions take a tenth of a second."""
LEARNING = sorted(set(NAMES) - {"random", "sobol", "grid"})
PLAIN = SearchSpace()
BRANCHES = SearchSpace(
    dimensions=(
        Choice(
            key="family",
            options={
                "a": SearchSpace(
                    dimensions=(Float(key="rate", low=1e-4, high=1e-1, log=True), Int(key="depth", low=1, high=6))
                ),
                "b": SearchSpace(
                    dimensions=(
                        Float(key="rate", low=1e-2, high=1.0, log=True),
                        Choice(
                            key="gate",
                            options={
                                True: SearchSpace(dimensions=(Float(key="heat", low=0.0, high=1.0, step=0.25),)),
                                False: PLAIN,
                                None: PLAIN,
                            },
                        ),
                    )
                ),
                "c": PLAIN,
            },
        ),
        Int(key="width", low=1, high=64, log=True),
        Choice(key="batch", options=dict.fromkeys([64, 16, 32], PLAIN)),
        Float(key="only", low=0.5, high=0.5),
    )
)
FINITE = SearchSpace(
    dimensions=(
        Choice(key="x", options={"p": SearchSpace(dimensions=(Int(key="n", low=0, high=2),)), "q": PLAIN}),
        Choice(key="y", options=dict.fromkeys(["s", "t", "u"], PLAIN)),
    )
)
LINE = SearchSpace(dimensions=(Float(key="u", low=0.0, high=1.0), Float(key="v", low=0.0, high=1.0)))


def made(name: str, space: SearchSpace, *, objectives: int = 1, seed: int = 0) -> Sampler:
    several = tuple(Objective(metric=m) for m in ("val_accuracy", "flops", "parameters", "latency")[:objectives])
    return build_sampler(StudySpec(name="s", objectives=several, sampler=Settings(name=name), seed=seed), space)


def history(space: SearchSpace, count: int, *, objectives: int = 1, seed: int = 0) -> list[Observation]:
    """Trials in every state, with the scores that such trials have."""
    draw, chance = made("random", space), random.Random(seed)
    reports = {State.COMPLETE: 9, State.PRUNED: 3, State.KILLED: 2, State.INTERRUPTED: 1}
    seen = []
    for number in range(count):
        state = [*State][number % len([*State])]
        state = State.COMPLETE if state is State.DUPLICATE else state
        made_reports = 1 if state is State.RUNNING and number % 2 else reports.get(state, 0)
        scores = {r: tuple(chance.random() + r / 9 for _ in range(objectives)) for r in range(1, made_reports + 1)}
        lost = state in {State.INFEASIBLE, State.FAILED}
        broken = 0.5 if state is State.COMPLETE and number % 5 == 0 else 1.0 * lost
        params = draw(number, [], derive(seed, number))
        seen.append(Observation(number=number, params=params, state=state, scores=scores, violation=broken))
    return seen


def run(name: str, space: SearchSpace, count: int, end: object, *, seed: int = 0) -> list[Observation]:
    """A study one at a time: `end` makes what is seen of a trial from its number and parameters."""
    sampler = made(name, space, seed=seed)
    seen: list[Observation] = []
    for number in range(count):
        seen.append(end(number, sampler(number, seen, derive(seed, "suggest", number))))  # type: ignore[operator]
    return seen


def complete(number: int, params: Mapping[str, Scalar], score: float) -> Observation:
    return Observation(number=number, params=params, state=State.COMPLETE, scores={1: (score,)})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("space", [BRANCHES, FINITE, LINE, PLAIN], ids=["branches", "finite", "line", "empty"])
def test_suggestions_are_in_the_space_whatever_was_seen(name: str, space: SearchSpace):
    sampler = made(name, space)
    for count in (0, 9, 30, 63):
        params = sampler(count, history(space, count), derive(1, count))
        assert space.contains(params), space.strange(params)


@pytest.mark.parametrize("name", NAMES)
def test_equal_arguments_give_equal_parameters_whoever_asks_in_whatever_order(name: str):
    numbers = (40, 3) if name in SLOW else (40, 3, 41, 27)
    calls = [(number, history(BRANCHES, number), derive(2, number)) for number in numbers]
    first, second = made(name, BRANCHES), made(name, BRANCHES)
    forward = [first(*call) for call in calls]
    assert [second(*call) for call in reversed(calls)] == forward[::-1]
    assert [first(*call) for call in calls] == forward


@pytest.mark.parametrize("name", NAMES)
def test_a_list_that_grows_is_seen_as_it_is_now(name: str):
    whole, grown, sampler = history(LINE, 28), list[Observation](), made(name, LINE)
    for one in whole:
        grown.append(one)
        if one.number % 4 == 3 and one.number > 14:
            number, seed = len(grown), derive(7, one.number)
            assert sampler(number, grown, seed) == made(name, LINE)(number, whole[:number], seed)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"grid"}))
def test_another_seed_or_number_gives_another_trial(name: str):
    seen = history(LINE, 40)
    sampler = made(name, LINE)
    found = [sampler(40 + k, seen[: 40 - k], derive(3, k)) for k in range(3)]
    assert len({tuple(params.values()) for params in found}) == 3


@pytest.mark.parametrize("name", NAMES)
def test_what_is_seen_is_left_as_it_was(name: str):
    seen, before = history(BRANCHES, 40), history(BRANCHES, 40)
    made(name, BRANCHES)(40, seen, 5)
    assert seen == before


@pytest.mark.parametrize("name", sorted(set(NAMES) - SINGLE))
@pytest.mark.parametrize("objectives", [2, 4])
def test_several_objectives_work(name: str, objectives: int):
    space = LINE if name in SLOW else BRANCHES
    sampler = made(name, space, objectives=objectives)
    for count in (5,) if name in SLOW and objectives > 2 else (5, 36):
        seen = history(space, count, objectives=objectives)
        params = sampler(count, seen, derive(4, count))
        assert space.contains(params)
        assert sampler(count, seen, derive(4, count)) == params


@pytest.mark.parametrize("name", sorted(SINGLE))
def test_a_sampler_of_one_objective_refuses_several_in_one_line(name: str):
    with pytest.raises(SpecError) as error:
        made(name, LINE, objectives=2)
    assert str(error.value).startswith(f"study.sampler.name: {name} has one objective, and the study has 2; use ")


@pytest.mark.parametrize("name", sorted(set(NAMES) - SLOW))
def test_hundreds_of_trials_are_seen(name: str):
    assert BRANCHES.contains(made(name, BRANCHES)(400, history(BRANCHES, 400), 6))


@pytest.mark.parametrize("name", NAMES)
def test_a_finite_space_is_walked_without_repeating_until_it_is_exhausted(name: str):
    found = run(name, FINITE, 14, lambda number, params: complete(number, params, float(number % 5)))
    assert len({tuple(sorted(one.params.items())) for one in found[:12]}) == FINITE.size() == 12
    assert all(FINITE.contains(one.params) for one in found[12:])


@pytest.mark.parametrize("name", NAMES)
def test_a_running_trial_is_not_suggested_again(name: str):
    draw = made("grid", FINITE)
    seen: list[Observation] = []
    for number in range(11):
        seen.append(Observation(number=number, params=draw(number, seen, 0), state=State.RUNNING))
    left = made(name, FINITE)(11, seen, 7)
    assert all(left != one.params for one in seen)


@pytest.mark.parametrize("name", LEARNING)
def test_a_region_that_always_fails_is_suggested_clearly_less_often(name: str):
    def end(number: int, params: Mapping[str, Scalar]) -> Observation:
        if params["u"] < 0.5:  # type: ignore[operator]
            return Observation(number=number, params=params, state=State.FAILED, violation=1.0)
        return complete(number, params, 1 - abs(float(params["v"]) - 0.5))  # type: ignore[arg-type]

    found = run(name, LINE, 26 if name in SLOW else 60, end)
    late = found[16 if name in SLOW else 30 :]
    assert sum(one.state is State.FAILED for one in late) / len(late) < 0.3


@pytest.mark.parametrize("name", LEARNING)
def test_a_sampler_learns_from_finished_trials(name: str):
    count = 30 if name in SLOW else 60
    found = run(name, LINE, count, lambda n, params: complete(n, params, height(params)))
    assert good(found) > 0.2


@pytest.mark.parametrize("name", LEARNING)
def test_halving_does_not_starve_a_sampler(name: str):
    """Nothing is complete, a third still runs past a rung: the good side is found all the same."""

    def end(number: int, params: Mapping[str, Scalar]) -> Observation:
        score = height(params)
        if score > 0.6:
            return Observation(
                number=number, params=params, state=State.RUNNING, scores={1: (score,), 2: (score,), 3: (score,)}
            )
        return Observation(number=number, params=params, state=State.PRUNED, scores={1: (score,)})

    count = 30 if name in SLOW else 60
    assert good(run(name, LINE, count, end)) > 0.2


@pytest.mark.parametrize("name", LEARNING)
def test_a_trial_that_was_cut_is_not_taken_for_a_finished_one(name: str):
    """Scores fall with reports, so that cut trials end high. They are the worse half of those at their last report."""

    def end(number: int, params: Mapping[str, Scalar]) -> Observation:
        score = height(params)
        if score < 0.6:
            return Observation(number=number, params=params, state=State.PRUNED, scores={1: (score + 10,)})
        scores = {1: (score + 10,), 2: (score + 5,), 3: (score,)}
        return Observation(number=number, params=params, state=State.COMPLETE, scores=scores)

    count = 30 if name in SLOW else 60
    assert good(run(name, LINE, count, end)) > 0.2


def height(params: Mapping[str, Scalar]) -> float:
    """Best, 1, where u is 0.8 and v is 0.3."""
    return 1 - abs(float(params["u"]) - 0.8) - 0.5 * abs(float(params["v"]) - 0.3)  # type: ignore[arg-type]


def good(found: Sequence[Observation]) -> float:
    """Which share of the last third is near the best; a random one in 11 is."""
    late = found[-len(found) // 3 :]
    return sum(height(one.params) > 0.85 for one in late) / len(late)


def shares(values: Sequence[object]) -> dict[object, float]:
    return {value: values.count(value) / len(values) for value in set(values)}


@pytest.mark.parametrize("name", ["random", "sobol"])
def test_draws_are_uniform(name: str):
    sampler = made(name, BRANCHES)
    drawn = [sampler(n, [], derive(8, n)) for n in range(1024)]
    families = shares([params["family"] for params in drawn])
    assert all(abs(share - 1 / 3) < 0.05 for share in families.values())
    rates = [float(params["rate"]) for params in drawn if params["family"] == "a"]  # type: ignore[arg-type]
    assert abs(shares([rate < 10**-2.5 for rate in rates])[True] - 0.5) < 0.09
    low = shares([int(params["width"]) <= 8 for params in drawn])[True]  # type: ignore[arg-type]
    assert abs(low - 0.587) < 0.05  # log(8.5 / 0.5) / log(64.5 / 0.5)


def test_sobol_fills_the_space_more_evenly_than_chance():
    def fullest(name: str) -> int:
        sampler = made(name, LINE)
        cells = [tuple(int(float(v) * 8) for v in sampler(n, [], derive(9, n)).values()) for n in range(64)]  # type: ignore[arg-type]
        return len(set(cells))

    assert fullest("sobol") == 64
    assert fullest("random") < 50


def test_grid_cuts_ranges_and_spreads_its_first_points():
    found = run("grid", LINE, 25, lambda number, params: complete(number, params, 0.0))
    assert {one.params["u"] for one in found} == {one.params["v"] for one in found} == {0.0, 0.25, 0.5, 0.75, 1.0}
    assert len({tuple(one.params.items()) for one in found}) == 25
    assert len({one.params["u"] for one in found[:5]}) >= 3
    assert len({one.params["v"] for one in found[:5]}) >= 3
