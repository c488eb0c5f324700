"""One training on several devices: the step of one device, and no process left when it ends, however it ends."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from isoflop.config import AugmentConfig, TrialConfig
from isoflop.data.batches import Batches
from isoflop.errors import DivergedError, ExhaustedError, LostError, SpecError, TrialError
from isoflop.home import Home
from isoflop.trained import load_net
from isoflop.training.parallel import ALONE, Cut
from isoflop.training.team import Team
from isoflop.training.watch import Watch
from isoflop.trial import Given, TrialRun, run_trial
from tests.ranks import config, open_failing

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[3]


def gone(pids: list[int]) -> bool:
    """Whether none of these processes is left after a while."""
    _, left = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=30)
    return not left


def killed_after_a_report(data: Path, checkpoints: Path) -> dict[str, Any]:
    """What a process said of its training on two devices before it was killed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "platform")])}
    command = [sys.executable, "-m", "tests.ranks", str(data), str(checkpoints)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as asked:
        assert asked.stdout is not None
        said: dict[str, Any] = json.loads(asked.stdout.readline())
        assert all(psutil.pid_exists(pid) for pid in said["pids"])
        asked.send_signal(signal.SIGKILL)
    return said


def test_two_devices_come_to_the_step_of_one_and_go_on_when_they_are_killed(home: Home, tmp_path: Path):
    data = home.data / "digits"
    said = killed_after_a_report(data, tmp_path / "checkpoints")
    assert gone(said["pids"])

    rest = run_trial(config(2), 3, data=data, checkpoints=tmp_path / "checkpoints", device=CPU)
    assert isinstance(rest, Team)
    assert rest.step == said["step"]
    second = next(rest)
    assert next(rest, None) is None
    pids = rest.pids()
    os.kill(pids[1], signal.SIGKILL)
    with pytest.raises(LostError, match="process 1 of 2 ended by signal 9"):
        next(rest)
    assert gone(pids)

    whole = run_trial(config(2), 3, data=data, device=CPU)
    assert isinstance(whole, Team)
    records, pids = list(whole), whole.pids()
    assert [dict(one.metrics) for one in records] == [said["metrics"], dict(second.metrics)]
    left = whole.finish(tmp_path / "left")
    assert [one.kind for one in left] == ["weights", "val_predictions", "val_report"]
    assert gone(pids)

    alone = list(run_trial(config(1), 3, data=data, device=CPU))
    assert [one.step for one in records] == [one.step for one in alone]
    for one, other in zip(records, alone, strict=True):
        assert one.metrics == pytest.approx(other.metrics, rel=1e-4)
        assert one.flops == other.flops


RECIPES: dict[str, dict[str, Any]] = {
    "stopped": {
        "train.patience": 1,
        "train.horizon": 3.0,
        "train.reports": 6,
        "schedule.name": "plateau",
        "schedule.patience": 0,
        "optim.lr": 0.1,
        "average.name": "ema",
        "average.decay": 0.5,
        "augment.mixup": 0.2,
    },
    "norms": {
        "model.family": "resnet",
        "model.depth": 0.1,
        "model.width": 0.1,
        "model.drop_path": 0.2,
        "average.name": "swa",
        "average.start": 0.3,
        "average.every": 0.1,
        "adversary.name": "fgsm",
        "train.micro_batch": 20,
    },
}
"""One whose early end all processes must agree on; one where batch norms see other images on each of them."""


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_on_two_devices_repeats_bit_for_bit_when_cut(name: str, home: Home, tmp_path: Path):
    made, data = config(2, **RECIPES[name]), home.data / "digits"
    whole = run_trial(made, 3, data=data, checkpoints=tmp_path / "checkpoints", device=CPU, observe=True)
    records = [next(whole)]
    whole.save(1)
    records += whole
    rest = run_trial(made, 3, data=data, checkpoints=tmp_path / "checkpoints", device=CPU, observe=True)
    assert rest.step == records[0].step
    gone_on = list(rest)
    assert [(one.step, one.metrics, one.observed) for one in gone_on] == [
        (one.step, one.metrics, one.observed) for one in records[1:]
    ]
    first, again = (run.finish(tmp_path / folder) for run, folder in ((whole, "a"), (rest, "b")))
    assert [one.sha256 for one in first[1:]] == [one.sha256 for one in again[1:]]
    (net, _), (other, _) = (load_net(tmp_path / folder, CPU) for folder in "ab")
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True))
    assert [one.kind for one in first] == ["weights", "val_predictions", "val_report"]
    assert records[0].observed["gradient"] > 0
    assert ("stopped" in records[-1].measured) == (name == "stopped")


