"""Members of one program as jobs of their own: one trains for all, and each comes to what it comes to alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from isoflop.config import TrialConfig
from isoflop.errors import DivergedError, TrialError
from isoflop.fellows import Leader, Repeated, Told, program
from isoflop.fused import members_of
from isoflop.home import Home
from isoflop.job import open_job
from isoflop.journal.history import History
from isoflop.planning.finalists import FinalistsPlan, fresh
from isoflop.records import Job, Key, Record, State, Trial
from isoflop.training.fused.choice import Speeds
from isoflop.trial import run_trial
from tests.made_up import CONFIG

SEEDS = (5, 6, 7)
PLAIN = TrialConfig.from_params(
    {
        "model.family": "lenet",
        "model.stem": 1,
        "data.name": "digits",
        "optim.lr": 0.05,
        "train.axis": "images",
        "train.horizon": 640.0,
        "train.reports": 2,
        "train.batch_size": 64,
    }
)


def jobs(home: Home, folder: Path, configs: Sequence[TrialConfig] | None = None) -> list[Job]:
    """A job for each member; the first one has the others for fellows."""
    members = members_of(configs or [PLAIN] * len(SEEDS), SEEDS)
    made = [
        Job(
            study="s",
            key=Key(trial=0, replicate=place),
            config=config.params(),
            seed=seed,
            data=str(home.data / "digits"),
            checkpoints=str(folder / "checkpoints" / str(place)),
            artifacts=str(folder / "artifacts" / str(place)),
        )
        for place, (config, seed) in enumerate(zip(members, SEEDS, strict=True))
    ]
    return [replace(made[0], fellows=made[1:]), *made[1:]]


def said(records: Sequence[Record]) -> list[dict[str, float]]:
    return [dict(record.metrics) for record in records]


def alone(job: Job) -> list[dict[str, float]]:
    return said([*run_trial(TrialConfig.from_params(job.config), job.seed, data=Path(job.data))])


def trained(job: Job) -> tuple[list[dict[str, float]], list[str]]:
    """What a job reports, and the hashes of what it leaves; it must end at its last report."""
    training = open_job(job)
    records = [next(training) for _ in range(job.reports)]
    return said(records), [artifact.sha256 for artifact in training.finish()]


def test_one_trains_for_all_and_each_is_what_it_is_alone(home: Home, tmp_path: Path):
    made = jobs(home, tmp_path)
    first = open_job(made[0])
    assert isinstance(first.begin(), Leader)
    rows = [said([next(first) for _ in range(2)])]
    first.finish()
    for job in made[1:]:
        assert isinstance(open_job(job).begin(), Repeated)
        records, left = trained(job)
        assert len(left) == 3
        assert all(Path(job.artifacts or "").iterdir())
        rows.append(records)
    assert rows == [alone(job) for job in made]


def test_a_fellow_that_nothing_was_told_of_trains_by_itself(home: Home, tmp_path: Path):
    leader, fellow, _ = jobs(home, tmp_path)
    next(open_job(leader))  # not to its end
    assert not Told.of(fellow).whole
    assert trained(fellow)[0] == alone(fellow)


def test_a_leader_that_is_cut_off_tells_the_same(home: Home, tmp_path: Path):
    made = jobs(home, tmp_path)
    cut = open_job(made[0])
    next(cut)
    cut.save(1)
    whole = open_job(made[0])
    assert whole.begin().step == 5
    next(whole)
    whole.finish()
    assert trained(made[2])[0] == alone(made[2])


def test_what_was_told_of_another_is_not_repeated(home: Home, tmp_path: Path):
    made = jobs(home, tmp_path)
    trained(made[0])
    assert Told.of(made[1]).whole
    assert not Told.of(replace(made[1], seed=99)).whole
    assert not Told.of(replace(made[1], config={**made[1].config, "optim.lr": 0.04})).whole
    Path(made[1].checkpoints, "told.json").write_text("{torn")
    assert not Told.of(made[1]).whole


def test_a_fellow_that_diverged_says_so_again(home: Home, tmp_path: Path):
    wild = TrialConfig.from_params({**PLAIN.params(), "optim.lr": 1e30, "schedule.warmup": 0.0})
    made = jobs(home, tmp_path, [PLAIN, wild, PLAIN])
    trained(made[0])
    training = open_job(made[1])
    assert isinstance(training.begin(), Repeated)
    with pytest.raises(DivergedError):
        next(training)
    assert trained(made[2])[0] == alone(made[2])


def faster_by(gain: float):
    return lambda config, seeds, data: Speeds(members=len(seeds), separate=1.0, fused=gain)


def test_a_program_is_made_only_where_it_is_faster(home: Home):
    data = home.data / "digits"
    assert program(PLAIN, SEEDS, data=data, measured=faster_by(1.1)) == members_of([PLAIN] * 3, SEEDS)
    assert program(PLAIN, SEEDS, data=data, measured=faster_by(0.9)) == ()
    frozen = TrialConfig.from_params({**PLAIN.params(), "train.patience": 2})
    assert program(frozen, SEEDS, data=data, measured=faster_by(9.0)) == ()

    def refused(config: TrialConfig, seeds: Sequence[int], data: Path) -> Speeds:
        raise TrialError("cannot be fused")

    assert program(PLAIN, SEEDS, data=data, measured=refused) == ()


def plan(fused: bool) -> FinalistsPlan:
    seeds = [fresh(0, replicate) for replicate in range(2)]
    chosen = [Trial(number=4, config=PLAIN.params(), fingerprint="f"), Trial(number=2, config=dict(CONFIG))]
    programs = {0: members_of([PLAIN] * 2, seeds)} if fused else {}
    return FinalistsPlan(study="s", chosen=dict(enumerate(chosen)), seeds=3, seed=0, programs=programs, code="c")


def test_the_others_of_a_program_wait_for_its_first():
    made, history = plan(fused=True), History()
    for place in (0, 1):
        start = made(history).start
        assert start is not None
        assert start.key == Key(trial=place)
        history.trials[start.key] = Trial(number=place, config=start.config, state=State.RUNNING)
    assert made(history).start is None
    first = history.trials[Key(trial=0)]
    assert [fellow.key for fellow in made.fellows(first)] == [Key(trial=0, replicate=1)]
    assert made.fellows(history.trials[Key(trial=1)]) == []
    history.trials[first.key] = replace(first, state=State.COMPLETE)
    start = made(history).start
    assert start is not None
    assert start.key == Key(trial=0, replicate=1)
    assert start.config["fused.place"] == 1
    assert start.fingerprint != "f"
    assert made.propose(0, 2).config["fused.members"] == 1, "a seed that came later trains alone"


def test_without_programs_nobody_waits():
    made, history = plan(fused=False), History()
    for _ in range(6):
        start = made(history).start
        assert start is not None
        history.trials[start.key] = Trial(number=start.key.trial, replicate=start.key.replicate, state=State.RUNNING)
        assert made.fellows(history.trials[start.key]) == []
    assert made(history).finished


def test_a_job_travels_to_a_worker_with_its_fellows(tmp_path: Path):
    from isoflop.execution.ray_worker import pack, unpack

    mine = Job(study="s", key=Key(trial=0), config={"a": 1}, seed=3, data="d", checkpoints="c")
    leader = replace(mine, fellows=(replace(mine, key=Key(trial=0, replicate=1)),))
    assert unpack(pack(leader)) == leader
    assert unpack(pack(mine)) == mine
