"""Studies of one run for real, on small nets and the digits: ablated, interrupted, resumed, and cross-validated."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from isoflop import followup
from isoflop.answered import answered
from isoflop.bench import Bench
from isoflop.cli.app import app
from isoflop.config import TrialConfig, default_of
from isoflop.data import open_prepared
from isoflop.data.portion import POOL
from isoflop.errors import InputError, SpecError, UnknownError
from isoflop.evaluation.predictions import load_predictions
from isoflop.followup.ablation import ablation_plan, found
from isoflop.followup.subject import subject_of
from isoflop.followup.words import ablation_text
from isoflop.home import Home
from isoflop.journal.event import Event, Kind
from isoflop.journal.history import History
from isoflop.outcome import Study, load_study
from isoflop.records import Key, State
from isoflop.spec import spec_from_tree
from isoflop.statistics import interval
from isoflop.study import finalists, resume, search
from isoflop.study_spec import Objective
from isoflop.trial import run_trial
from tests.made_up import Writer

TREE: dict[str, Any] = {
    "space": {
        "model.family": {"choice": ["lenet"]},
        "model.stem": 1,
        "model.width": {"choice": [0.5, 1.0, 2.0]},
        "optim.lr": {"float": [1e-3, 0.1], "log": True},
        "optim.name": {"choice": {"adamw": {}, "sgd": {"optim.momentum": {"choice": [0.0, 0.9]}}}},
    },
    "study": {
        "data": "digits",
        "fidelity": {"horizon": 2, "reports": 2},
        "halving": None,
        "budget": {"trials": 2},
        "enqueue": [{"model.width": 2.0, "optim.lr": 0.01, "optim.name": "adamw"}],
        "finalists": {"top": 2, "seeds": 1},
    },
}


def bench(home: Home, *listeners: Any) -> Bench:
    return Bench(home=home, executor="inline", listeners=listeners)


@pytest.fixture(scope="module")
def run(home: Home) -> str:
    """A finalist of which two choices are not at their default."""
    searched = search(spec_from_tree(TREE, where="test", name="chosen"), bench=bench(home))
    final = finalists(searched.id, bench=bench(home))
    place = next(trial.number for trial in final.trials if trial.source.endswith("/1"))
    return f"{final.id}/{place}"


@pytest.fixture(scope="module")
def ablated(home: Home, run: str) -> Study:
    """Interrupted after two trainings, then gone on with."""
    ended = []

    def stop(event: Event) -> None:
        ended.append(event.kind is Kind.END)
        if sum(ended) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        followup.ablate(run, seeds=2, bench=bench(home, stop))
    study = f"{run.replace('/', '-')}-ablation"
    assert load_study(study, home=home.path).store.history(study).closed == {
        "state": "INTERRUPTED",
        "reason": "stopped",
    }
    return resume(study, bench=bench(home))


@pytest.fixture(scope="module")
def crossed(home: Home, run: str) -> Study:
    return followup.cross_validate(run, folds=3, bench=bench(home))


def report(study: Study) -> dict[str, Any]:
    reported = study.store.history(study.id).reported
    assert reported is not None
    found: dict[str, Any] = json.loads((study.store.home / reported["files"][0]).read_bytes())
    return found


def hits(study: Study, key: Key) -> np.ndarray:
    path = study.store.history(study.id).artifacts[key, "val_predictions"]["path"]
    return load_predictions(study.store.home / path).hits.astype(float)


def test_each_choice_is_set_back_alone_on_the_same_seeds(ablated: Study):
    tree = report(ablated)
    assert {row["key"]: (row["value"], row["default"]) for row in tree["choices"]} == {
        "model.width": (2.0, 1.0),
        "optim.lr": (0.01, default_of("optim.lr", "lenet")),
    }
    assert {one["key"]: one["why"][:9] for one in tree["untouched"]} == {
        "model.family": "is anothe",
        "optim.name": "is at its",
    }
    assert {trial.state for trial in ablated.trials} == {State.COMPLETE}
    by_trial = [[trial.seed for trial in ablated.trials if trial.number == number] for number in range(3)]
    assert by_trial == [tree["seeds"]] * 3


def test_its_seeds_were_never_seen(ablated: Study, run: str):
    final = load_study(run.rpartition("/")[0], home=ablated.store.home)
    before = {trial.seed for one in (final.id, "chosen-1") for trial in load_study(one, home=ablated.store.home).trials}
    assert not before & {trial.seed for trial in ablated.trials}


def test_gains_are_differences_on_the_same_seeds_and_images(ablated: Study):
    tree = report(ablated)
    for row in tree["choices"]:
        pairs = [
            hits(ablated, Key(trial=0, replicate=one)) - hits(ablated, Key(trial=row["trial"], replicate=one))
            for one in range(2)
        ]
        assert row["gain"]["mean"] == pytest.approx(np.mean(pairs))
        assert row["gain"]["low"] < row["gain"]["mean"] < row["gain"]["high"]
        assert 0 < row["p"] <= 1
        assert row["seeds"] == 2
    sizes = [abs(row["gain"]["mean"]) for row in tree["choices"]]
    assert sizes == sorted(sizes, reverse=True)


def test_the_test_set_stays_closed(home: Home, ablated: Study, crossed: Study, run: str):
    final = load_study(run.rpartition("/")[0], home=home.path)
    opened = {key: facts["metrics"] for key, facts in final.store.history(final.id).opened.items()}
    assert len(opened) == 2
    for study in (ablated, crossed):
        history = study.store.history(study.id)
        assert not history.opened
        assert {kind for _, kind in history.artifacts} == {"val_predictions", "val_report"}, (
            "no weights, so none can be"
        )
    assert final.store.openings() == {final.store.history(final.id).study["data"]["digest"]: 2}


def test_what_was_trained_is_not_trained_again(home: Home, ablated: Study, run: str):
    before = len(bench(home).journal.read(ablated.id))
    followup.ablate(run, seeds=2, bench=bench(home))
    kinds = [event.kind for event in bench(home).journal.read(ablated.id)][before:]
    assert kinds == [Kind.STUDY, Kind.REPORTED, Kind.CLOSED]
    starts = [event for event in bench(home).journal.read(ablated.id) if event.kind is Kind.START]
    assert len(starts) == 6


@pytest.mark.filterwarnings("ignore:The ``noload``")  # MLflow's own use of SQLAlchemy
def test_gains_are_logged_at_the_study_s_run(home: Home, ablated: Study, crossed: Study):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{home.mlflow}")
    every = [one.experiment_id for one in client.search_experiments()]
    for study, name, value in (
        (ablated, "gain.model.width.mean", next(r for r in report(ablated)["choices"] if r["key"] == "model.width")),
        (crossed, "folds.mean", report(crossed)),
    ):
        runs = client.search_runs(every, f"tags.`isoflop.study` = '{study.id}'")
        (parent,) = [one for one in runs if "mlflow.parentRunId" not in one.data.tags]
        known = value["gain"]["mean"] if "gain" in value else value["mean"]["mean"]
        assert parent.data.metrics[name] == pytest.approx(known)
        assert parent.data.tags["isoflop.parent"] == study.store.history(study.id).study["parent"]


def test_folds_are_those_of_the_configuration_alone(home: Home, crossed: Study):
    trial = crossed.trials[1]
    assert trial.config["data.fold"] == 1
    *_, last = run_trial(TrialConfig.from_params(trial.config), trial.seed, data=home.data_set("digits"))
    assert last.metrics == trial.records[-1].metrics
    tree = report(crossed)
    assert sum(row["images"] for row in tree["rows"]) == tree["images"] == 1527
    assert tree["values"][1] == last.metrics["val_accuracy"]


def test_the_mean_over_folds_is_as_unsure_as_folds_that_share_images(crossed: Study):
    tree = report(crossed)
    plain, wide = interval(tree["values"]), tree["mean"]
    assert wide["mean"] == pytest.approx(plain.mean)
    half = (plain.high - plain.low) / 2 * np.sqrt(1 + 3 / 2)
    assert wide["low"] == pytest.approx(plain.mean - half)
    assert wide["high"] == pytest.approx(min(1.0, plain.mean + half))


def judged(home: Home, run: str, metric: str, history: History) -> dict[str, Any]:
    """What an ablation would have found by another metric, or of another history."""
    subject = subject_of(run, bench(home))
    study = subject.spec.study.model_copy(update={"objectives": (Objective(metric=metric, direction="minimize"),)})
    if metric != "val_accuracy":
        subject = replace(subject, spec=replace(subject.spec, study=study))
    return found(subject, ablation_plan(subject, 2, bench(home)), history, bench(home))


def test_a_loss_is_judged_by_seeds_alone_and_less_is_better(home: Home, ablated: Study, run: str):
    history = ablated.store.history(ablated.id)
    tree = judged(home, run, "val_loss", history)
    assert tree["images"] is None
    for row in tree["choices"]:
        pairs = [
            history.trials[Key(trial=row["trial"], replicate=one)].value("val_loss")
            - history.trials[Key(trial=0, replicate=one)].value("val_loss")
            for one in range(2)
        ]
        assert row["gain"]["mean"] == pytest.approx(np.mean(pairs))
    assert "points" not in ablation_text(tree)
    assert "paired by seed alone" in ablation_text(tree)


def test_a_seed_that_was_lost_is_left_out_and_named(home: Home, ablated: Study, run: str):
    history = ablated.store.history(ablated.id)
    for replicate in range(2):
        key = Key(trial=1, replicate=replicate)
        history.trials[key] = replace(history.trials[key], state=State.FAILED, reason="diverged at step 3\nmore")
        tree = judged(home, run, "val_accuracy", history)
        (row,) = [one for one in tree["choices"] if one["trial"] == 1]
        assert row["seeds"] == 1 - replicate
        assert row["lost"] == "FAILED diverged at step 3"
        assert (row["gain"] is None) == (row["earned"] is None) == bool(replicate)
        assert f"{1 - replicate} of 2, FAILED diverged at step 3" in ablation_text(tree)
    assert tree["choices"][-1]["trial"] == 1, "what nothing is known of comes last"


def test_a_member_of_a_fused_program_is_studied_as_it_is_alone(home: Home, run: str):
    final = load_study(run.rpartition("/")[0], home=home.path)
    facts, trial = final.store.history(final.id).study, final.trials[0]
    named = {name: facts[name] for name in ("name", "plan", "spec", "data", "parent")}
    writer = Writer(bench(home).journal, "fused-finalists", **named)
    config = {**trial.config, "fused.members": 3, "fused.place": 1}
    writer.trial(0, [0.9], State.COMPLETE, config=config, params=dict(trial.params))
    subject = subject_of("fused-finalists/0", bench(home))
    assert ablation_plan(subject, 1, bench(home)).rows[0].proposal.config == trial.config


def test_errors_are_those_of_every_image_out_of_its_fold(home: Home, crossed: Study):
    whole = answered(f"{crossed.id}/0", "val", crossed.store)
    prepared = open_prepared(home.data_set("digits"))
    assert sorted(whole.keys) == sorted([*prepared.keys("train"), *prepared.keys("val")])
    labels = {key: prepared.split(split)[1][at] for split in POOL for at, key in enumerate(prepared.keys(split))}
    (joined,) = whole.predictions
    assert joined.labels.tolist() == [labels[key] for key in whole.keys]
    images = [int(mask.sum()) for mask in whole.slices(["brightness"], None, 3)["brightness"].values()]
    assert sum(images) == 1527
    assert max(images) - min(images) < 20


def test_slices_by_looks_are_those_of_the_images(home: Home, ablated: Study):
    whole = answered(f"{ablated.id}/1", "val", ablated.store)
    assert len(whole.predictions) == 2
    slicing = whole.slices(["brightness"], None, 2)["brightness"]
    pixels = open_prepared(home.data_set("digits")).split("val")[0]
    dark, light = slicing.values()
    assert pixels[dark].mean(axis=(1, 2, 3)).max() <= pixels[light].mean(axis=(1, 2, 3)).min()
    with pytest.raises(InputError, match="saturation is the same for all images"):
        whole.slices(["saturation"], None, 2)


def test_the_command_line_says_it_in_words_and_json(
    home: Home, ablated: Study, crossed: Study, run: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ISOFLOP_HOME", str(home.path))

    def said(*words: str) -> str:
        done = CliRunner().invoke(app, list(words), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    text = said("ablate", run, "--seeds", "2", "--executor", "inline")
    assert "| model.width | 2 | 1 |" in text
    assert "Not set back: optim.name adamw, is at its default." in text
    told = json.loads(said("ablate", run, "--seeds", "2", "--executor", "inline", "--json"))
    assert told == {"study": ablated.id} | report(ablated)
    assert "6 trainings on 2 seeds" in said("ablate", run, "--seeds", "2", "--dry-run")
    assert "mean of 3 of 3 folds" in said("resume", crossed.id, "--executor", "inline")
    told = json.loads(said("cross-validate", run, "--folds", "3", "--executor", "inline", "--json"))
    assert told["study"] == crossed.id


def test_what_cannot_be_studied_is_refused(home: Home, ablated: Study, run: str):
    at = bench(home)
    with pytest.raises(InputError, match="is no search and no finalists' study, but ablation"):
        followup.ablate(f"{ablated.id}/0", bench=at)
    with pytest.raises(UnknownError, match=r"has no COMPLETE training"):
        followup.cross_validate(f"{run.rpartition('/')[0]}/7", bench=at)
    with pytest.raises(InputError, match=r"has no choice that can be set back: model\.family is another net"):
        followup.ablate("chosen-1/0", bench=at)
    with pytest.raises(InputError, match="judged on validation alone"):
        finalists(ablated.id, bench=at)
    with pytest.raises(SpecError, match="1 fold leaves nothing to train on"):
        followup.cross_validate(run, folds=1, bench=at)
