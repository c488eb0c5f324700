"""Configurations: values that are checked when made, one dotted key a setting, faults in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from isoflop.config import FIXED_BY_STUDY, SECTIONS, ModelConfig, TrialConfig, flatten, known_keys, nest, parse
from isoflop.errors import SpecError
from isoflop.study_spec import Constraint, Halving, Objective, StudySpec, seconds

BASE = {"model.family": "resnet", "data.name": "digits"}
WORD = st.sampled_from(["a", "b", "c", "lr", "long_name"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
SECTION = st.dictionaries(WORD, SCALARS, min_size=1, max_size=3)


def config(**more: Any) -> TrialConfig:
    return TrialConfig.from_params({**BASE, **{key.replace("__", "."): value for key, value in more.items()}})


def faults(params: Mapping[str, Any]) -> list[str]:
    with pytest.raises(SpecError) as caught:
        TrialConfig.from_params({**BASE, **params})
    return [str(fault) for fault in caught.value.faults]


def study_faults(**study: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse(StudySpec, {"name": "s", **study}, "study")
    return [str(fault) for fault in caught.value.faults]


@given(
    tree=st.dictionaries(WORD, SCALARS | SECTION | st.dictionaries(WORD, SECTION, min_size=1, max_size=2), max_size=3)
)
def test_nest_undoes_flatten(tree: dict[str, Any]):
    assert nest(dict(flatten(tree))) == tree


@given(
    lr=st.floats(1e-6, 10),
    batch=st.integers(1, 512),
    block=st.sampled_from(["basic", "bottleneck"]),
    flip=st.booleans(),
    resolution=st.none() | st.integers(8, 1024),
)
def test_a_configuration_is_made_again_of_its_params(lr, batch, block, flip, resolution):
    made = config(
        optim__lr=lr, train__batch_size=batch, model__block=block, augment__flip=flip, model__resolution=resolution
    )
    again = TrialConfig.from_params(made.params())
    assert again == made
    assert again.params() == made.params()
    assert again.fingerprint("c") == made.fingerprint("c")


def test_params_name_every_setting():
    assert set(config().params()) == known_keys("resnet") | FIXED_BY_STUDY | {
        "data.name",
        "data.digest",
        "fused.members",
        "fused.place",
        "fused.seed",
    }


def test_a_configuration_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        config().optim.lr = 1.0  # type: ignore[misc]


def test_the_fingerprint_follows_each_setting_and_the_code():
    changed = [
        config(),
        config(optim__lr=0.2),
        config(train__threads=2),
        config(data__digest="d"),
        config(model__block="bottleneck"),
    ]
    prints = [one.fingerprint("c") for one in changed] + [config().fingerprint("other code")]
    assert len(set(prints)) == len(prints)
    assert config(optim__lr=0.1).fingerprint("c") == config().fingerprint("c")


def test_a_knob_has_its_familys_first_value_by_default():
    assert config().model.knob("block") == "published"
    assert config(model__block="bottleneck").model.knob("block") == "bottleneck"


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({"optim.lr": "1e-4x"}, "optim.lr: '1e-4x' is not a number; give a number"),
        ({"optim.lr": 0}, "optim.lr: 0 is too small; give more than 0"),
        ({"optim.lr": float("nan")}, "optim.lr: nan is not finite; give a finite number"),
        ({"optim.momentum": 1}, "optim.momentum: 1 is too large; give less than 1"),
        ({"schedule.final": 2}, "schedule.final: 2 is too large; give 1 or less"),
        ({"optim.lr": True}, "optim.lr: True is not a number; give a number"),
        ({"train.batch_size": 1.5}, "train.batch_size: 1.5 is not a whole number; give a whole number"),
        ({"augment.flip": "maybe"}, "augment.flip: 'maybe' is neither true nor false; write true or false"),
        ({"augment.policy": "randaug"}, "augment.policy: 'randaug' is not a legal value; did you mean 'randaugment'?"),
        ({"augment.resized_crop": 0}, "augment.resized_crop: 0 is too small; give more than 0"),
        (
            {"augment.policy": "trivialaugment", "augment.magnitude": 3},
            "augment.magnitude: the policy trivialaugment has none; leave it out, or follow randaugment or augmix",
        ),
        (
            {"augment.operations": 3},
            "augment.operations: the policy none has none; leave it out, or follow randaugment or augmix",
        ),
        (
            {"augment.policy": "augmix", "augment.magnitude": 11},
            "augment.magnitude: 11 is none of augmix; give 1 to 10",
        ),
        (
            {"augment.mix_chance": 0.5},
            "augment.mix_chance: there is nothing to mix; set mixup or cutmix, or leave it out",
        ),
        (
            {"augment.mixup": 0.2, "train.batch_size": 1},
            "augment: a batch of one image has nothing to mix with; make train.batch_size larger",
        ),
        ({"optim.name": "sdg"}, "optim.name: 'sdg' is not a legal value; did you mean 'sgd'?"),
        ({"train.axis": "epoch"}, "train.axis: 'epoch' is not a legal value; did you mean 'epochs'?"),
        ({"optim.lrr": 0.1}, "optim.lrr: unknown key; did you mean 'lr'?"),
        ({"optin.lr": 0.1}, "optin: unknown key; did you mean 'optim'?"),
        ({"optim": 3}, "optim: 3 is not a mapping; write key: value lines"),
        ({"data.name": "a/b"}, "data.name: 'a/b' is not a name; use up to 64 letters, digits, '.', '_' and '-', "),
        ({"model.family": "resnt"}, "model.family: unknown family 'resnt'; did you mean 'resnet'?"),
        ({"model.blok": "basic"}, "model.blok: resnet has no such setting; did you mean 'block'?"),
        (
            {"model.block": "big"},
            "model.block: 'big' is not a legal value of resnet; give one of: published, bottleneck, basic",
        ),
        ({"model.stem": 3}, "model.stem: 3 is not a legal value of resnet; give one of: 1, 2, 4"),
        ({"data.fraction": 0}, "data.fraction: 0 is too small; give more than 0"),
        ({"data.folds": 1}, "data.folds: 1 fold leaves nothing to train on; give 2 or more, or 0 for none"),
        ({"data.fold": 2}, "data.fold: there is no fold 2 of 0, counted from 0; set data.folds too"),
        ({"data.folds": 5, "data.fold": 5}, "data.fold: there is no fold 5 of 5, counted from 0; give 0 to 4"),
        (
            {"data.balance": 0.5, "curriculum.start": 0.5},
            "data.balance: 0.5 and a curriculum both decide which images a step sees; set data.balance: 0 or curric",
        ),
        ({"data.window": 9, "data.balance": 1}, "data.window: 9 reads in blocks, and balance or a curriculum anywhere"),
        ({"curriculum.by": "given"}, "curriculum.by: 'given' does not go with curriculum.given ''; set both, or nei"),
        ({"curriculum.given": "x"}, "curriculum.given: 'x' is no name of difficulties; give the 16 digits that "),
        ({"resize.stages": 1}, "resize.stages: 1 is too small; give 2 or more"),
        (
            {"resize.start": 0.5, "model.family": "vit"},
            "resize.start: vit takes images of one size alone; set resize.start: 1, or choose a convolutional family",
        ),
        (
            {"schedule.name": "exponential"},
            "schedule.final: an exponential schedule never comes to 0; give more than 0, say 0.01",
        ),
        (
            {"train.checkpointing": True, "train.freeze": True},
            "train.checkpointing: a frozen body keeps nothing that could be computed again; leave it out, or ",
        ),
        (
            {"train.checkpointing": True, "train.compile": True},
            "train.checkpointing: blocks that are computed again cannot be compiled; leave it out, or train.compile",
        ),
    ],
)
def test_a_fault_stands_under_its_key_with_the_remedy(params: dict[str, Any], line: str):
    (found,) = faults(params)
    assert found.startswith(line)


def test_every_fault_is_told_at_once():
    found = faults({"optim.lr": "x", "model.stem": 3, "model.blok": 1, "train.batch_size": 0, "loss.smoothing": 0.1})
    assert [line.split(":")[0] for line in found] == [
        "model.stem",
        "model.blok",
        "optim.lr",
        "loss.smoothing",
        "train.batch_size",
    ]


def test_what_is_missing_is_named():
    with pytest.raises(SpecError, match=r"^data: missing; give it a value$"):
        TrialConfig.from_params({"model.family": "vit"})


@pytest.mark.parametrize(
    ("study", "line"),
    [
        ({"objectives": ["val_acuracy"]}, "study.objectives.0.metric: 'val_acuracy' is not a legal value; did you m"),
        ({"objectives": []}, "study.objectives: [] has too few values; give at least 1"),
        ({"objectives": ["flops"] * 5}, "study.objectives: ['flops', 'flops', 'flops', 'flops', 'flops'] has too many"),
        ({"objectives": "val_loss"}, "study.objectives: 'val_loss' is not a list; write it in [ ]"),
        ({"objectives": [3]}, "study.objectives.0: 3 is not a mapping"),
        ({"constraints": ["flops <= -1"]}, "study.constraints.0.bound: '-1' is too small; give more than 0"),
        ({"constraints": ["flops < 1"]}, "study.constraints.0.sign: '<' is not a legal value; did you mean '<='?"),
        ({"constraints": ["flop <= 1"]}, "study.constraints.0.quantity: 'flop' is not a legal value; did you mean"),
        ({"constraints": ["flops 1"]}, "study.constraints.0: 'flops 1' is not a constraint; write it like 'param"),
        (
            {"constraints": ["flops <= 1", {"quantity": "flops", "sign": "<=", "bound": 1, "bund": 2}]},
            "study.constraints.1.bund: unknown key; did you mean 'bound'?",
        ),
        ({"budget": {"time": "20 min"}}, "study.budget.time: '20 min' is not a duration; write 90s, 20m, 2h or 1d"),
        ({"budget": {"time": 20}}, "study.budget.time: '20' is not a duration; write 90s, 20m, 2h or 1d"),
        ({"budget": {"trails": 3}}, "study.budget.trails: unknown key; did you mean 'trials'?"),
        ({"halving": {"et": 3}}, "study.halving.et: unknown key; did you mean 'eta'?"),
        ({"halving": {"eta": 1}}, "study.halving.eta: 1 is too small; give 2 or more"),
        ({"look_ahead": True}, "study.look_ahead: True is not a number; give a number"),
        ({"seed": 2**31}, "study.seed: 2147483648 is too large; give less than 2147483648"),
        ({"data": 3}, "study.data: 3 is not text; put it in quotes"),
        ({"fidelity": {"reports": 8}}, "study.fidelity.reports: 8 has no room for 2 rungs of 1 in 3; give 9 or more"),
        ({"enqueue": [3]}, "study.enqueue.0: 3 is not a mapping"),
        ({"budgett": {}}, "study.budgett: unknown key; did you mean 'budget'?"),
    ],
)
def test_a_studys_fault_stands_under_its_key_with_the_remedy(study: dict[str, Any], line: str):
    (found,) = study_faults(**study)
    assert found.startswith(line)


@pytest.mark.parametrize(
    ("metric", "direction"),
    [("val_accuracy", "maximize"), ("val_loss", "minimize"), ("flops", "minimize"), ("parameters", "minimize")],
)
def test_a_metric_alone_has_the_direction_that_it_is_better_in(metric: str, direction: str):
    study = parse(StudySpec, {"name": "s", "objectives": [metric]})
    assert study.objectives == (Objective(metric=metric, direction=direction),)
    assert study.objectives[0].sign == (1 if direction == "maximize" else -1)


def test_a_constraint_is_read_and_measured():
    upper = Constraint.model_validate("parameters <= 1e6")
    assert (upper.quantity, upper.bound, str(upper)) == ("parameters", 1e6, "parameters <= 1e+06")
    assert upper.excess({"parameters": 1.5e6}) == 0.5
    assert upper.excess({"parameters": 1e6}) == 0
    lower = Constraint.model_validate("flops>=100")
    assert lower.excess({"flops": 50}) == 0.5
    assert lower.excess({"flops": 200}) < 0
    assert Constraint.model_validate(str(upper)) == upper


def test_a_study_is_made_again_of_its_plain_values():
    study = parse(StudySpec, {"name": "s", "constraints": ["flops <= 1e6"], "halving": None, "budget": {"time": "2h"}})
    assert parse(StudySpec, study.model_dump(mode="json")) == study


@pytest.mark.parametrize(
    ("reports", "halving", "rungs"),
    [(9, {}, (1, 3)), (27, {}, (3, 9)), (27, {"rungs": 3}, (1, 3, 9)), (8, {"eta": 2, "rungs": 1}, (4,))],
)
def test_rungs_lie_below_the_horizon(reports: int, halving: dict[str, int], rungs: tuple[int, ...]):
    study = parse(StudySpec, {"name": "s", "fidelity": {"reports": reports}, "halving": halving})
    assert study.rungs == rungs


def test_a_study_without_halving_has_no_rungs():
    assert parse(StudySpec, {"name": "s", "halving": None, "fidelity": {"reports": 1}}).rungs == ()
    assert Halving() == parse(StudySpec, {"name": "s"}).halving


@pytest.mark.parametrize(("text", "expected"), [("90s", 90), ("20m", 1200), ("1.5h", 5400), (" 2d ", 172800)])
def test_a_duration_is_read(text: str, expected: float):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "20", "m", "-3m", "0s", "1e3s", "20 m", "3w"])
def test_what_is_no_duration_is_refused(text: str):
    with pytest.raises(SpecError, match="is not a duration; write 90s"):
        seconds(text)


def test_known_keys_are_those_that_a_space_may_set():
    keys = known_keys()
    assert not keys & FIXED_BY_STUDY
    assert {key.split(".")[0] for key in keys} == set(SECTIONS)
    assert {f"model.{name}" for name in ModelConfig.model_fields} <= keys


@pytest.mark.parametrize(
    ("batch", "piece", "smaller"), [(64, None, 16), (64, 16, 4), (64, 6, 2), (64, 1, None), (3, None, 1), (8, 99, 2)]
)
def test_what_ran_out_of_memory_goes_on_with_a_quarter_of_the_images_at_once(
    batch: int, piece: int | None, smaller: int | None
):
    params = {"model.family": "lenet", "data.name": "x", "train.batch_size": batch, "train.micro_batch": piece}
    config = TrialConfig.from_params(params)
    found = config.halved()
    if smaller is None:
        assert found is None
        return
    assert found is not None
    assert found.params() == config.params() | {"train.micro_batch": smaller}
    assert found.fingerprint("code") != config.fingerprint("code")
