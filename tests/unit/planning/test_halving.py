"""Verdicts at rungs: in canonical order, as early as they are certain."""

from __future__ import annotations

import math
from itertools import product

import pytest

from isoflop.journal.history import History
from isoflop.plan import Verdict
from isoflop.planning.halving import places, verdict
from isoflop.planning.ladder import Ladder
from isoflop.planning.rungs import Rungs
from isoflop.planning.standing import Standing
from isoflop.records import Record, State, Trial
from isoflop.study_spec import Halving, StudySpec

HALVINGS = [Halving(), Halving(eta=2), Halving(name="median")]


def spec(**study: object) -> StudySpec:
    return StudySpec.model_validate({"name": "s", "fidelity": {"horizon": 9, "reports": 9}, **study})


def trial(number: int, *values: float, state: State = State.RUNNING, metric: str = "val_accuracy") -> Trial:
    records = tuple(
        Record(report=k + 1, step=k, epoch=k, images=k, flops=k, fidelity=k, metrics={metric: value})
        for k, value in enumerate(values)
    )
    return Trial(number=number, state=state, records=records, flops=number)


def ladder(*trials: Trial, **study: object) -> Ladder:
    history = History()
    for one in trials:
        history.trials[one.key] = one
        history.changes.append((one.key, one.reports))
    standing, found = Standing(history), spec(**study)
    made = Ladder(found, Rungs.of(found))
    for one, reports in standing.advance():
        made.take(one, reports)
    return made


@pytest.mark.parametrize("halving", HALVINGS, ids=str)
def test_an_early_verdict_is_the_one_that_waiting_would_give(halving: Halving):
    rule = places(halving)
    for known, missing in product(range(12), range(6)):
        for better in range(known + 1):
            early = verdict(better, known, missing, rule)
            later = {
                verdict(better + above, known + above + below, 0, rule)
                for above, below in product(range(missing + 1), repeat=2)
                if above + below <= missing
            }
            assert Verdict.WAIT not in later
            assert early is (later.pop() if len(later) == 1 else Verdict.WAIT)


def test_the_first_trial_always_goes_on():
    assert ladder(trial(0, 0.1)).verdict(0, 1) is Verdict.GO


def test_one_in_eta_goes_on():
    values = [0.5, 0.4, 0.6, 0.1, 0.7, 0.55]
    made = ladder(*(trial(n, value) for n, value in enumerate(values)))
    verdicts = [made.verdict(n, 1) for n in range(6)]
    assert verdicts == [Verdict.GO, Verdict.STOP, Verdict.GO, Verdict.STOP, Verdict.GO, Verdict.STOP]


def test_the_better_half_goes_on_at_every_report_under_median_stopping():
    values = [0.5, 0.4, 0.6, 0.45, 0.7]
    made = ladder(*(trial(n, value, value) for n, value in enumerate(values)), halving={"name": "median"})
    assert [made.verdict(n, 2) for n in range(5)] == [
        Verdict.GO,
        Verdict.STOP,
        Verdict.GO,
        Verdict.STOP,
        Verdict.GO,
    ]


def test_a_trial_waits_for_lower_numbers_alone_and_only_while_they_matter():
    assert ladder(trial(0), trial(1, 0.5)).verdict(1, 1) is Verdict.WAIT
    assert ladder(trial(0, 0.4), trial(1, 0.5), trial(2)).verdict(1, 1) is Verdict.GO
    assert ladder(trial(0, 0.6), trial(1), trial(2, 0.5)).verdict(2, 1) is Verdict.STOP


def test_final_trials_are_not_waited_for():
    made = ladder(trial(0, state=State.FAILED), trial(1, state=State.INFEASIBLE), trial(2, 0.5))
    assert made.verdict(2, 1) is Verdict.GO


def test_ties_go_on():
    assert ladder(trial(0, 0.5), trial(1, 0.5), trial(2, 0.5)).verdict(2, 1) is Verdict.GO


def test_what_is_not_finite_is_worst_and_poisons_nobody():
    made = ladder(trial(0, math.inf), trial(1, math.nan), trial(2, 0.1))
    assert made.verdict(2, 1) is Verdict.GO


def test_a_loss_is_better_when_lower():
    made = ladder(*(trial(n, v, metric="val_loss") for n, v in enumerate((0.3, 0.9))), objectives=["val_loss"])
    assert made.verdict(1, 1) is Verdict.STOP


def test_several_objectives_stop_by_non_dominated_rank():
    # FLOPs grow with the number: 1 is on the front beside 0, 2 is dominated by both.
    made = ladder(trial(0, 0.5), trial(1, 0.6), trial(2, 0.4), objectives=["val_accuracy", "flops"])
    assert [made.verdict(n, 1) for n in range(3)] == [Verdict.GO, Verdict.GO, Verdict.STOP]


def test_a_bracket_is_a_function_of_the_number_and_compares_within_itself():
    rungs = Rungs.of(spec(halving={"name": "hyperband"}))
    assert rungs.brackets == [(1, 3), (3,), ()]
    brackets = [rungs.bracket(n) for n in range(sum(rungs.shares))]
    assert [brackets.count(b) for b in range(3)] == list(rungs.shares) == [9, 5, 3]
    other = next(n for n in range(10) if brackets[n] == 1)
    made = ladder(*(trial(n, *[0.9 - n / 100] * 3) for n in range(10)), halving={"name": "hyperband"})
    assert made.verdict(other, 3) is Verdict.GO
    assert made.at(trial(other, 0.9, 0.9, 0.9)) == 3