def test_early_ends_and_rates_are_those_of_one_device(home: Home):
    data = home.data / "digits"
    several, alone = (
        list(run_trial(config(count, **RECIPES["stopped"]), 3, data=data, device=CPU)) for count in (2, 1)
    )
    assert [(one.step, one.metrics["lr"]) for one in several] == [(one.step, one.metrics["lr"]) for one in alone]
    assert several[0].metrics == pytest.approx(alone[0].metrics, rel=1e-3)
    assert several[0].observed == {}


def test_a_loss_of_one_process_ends_all():
    watches = [Watch(skips=False, mean=lambda values: values + torch.tensor([0.0, math.nan, 0.0, 0.0])) for _ in "ab"]
    for watch in watches:
        watch.note(1, torch.tensor(1.0), torch.tensor(1.0))
        watch.note(2, torch.tensor(1.0), torch.tensor(1.0))
        with pytest.raises(DivergedError) as caught:
            watch.look(2)
        assert (caught.value.step, caught.value.what) == (2, "train_loss")


@pytest.mark.parametrize(
    ("how", "kind", "text"),
    [
        ("exhausted", ExhaustedError, "out of memory on the second device"),
        ("bug", ZeroDivisionError, "a bug of the second rank"),
    ],
)
def test_a_rank_that_fails_says_so_and_ends_all(how: str, kind: type[Exception], text: str):
    team = Team(partial(open_failing, how), count=2, device=CPU)
    pids = team.pids()
    assert team.step == 7
    with pytest.raises(kind, match=text) as caught:
        next(team)
    assert "open_failing" not in str(caught.value)
    assert "in __next__" in caught.value.__notes__[0]
    assert gone(pids)


def test_all_processes_end_with_the_training_that_nobody_holds():
    team = Team(partial(open_failing, "diverged"), count=1, device=CPU)
    pids = team.pids()
    del team
    assert gone(pids)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_ranks_together_see_what_one_device_sees(count: int):
    drawn = np.random.default_rng(0)
    images, labels = drawn.integers(0, 256, (50, 1, 8, 8), dtype=np.uint8), drawn.integers(0, 4, 50)
    split = Batches(images, labels, mean=[0.5], std=[0.25], resolution=8, device=CPU)
    augment = AugmentConfig(crop=2, flip=True)
    cuts = [Cut(split, rank, count) for rank in range(count)]
    for step in (0, 3, 7):
        whole, targets = split.at(step, size=16, seed=1, config=augment)
        parts = [list(cut.pieces(step, size=16, piece=3, seed=1, config=augment)) for cut in cuts]
        assert all(len(part) == -(-16 // count // 3) for part in parts)
        assert torch.equal(torch.cat([piece for part in parts for piece, _ in part]), whole)
        assert torch.equal(torch.cat([found for part in parts for _, found in part]), targets)
    shares = [list(cut.all(8)) for cut in cuts]
    turns = [shares[n % count][n // count] for n in range(sum(map(len, shares)))]
    for found, expected in zip(turns, split.all(8), strict=True):
        assert torch.equal(found[0], expected[0])


def test_one_device_changes_nothing(home: Home):
    run = run_trial(config(1), 3, data=home.data / "digits", device=CPU)
    assert isinstance(run, TrialRun)
    assert run.ranks is ALONE


def test_a_batch_that_cannot_be_cut_is_refused(home: Home):
    with pytest.raises(
        SpecError, match=r"train.batch_size: 63 images cannot be cut into 2 equal parts; give a multiple"
    ):
        TrialConfig.from_params({**config(2).params(), "train.batch_size": 63})
    large = TrialConfig.from_params({**config(2).params(), "train.batch_size": 50_000, "train.axis": "images"})
    odd = large.model_copy(update={"train": large.train.model_copy(update={"devices": 5, "horizon": 1e9})})
    with pytest.raises(TrialError, match="images, all there are, cannot be cut for 5 devices"):
        TrialRun(odd, 0, Given(data=home.data / "digits"), device=CPU)


def test_devices_that_are_not_there_are_refused():
    with pytest.raises(TrialError, match=r"train.devices: 9, but this process may use 0 of them"):
        Team(partial(open_failing, "bug"), count=9, device=torch.device("cuda"))
    with pytest.raises(TrialError, match=r"train.devices: 2, but meta devices cannot share a training"):
        Team(partial(open_failing, "bug"), count=2, device=torch.device("meta"))
