"""A scaling study for real, on small nets and the digits: killed, reported, tracked, and chosen from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.scaling_kills import CALM, KILLED, TREE, Toll, rampage
from isoflop import compound
from isoflop.bench import Bench
from isoflop.compound.spec import bases_of
from isoflop.errors import InputError
from isoflop.home import Home
from isoflop.journal.event import Kind
from isoflop.journal.history import History
from isoflop.journal.sqlite import SqliteJournal
from isoflop.planning.scaling.plan import ScalingPlan
from isoflop.spec import spec_from_tree
from isoflop.study import search
from tests.integration.test_cli import assert_refused, isoflop

KILLS = 2


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Toll]:
    folder = tmp_path_factory.mktemp("scaling")
    return Home(folder), rampage(folder, KILLS, seed=1)


@pytest.fixture(scope="module")
def home(done: tuple[Home, Toll]) -> Home:
    return done[0]


def test_a_killed_study_ends_as_an_undisturbed_one(done: tuple[Home, Toll]):
    _, toll = done
    assert len(toll.during) == KILLS
    assert not toll.harmed, toll


def test_predictions_stand_before_their_trainings(home: Home):
    events = SqliteJournal(home.journal).read(CALM)
    trials = History.fold(events).trials
    predicted = {key for key, trial in trials.items() if trial.forecast}
    assert {trials[key].source for key in predicted} == {"climb 3.5", "climb 4"}
    for key in predicted:
        own = [event for event in events if (event.trial, event.replicate) == (key.trial, key.replicate)]
        assert "forecast" in own[0].payload
        assert Kind.RECORD in {event.kind for event in own[1:]}


@pytest.mark.filterwarnings("ignore:The ``noload``")  # MLflow's own use of SQLAlchemy
def test_the_report_stands_in_the_state_folder_and_at_the_run(home: Home):
    from mlflow.tracking import MlflowClient

    names = {"scaling.json", "scaling.md", "profiles.svg", "climb.svg", "predicted.svg"}
    assert {file.name for file in home.reports(CALM).iterdir()} == names
    client = MlflowClient(f"sqlite:///{home.mlflow}")
    runs = client.search_runs(
        [e.experiment_id for e in client.search_experiments()], f"tags.`isoflop.study` = '{CALM}'"
    )
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    logged = {Path(file.path).name for file in client.list_artifacts(parent.info.run_id)}
    assert names <= logged


def test_ray_finds_the_same(home: Home, ray_cluster: None):
    bench = Bench(home=home, executor="ray")
    compound.scale(spec_from_tree(TREE, where="ray", name="ray"), study="on-ray", bench=bench)
    trees = [json.loads((home.reports(name) / "scaling.json").read_text()) for name in (CALM, "on-ray")]
    first, second = ({key: tree[key] for key in tree if key not in {"study", "measured"}} for tree in trees)
    assert first == second


def test_another_spec_for_a_study_that_stands_is_refused_before_shapes_are_solved(
    home: Home, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ScalingPlan, "courses", property(lambda _: pytest.fail("shapes are solved")))
    spec = spec_from_tree({**TREE, "space": {**TREE["space"], "augment.crop": 3}}, where="other", name="other")
    with pytest.raises(InputError, match=r"study calm: space.augment.crop: .*start a new study"):
        compound.scale(spec, study=CALM, bench=Bench(home=home, executor="inline"))


def test_a_budget_chooses_a_shape(home: Home):
    told = isoflop(home.path, "choose", KILLED, "--flops", "3e6", "--json")
    assert told.returncode == 0, told.stderr
    (row,) = json.loads(told.stdout)
    assert row["family"] == "resnet"
    assert 2.5e6 < row["flops"] <= 3e6
    assert row["error"]["low"] < row["error"]["value"] < row["error"]["high"]
    shown = isoflop(home.path, "choose", KILLED, "--flops", "3e6")
    assert "take resnet: isoflop describe resnet --depth " in shown.stdout
    assert "larger than all that was trained" not in shown.stdout
    assert "* larger than all that was trained" in isoflop(home.path, "choose", KILLED, "--flops", "1e7").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), ("no budget is given", "--flops")),
        (("--flops", "10"), ("its smallest size breaks the budget",)),
        (("--latency", "5"), ("its latency was not measured",)),
    ],
)
def test_a_budget_that_cannot_be_kept_is_one_line(home: Home, words: tuple[str, ...], told: tuple[str, ...]):
    assert_refused(isoflop(home.path, "choose", CALM, *words), *told)


def written(folder: Path, **scale: object) -> Path:
    study = {**TREE["study"], "scale": {**TREE["study"]["scale"], **scale}}
    path = folder / "scale.yaml"
    path.write_text(json.dumps({**TREE, "study": study}))
    return path


def test_a_dry_run_trains_nothing(home: Home, tmp_path: Path):
    before = SqliteJournal(home.journal).studies()
    told = isoflop(home.path, "scale", "--spec", written(tmp_path), "--largest", "5", "--dry-run")
    assert told.returncode == 0, told.stderr
    assert "trainings: 36, each 256 images long" in told.stdout
    assert "not varied: resolution, held fixed" in told.stdout
    assert SqliteJournal(home.journal).studies() == before


def test_a_budget_in_hours_becomes_images(home: Home, tmp_path: Path):
    spec = written(tmp_path)
    shown = [isoflop(home.path, "scale", "--spec", spec, "--budget", b, "--dry-run").stdout for b in ("1h", "2e12")]
    images = [float(text.partition("each ")[2].partition(" images")[0]) for text in shown]
    assert min(images) > 1000
    assert "training FLOPs: about 2e+12" in shown[1]


def test_bases_are_the_best_of_a_search_with_its_data_and_metric(home: Home):
    knobs = {"model.width": 0.125, "optim.lr": 0.05, "augment.flip": True}
    tree = {
        "space": {"model.family": "resnet", "model.depth": {"choice": [0.34, 0.5]}, **knobs},
        "study": {
            "data": "digits",
            "objectives": ["val_loss"],
            "fidelity": {"axis": "images", "horizon": 256, "reports": 1},
            "halving": None,
            "budget": {"trials": 2},
        },
    }
    searched = search(
        spec_from_tree(tree, where="base", name="base"), study="base", bench=Bench(home=home, executor="inline")
    )
    depth = searched.best.config["model.depth"]
    assert bases_of(searched, ["resnet"]) == {"resnet": {**knobs, "model.depth": depth}}
    told = isoflop(home.path, "scale", "resnet", "--base", "base", "--images", "256", "--dry-run")
    assert told.returncode == 0, told.stderr
    assert f"resnet: d{depth:g} w0.125 r8" in told.stdout
    assert_refused(isoflop(home.path, "scale", "vit", "--base", "base", "--dry-run"), "no COMPLETE trial of vit")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), ("names no family and no spec",)),
        (("resnett",), ("resnett", "did you mean 'resnet'")),
        (("resnet", "--set", "model.width"), ("--set", "is not KEY=VALUE")),
        (("resnet", "--budget", "soon"), ("--budget", "'soon' is no budget")),
        (("resnet", "--budget", "1e6"), ("--budget", "fewer than 1000")),
        (("resnet", "--largest", "3"), ("scale.predicted", "leaves 5 to predict from")),
        (("resnet", "--shares", "a,b"), ("--shares", "is no list of numbers")),
        (("resnet", "--base", "nowhere"), ("nowhere",)),
    ],
)
def test_what_cannot_be_scaled_is_one_line(home: Home, words: tuple[str, ...], told: tuple[str, ...]):
    assert_refused(isoflop(home.path, "scale", *words, "--dry-run"), *told)
