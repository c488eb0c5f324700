"""A training repeats bit for bit on the CPU, whole, cut and resumed."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
import torch

from isoflop.config import TrialConfig
from isoflop.energy import Domain, meter
from isoflop.errors import DataError, DivergedError, SpecError, TrialError
from isoflop.home import Home
from isoflop.job import open_job
from isoflop.joblog import read
from isoflop.models.registry import register
from isoflop.records import Job, Key
from isoflop.trained import Facts, load_net, normalize, predict_split
from isoflop.training.team import Team
from isoflop.trial import run_trial

CPU = torch.device("cpu")
CONFIGS = {
    "lenet": {"model.dropout": 0.2, "optim.name": "adamw", "optim.lr": 2e-3},
    "resnet": {"model.depth": 0.5, "model.width": 0.125, "model.drop_path": 0.1, "optim.lr": 0.05},
    "efficientnet": {"model.depth": 0.25, "model.width": 0.25, "optim.name": "adamw", "optim.lr": 3e-3},
    "vit": {"model.stem": 2, "model.depth": 0.17, "model.width": 0.25, "optim.name": "adamw", "optim.lr": 2e-3},
}


def config(family: str, **params: object) -> TrialConfig:
    plain = {"data.name": "digits", "train.horizon": 1.5, "train.reports": 3, "augment.crop": 1, "augment.flip": True}
    return TrialConfig.from_params({"model.family": family, **plain, **CONFIGS[family], **params})  # type: ignore[arg-type]


def metrics(run: object) -> list[tuple[int, dict[str, float]]]:
    return [(record.step, dict(record.metrics)) for record in run]  # type: ignore[attr-defined]


@pytest.mark.parametrize("family", CONFIGS)
def test_equal_configuration_and_seed_give_equal_metrics_also_when_cut_at_any_report(
    family: str, home: Home, tmp_path: Path
):
    data = home.data / "digits"
    whole = metrics(run_trial(config(family), 3, data=data, device=CPU))
    assert len(whole) == 3
    for cut in (1, 2):
        folder = tmp_path / str(cut)
        first = run_trial(config(family), 3, data=data, checkpoints=folder, device=CPU)
        head = [next(first) for _ in range(cut)]
        first.save(cut)
        torch.rand(7)  # what a process does in between changes nothing
        rest = run_trial(config(family), 3, data=data, checkpoints=folder, device=CPU)
        assert metrics(head) + metrics(rest) == whole


def test_another_seed_gives_other_metrics(home: Home):
    runs = [metrics(run_trial(config("lenet"), seed, data=home.data / "digits", device=CPU)) for seed in (0, 1)]
    assert runs[0] != runs[1]


def test_a_training_learns(home: Home):
    long = config("resnet", **{"train.horizon": 5, "train.reports": 1, "augment.flip": False, "augment.crop": 0})
    (record,) = run_trial(long, 0, data=home.data / "digits", device=CPU)
    assert record.metrics["val_accuracy"] > 0.8
    assert record.epoch == 5
    assert record.flops > 0


def test_a_training_that_diverges_says_at_which_step(home: Home):
    wild = config("resnet", **{"optim.lr": 1e30, "schedule.warmup": 0.0})
    with pytest.raises(DivergedError) as caught:
        list(run_trial(wild, 0, data=home.data / "digits", device=CPU))
    assert 1 <= caught.value.step <= 30
    assert "train_loss" in str(caught.value)


def test_other_data_than_the_configuration_was_made_for_is_refused(home: Home):
    with pytest.raises(DataError, match="the configuration wants 0123"):
        run_trial(config("lenet", **{"data.digest": "0123"}), 0, data=home.data / "digits")


def test_a_horizon_shorter_than_its_reports_is_refused(home: Home):
    with pytest.raises(TrialError, match="fewer than its 9 reports"):
        run_trial(config("lenet", **{"train.horizon": 0.1, "train.reports": 9}), 0, data=home.data / "digits")


def test_what_a_training_leaves_predicts_as_it_did(home: Home, tmp_path: Path):
    run = run_trial(config("resnet"), 0, data=home.data / "digits", device=CPU)
    list(run)
    artifacts = {artifact.kind: artifact for artifact in run.finish(tmp_path)}
    assert set(artifacts) == {"weights", "val_predictions", "val_report"}
    net, facts = load_net(tmp_path, CPU)
    assert isinstance(facts, Facts)
    assert facts.config == run.config
    logits, labels = predict_split(net, run.prepared, "val", CPU, size=run.fit.piece)
    expected, _ = predict_split(run.net, run.prepared, "val", CPU, size=run.fit.piece)
    assert (logits == expected).all()
    images, _ = run.prepared.split("val")
    with torch.inference_mode():
        again = net(normalize(images[:5], facts, net))
    assert torch.allclose(again, torch.from_numpy(logits[:5]), atol=1e-5)
    assert len(labels) == len(images)


def test_a_training_in_pieces_repeats_when_cut_and_leaves_another_ones_checkpoints(home: Home, tmp_path: Path):
    data = home.data / "digits"
    whole, pieces = config("resnet"), config("resnet", **{"train.micro_batch": 24})
    first = run_trial(whole, 3, data=data, checkpoints=tmp_path, device=CPU)
    next(first)
    next(first)
    first.save(2)
    expected = metrics(run_trial(pieces, 3, data=data, device=CPU))
    cut = run_trial(pieces, 3, data=data, checkpoints=tmp_path, device=CPU)
    assert cut.step == 0
    head = [next(cut)]
    cut.save(1)
    rest = run_trial(pieces, 3, data=data, checkpoints=tmp_path, device=CPU)
    assert metrics(head) + metrics(rest) == expected
    assert expected != metrics(run_trial(whole, 3, data=data, device=CPU))


KEPT = {
    "ema": {"average.name": "ema", "average.decay": 0.9},
    "swa": {"average.name": "swa", "average.start": 0.5, "average.every": 0.2},
    "bf16": {"train.precision": "bf16"},
    "stopped": {"train.patience": 1, "optim.lr": 0.5, "schedule.name": "constant", "train.reports": 6},
    "again": {"train.checkpointing": True},
}


@pytest.mark.parametrize("recipe", KEPT)
def test_what_a_training_leaves_is_what_it_reported_whatever_its_recipe(recipe: str, home: Home, tmp_path: Path):
    made = config("lenet" if recipe == "bf16" else "resnet", **KEPT[recipe])  # others are slow in it
    data = home.data / "digits"
    whole = run_trial(made, 3, data=data, device=CPU)
    expected = metrics(whole)
    first = run_trial(made, 3, data=data, checkpoints=tmp_path, device=CPU)
    for _ in expected:
        next(first)
    first.save(len(expected))
    ended = run_trial(made, 3, data=data, checkpoints=tmp_path, device=CPU)
    assert metrics(ended) == []
    for run in (whole, ended):
        run.finish(tmp_path)
        net, facts = load_net(tmp_path, CPU)
        train = facts.config.train
        logits, labels = predict_split(net, run.prepared, "val", CPU, size=train.piece, precision=train.precision)
        loss = torch.nn.functional.cross_entropy(torch.from_numpy(logits).double(), torch.from_numpy(labels))
        assert loss.item() == pytest.approx(expected[-1][1]["val_loss"], rel=1e-6)


def test_half_precision_is_refused_on_the_cpu(home: Home):
    with pytest.raises(SpecError, match=r"train\.precision: fp16 trains on a GPU alone"):
        run_trial(config("lenet", **{"train.precision": "fp16"}), 0, data=home.data / "digits", device=CPU)


def test_every_report_says_what_memory_the_training_took(home: Home):
    taken = {}
    for width in (1.0, 16.0):
        run = run_trial(config("lenet", **{"model.width": width}), 0, data=home.data / "digits", device=CPU)
        memory = [record.measured["memory"] for record in run]
        assert memory == sorted(memory)
        taken[width] = memory[0]
    assert taken[16.0] > taken[1.0] + 20e6


def job(family: str, home: Home, tmp_path: Path, devices: int = 1, **fields: object) -> Job:
    made = config(family, **{"train.horizon": 0.5, "train.devices": devices})
    return Job(
        study="s",
        key=Key(trial=7),
        config=made.params(),
        seed=3,
        data=str(home.data / "digits"),
        checkpoints=str(tmp_path / "checkpoints"),
        artifacts=str(tmp_path / "artifacts"),
        log=str(tmp_path / "7.txt"),
        **fields,  # type: ignore[arg-type]
    )


def test_a_job_tells_its_log_how_far_it_is(home: Home, tmp_path: Path):
    made = job("resnet", home, tmp_path)
    first = open_job(made)
    next(first)
    first.save(1)
    again = open_job(made)
    list(iter(lambda: next(again).report, 3))
    again.finish()
    text = read(Path(str(made.log)))
    said = [line.split(": ", 1)[1] for line in text.splitlines()]
    assert said[0] == "begin with seed 3"
    assert said[1].startswith("report 1, step ")
    assert "val_accuracy 0." in said[1]
    assert said[2:4] == ["begin with seed 3", f"go on after step {first.begin().step}"]
    assert [line[:8] for line in said[4:]] == ["report 2", "report 3", "finished"]


def test_a_job_tells_its_joules_where_the_machine_does(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "powercap" / "intel-rapl:0"
    package.mkdir(parents=True)
    for name, text in (("name", "package-0"), ("max_energy_range_uj", str(10**9)), ("energy_uj", "0")):
        (package / name).write_text(text)
    counted = iter(range(0, 10**9, 100 * 10**6))
    monkeypatch.setattr(Domain, "joules", lambda _: next(counted) / 1e6)
    plain = open_job(job("resnet", home, tmp_path))
    record = next(plain)
    assert "joules_cpu" not in record.measured
    monkeypatch.setattr("isoflop.job.meter", partial(meter, place=package.parent))
    metered = next(open_job(job("resnet", home, tmp_path)))
    assert 0 < metered.measured["joules_cpu"] <= 100
    assert metered.measured.keys() - {"joules_cpu"} == record.measured.keys()
    assert metered.metrics == record.metrics


def test_the_energy_of_a_job_on_several_devices_is_that_of_all_its_processes(home: Home, tmp_path: Path):
    training = open_job(job("lenet", home, tmp_path, devices=2))
    team = training.begin()
    assert isinstance(team, Team)
    assert training._pids() == [os.getpid(), *team.pids()]
    assert len(training._pids()) == 3
    team.close()


def test_what_a_job_prints_and_how_it_fails_stands_in_its_log(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    from isoflop.models import registry

    registry.builder("lenet")
    monkeypatch.setattr(registry, "_BUILDERS", dict(registry._BUILDERS))

    @register("lenet")
    def broken(*_: object) -> object:
        print("building")  # noqa: T201
        raise LookupError("no such layer")

    made = job("lenet", home, tmp_path)
    with pytest.raises(LookupError, match="no such layer"):
        open_job(made)
    lines = read(Path(str(made.log))).splitlines()
    assert lines[1] == "building"
    assert lines[-1] == "LookupError: no such layer"
    assert any("in broken" in line for line in lines)
    assert capsys.readouterr().out == ""


def test_a_job_measures_a_latency_instead_of_training(home: Home, tmp_path: Path):
    training = open_job(job("resnet", home, tmp_path, measure=True, batch=4, passes=5))
    found = training.latency()
    assert found["latency"] > 0
    assert found["batch"] == 4
    assert found["passes"] > 5, "a second has time for more"
    assert "latency" in read(tmp_path / "7.txt")
    assert not (tmp_path / "checkpoints").exists()


def test_looking_at_a_training_changes_no_number_of_it(home: Home):
    made = config("resnet")
    plain = list(run_trial(made, 1, data=home.data / "digits"))
    seen = list(run_trial(made, 1, data=home.data / "digits", observe=True))
    assert [record.metrics for record in seen] == [record.metrics for record in plain]
    assert not any(record.observed for record in plain)
    assert all({"gradient", "gradient.head", "dead.stages.0"} <= set(record.observed) for record in seen)
