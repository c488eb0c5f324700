"""A training without labels repeats, and others begin with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from isoflop.cli import main
from isoflop.config import PretrainConfig, TrialConfig
from isoflop.errors import SpecError
from isoflop.home import VARIABLE, Home
from isoflop.pretraining import PretrainRun, pretrain
from isoflop.trial import TrialRun, run_trial
from isoflop.weights import About, listed

CPU = torch.device("cpu")
METHODS = ("simclr", "simmim")
FAMILIES: dict[str, dict[str, Any]] = {
    "resnet": {"model.depth": 0.5, "model.width": 0.125, "optim.lr": 0.05},
    "vit": {"model.stem": 2, "model.depth": 0.1, "model.width": 0.2, "optim.name": "adamw", "optim.lr": 2e-3},
}


def config(family: str = "resnet", **params: Any) -> TrialConfig:
    plain = {"data.name": "digits", "train.horizon": 0.4, "train.reports": 2, "augment.crop": 1}
    return TrialConfig.from_params({"model.family": family, **FAMILIES[family], **plain, **params})


def begun(
    home: Home, method: str, family: str = "resnet", checkpoints: Path | None = None, **params: Any
) -> PretrainRun:
    how = PretrainConfig.model_validate({"method": method})
    return pretrain(config(family, **params), how, 3, data=home.data / "digits", checkpoints=checkpoints, device=CPU)


def metrics(records: Any) -> list[tuple[int, dict[str, float]]]:
    return [(record.step, dict(record.metrics)) for record in records]


def left(run: PretrainRun, folder: Path) -> Path:
    list(run)
    (artifact,) = run.finish(folder)
    return Path(artifact.path)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", METHODS)
def test_it_repeats_and_goes_on_bit_for_bit(method: str, family: str, home: Home, tmp_path: Path):
    params = {"train.micro_batch": 40} if family == "vit" else {}
    whole = metrics(begun(home, method, family, **params))
    assert set(whole[0][1]) == {"train_loss", "val_loss", "lr"}
    first = begun(home, method, family, tmp_path, **params)
    head = [next(first)]
    first.save(1)
    torch.rand(3)
    rest = begun(home, method, family, tmp_path, **params)
    assert metrics(head) + metrics(rest) == whole


@pytest.mark.parametrize("method", METHODS)
def test_it_learns(method: str, home: Home):
    first, last = begun(home, method, **{"train.horizon": 3.0})
    assert last.metrics["val_loss"] < first.metrics["val_loss"]


@pytest.mark.parametrize("method", METHODS)
def test_what_it_leaves_is_a_body_that_others_begin_with(method: str, home: Home, tmp_path: Path):
    run = begun(home, method)
    path = left(run, tmp_path)
    assert left(begun(home, method), tmp_path / "again").name == path.name
    assert path.stem.startswith(f"resnet-{method}-")
    weights = load_file(path)
    assert all(key.startswith("body.") for key in weights)
    (row,) = listed(tmp_path)
    assert (row["method"], row["classes"], row["data"]) == (method, 0, run.prepared.digest)
    assert row["spent"] == run.fit.length.spent(run.step)
    origin = About.read(path).origin
    assert origin is not None
    assert origin.config["pretrain"]["method"] == method
    for freeze in (True, False):
        named = config(**{"model.weights": path.stem, "train.freeze": freeze, "model.drop_path": 0.1})
        tuned, fresh = (
            run_trial(made, 3, data=home.data / "digits", weights={path.stem: path}, device=CPU)
            for made in (named, config())
        )
        for key, value in tuned.net.state_dict().items():
            assert torch.equal(value, weights[key] if key in weights else fresh.net.state_dict()[key])
        next(tuned)
        changed = {
            key
            for key, value in tuned.net.state_dict().items()
            if key in weights and not torch.equal(value, weights[key])
        }
        assert bool(changed) is not freeze


class Flops(TorchDispatchMode):
    """Counts by torch's own formulas."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        self.count += formula(*args, **(kwargs or {}), out_val=out) if formula else 0
        return out


@pytest.mark.parametrize("method", METHODS)
def test_flops_are_those_of_body_and_head_for_every_view(method: str, home: Home):
    run = begun(home, method)
    images, _ = next(iter(run.fit.val.all(1)))
    run.net.eval()
    with Flops() as counter, torch.no_grad():
        run.net(images)
    assert counter.count == run.fit.length.flops


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({"train.freeze": True}, "train.freeze: true leaves nothing"),
        ({"distill.teacher": "resnet-run-01234567"}, "distill.teacher: .* knows labels"),
        ({"adversary.name": "pgd"}, "adversary.name: pgd attacks"),
        ({"train.devices": 2}, "train.devices: 2: a pretraining has one device alone"),
        ({"fused.members": 2}, "fused.members: 2: pretrainings cannot be fused"),
    ],
)
def test_what_makes_no_sense_without_labels_is_refused(params: dict[str, Any], line: str, home: Home):
    with pytest.raises(SpecError, match=line):
        begun(home, "simclr", **params)


def isoflop(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    """The command line in this process, which has torch already; its exit code."""
    monkeypatch.setattr(sys, "argv", ["isoflop", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(str(caught.value.code))


def test_the_command_goes_on_where_it_was_interrupted(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    place = tmp_path / "home"
    monkeypatch.setenv(VARIABLE, str(place))
    settings = ("model.width=0.125", "model.depth=0.5", "pretrain.method=simmim", "train.batch_size=128")
    words = [
        "pretrain",
        "resnet",
        "--data",
        home.data / "digits",
        "--epochs",
        "2",
        *(w for s in settings for w in ("--set", s)),
    ]
    assert isoflop(monkeypatch, *words) == 0
    whole = capsys.readouterr()
    assert len(whole.err.splitlines()) == 2
    (path,) = (place / "weights").iterdir()
    path.unlink()

    def killed(run: TrialRun, report: int) -> Path:
        saved(run, report)
        raise KeyboardInterrupt

    saved = TrialRun.save
    with monkeypatch.context() as patch:
        patch.setattr(TrialRun, "save", killed)
        assert isoflop(monkeypatch, *words) == 130
    assert not path.exists()
    assert isoflop(monkeypatch, *words) == 0
    again = capsys.readouterr()
    assert again.out == whole.out
    assert "go on after step" in again.err
    assert path.exists()
    assert not any((place / "pretraining").iterdir())


@pytest.mark.parametrize(
    "mistake",
    [
        (("--set", "model.width"), 2, "'model.width' is not KEY=VALUE"),
        (("--set", "model.widht=2"), 2, "did you mean 'model.width'?"),
        (("--set", "optim.lr=x"), 2, "--set optim.lr: 'x' is not a number"),
        (("--set", "pretrain.mask=1.5"), 2, "pretrain.mask"),
        (("--set", "train.freeze=true"), 2, "train.freeze: true leaves nothing"),
        (("--epochs", "0.001"), 1, "fewer than its 1 reports"),
    ],
)
def test_mistakes_are_one_line(
    mistake: tuple[tuple[str, ...], int, str],
    home: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    words, code, line = mistake
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert isoflop(monkeypatch, "pretrain", "lenet", "--data", home.data / "digits", *words) == code
    (said,) = capsys.readouterr().err.splitlines()
    assert line in said
