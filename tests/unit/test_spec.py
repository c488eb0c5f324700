"""Spec files: read whole, every fault at once with its key and the remedy, and a schema that agrees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import InputError, SpecError, UnknownError
from isoflop.families import families
from isoflop.schema import json_schema
from isoflop.space import Choice, Float, Int, SearchSpace, random_suggester
from isoflop.spec import Spec, load_spec, spec_from_tree

SHIPPED = sorted(Path(__file__).parents[2].glob("search_spaces/*.yaml"))
SCHEMA = jsonschema.Draft202012Validator(json_schema())


def made(space: dict[str, Any], **study: Any) -> Spec:
    return spec_from_tree({"space": {"model.family": "resnet", **space}, "study": study}, where="x.yaml", name="x")


def faults(space: dict[str, Any], **study: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        made(space, **study)
    return str(caught.value).splitlines()


def read(folder: Path, text: str) -> Spec:
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return load_spec(path)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_spec_is_whole(path: Path):
    spec = load_spec(path)
    header = path.read_text().split("space:")[0]
    assert spec.study.name == path.stem
    command = "search" if spec.study.scale is None else "scale --spec"
    assert f"isoflop {command} search_spaces/{path.name}" in header
    assert "Time:" in header
    assert "Result:" in header
    assert not list(SCHEMA.iter_errors(yaml.safe_load(path.read_text())))
    for name in spec.space.families():
        params = spec.space.default(name)
        assert spec.space.contains(params)
        assert spec.space.config(params, study=spec.study, data_digest="").model.family == name


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
@given(seed=st.integers(0, 2**32))
def test_a_shipped_spec_draws_legal_configurations(path: Path, seed: int):
    spec = load_spec(path)
    params = spec.space.sample(random_suggester(seed))
    assert spec.space.contains(params)
    assert spec.space.config(params, study=spec.study, data_digest="").params().items() >= params.items()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_spec_is_made_again_of_what_the_journal_keeps(path: Path):
    spec = load_spec(path)
    assert spec_from_tree(json.loads(json.dumps(spec.tree())), where="journal") == spec


def test_choices_that_are_no_text_survive_the_journal():
    branches = {
        "model.depth": {"choice": {1: {"augment.crop": {"int": [0, 2]}}, 2.5: None}},
        "model.stem": {"choice": {1: None, 2: {"optim.clip": 1.0}}},
        "augment.flip": {"choice": {True: {"optim.nesterov": False}, False: None}},
        "model.resolution": {"choice": {None: None, 32: {"schedule.final": 0.1}}},
    }
    spec = made(branches)
    assert [choice.values for choice in spec.space.dimensions if isinstance(choice, Choice)] == [
        [1.0, 2.5],
        [1, 2],
        [True, False],
        [None, 32],
    ]
    assert spec_from_tree(json.loads(json.dumps(spec.tree())), where="journal") == spec


def test_dotted_keys_and_sections_are_the_same():
    dotted = made({"optim.lr": {"float": [0.01, 0.1]}, "model.depth": 2, "train.batch_size": 32})
    nested = spec_from_tree(
        {
            "space": {
                "model": {"family": "resnet", "depth": 2},
                "optim": {"lr": {"float": [0.01, 0.1]}},
                "train": {"batch_size": 32},
            },
            "study": None,
        },
        where="x.yaml",
        name="x",
    )
    assert nested.space == dotted.space
    assert nested.study == dotted.study


def test_each_form_is_read():
    spec = made(
        {
            "optim.lr": {"float": ["1e-4", 1], "log": True},
            "optim.momentum": {"float": [0.5, 0.9], "step": "1e-1"},
            "augment.crop": {"int": [0, 4], "step": 2},
            "train.batch_size": {"int": [16, 128], "log": True},
            "optim.weight_decay": {"choice": ["1e-4", 0]},
            "loss.label_smoothing": "1e-1",
        }
    )
    assert spec.space == SearchSpace(
        dimensions=(
            Float(key="optim.lr", low=1e-4, high=1.0, log=True),
            Float(key="optim.momentum", low=0.5, high=0.9, step=0.1),
            Int(key="augment.crop", low=0, high=4, step=2),
            Int(key="train.batch_size", low=16, high=128, log=True),
            Choice(key="optim.weight_decay", options={1e-4: SearchSpace(), 0.0: SearchSpace()}),
        ),
        fixed={"model.family": "resnet", "loss.label_smoothing": 0.1},
    )


def test_conditionals_are_nested_under_the_choice_that_enables_them():
    family = {"choice": {"resnet": {"model.block": {"choice": ["basic", "bottleneck"]}}, "vit": {"model.stem": 7}}}
    space = made({"model.family": family}).space
    assert space.families() == ("resnet", "vit")
    assert space.default("resnet") == {"model.family": "resnet", "model.block": "basic"}
    assert space.default("vit") == {"model.family": "vit"}
    assert space.fixed_by({"model.family": "vit"}) == {"model.stem": 7}


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("optim.lr", "1e-4x", "optim.lr: '1e-4x' is not a number; give a number"),
        ("optim.lr", [1, 2], "optim.lr: [1, 2] is not a number"),
        ("optim.lr", None, "optim.lr: None is not a number"),
        ("optim.lr", {"choice": ["1e-4", "fast"]}, "optim.lr.choice: 'fast' is not a number"),
        ("optim.lr", {"choice": []}, "optim.lr.choice: is an empty range; write {choice: [a, b]}"),
        ("optim.lr", {"choice": "fast"}, "optim.lr.choice: 'fast' is not a list; write {choice: [a, b]}"),
        ("optim.lr", {"choice": [0.1, "1e-1"]}, "optim.lr.choice: 0.1 stands twice; remove one"),
        ("optim.lr", {"float": [0.1, 0.01]}, "optim.lr.float: [0.1, 0.01] is an empty range; give low below high"),
        ("optim.lr", {"float": [0.1, 0.1]}, "optim.lr.float: [0.1, 0.1] is an empty range"),
        ("optim.lr", {"float": [0.1]}, "optim.lr.float: [0.1] is not [low, high]; write {float: [0.001, 0.1]"),
        ("optim.lr", {"float": [0, 1]}, "optim.lr.float: 0 is too small; give more than 0"),
        ("optim.lr", {"float": [0.1, float("inf")]}, "optim.lr.float: inf is not finite"),
        ("optim.lr", {"flaot": [0.1, 1]}, "optim.lr: is no dimension (found flaot); write one of: {float: [0.001"),
        ("optim.lr", {"float": [0.1, 1], "int": [1, 2]}, "optim.lr: is no dimension (found float and int)"),
        ("optim.lr", {"float": [0.1, 1], "lgo": True}, "optim.lr.lgo: unknown key; did you mean 'log'?"),
        ("optim.lr", {"choice": [0.1], "log": True}, "optim.lr.log: unknown key"),
        ("optim.clip", {"float": [0, 1], "log": True}, "optim.clip.log: 0 has no logarithm; give a low above 0"),
        ("optim.clip", {"float": [1, 2], "log": "on"}, "optim.clip.log: 'on' is neither true nor false; write log"),
        ("optim.clip", {"float": [1, 2], "log": True, "step": 0.5}, "optim.clip.step: does not go with log; remove"),
        ("optim.clip", {"float": [0, 1], "step": 0}, "optim.clip.step: 0 is no step within [0, 1]"),
        ("optim.clip", {"float": [0, 1], "step": "x"}, "optim.clip.step: 'x' is no step within [0, 1]"),
        ("optim.clip", {"float": [0, 1], "step": 0.3}, "optim.clip.step: steps of 0.3 from 0 miss 1; end at 0.9"),
        ("augment.crop", {"int": [0, 4], "step": 1.5}, "augment.crop.step: 1.5 is not a whole number; give a whole"),
        ("augment.crop", {"int": [0, 4], "step": 3}, "augment.crop.step: steps of 3 from 0 miss 4; end at 3"),
        ("augment.crop", {"int": [0, 65]}, "augment.crop.int: 65 is too large; give 64 or less"),
        ("train.batch_size", {"float": [16, 64]}, "train.batch_size.float: this setting takes whole numbers; write"),
        ("train.batch_size", {"int": [16.5, 64]}, "train.batch_size.int: 16.5 is not a whole number"),
        ("train.batch_size", True, "train.batch_size: True is not a number"),
        ("model.depth", {"int": [0.5, 2]}, "model.depth.int: [0.5, 2] are not whole numbers; use float:"),
        ("optim.name", "sdg", "optim.name: 'sdg' is not a legal value; did you mean 'sgd'?"),
        ("optim.name", {"int": [0, 1]}, "optim.name.int: this setting has no range; write {choice: [a, b]}"),
        ("optim.nesterov", {"int": [0, 1]}, "optim.nesterov.int: this setting has no range"),
        ("model.stem", 3, "model.stem: 3 is not a legal value; give one of: 1, 2, 4"),
        ("model.stem", {"int": [1, 4]}, "model.stem.int: this setting has no range; write {choice: [1, 2, 4]}"),
        ("model.block", "basik", "model.block: 'basik' is not a legal value; did you mean 'basic'?"),
        ("optim.rl", 1, "optim.rl: unknown key; did you mean 'optim.lr'?"),
        ("model.blok", "basic", "model.blok: unknown key; did you mean 'model.block'?"),
        ("optim", 3, "optim: 3 is not a mapping; write keys such as optim.beta2"),
        ("optim", {"rl": 3}, "optim.rl: unknown key; did you mean 'optim.lr'?"),
        ("train.horizon", 9, "train.horizon: is decided by the study; set study.fidelity.horizon"),
        ("train", {"threads": 2}, "train.threads: is decided by the study; set study.resources.threads"),
        ("data.name", "digits", "data.name: is decided by the study; set study.data"),
        ("model.family", "resnt", "model.family: unknown family 'resnt'; did you mean 'resnet'?"),
        ("model.family", {"choice": ["resnt", "vit"]}, "model.family.choice: unknown family 'resnt'; did you mean"),
        (
            "model.family",
            {"choice": {"resnet": None, "vit": {"model.block": "basic"}}},
            "model.family.vit.model.block: is a setting of resnet alone; nest it under model.family: resnet",
        ),
        ("optim.name", {"choice": {"sgd": 3, "adamw": None}}, "optim.name.sgd: 3 is not a mapping; write key: value"),
        (
            "optim.name",
            {"choice": {"sgd": {"optim.name": "sgd"}, "adamw": None}},
            "optim.name.sgd.optim.name: stands at an outer level already; remove one of them",
        ),
    ],
)
def test_a_fault_of_a_space_stands_under_its_key_with_the_remedy(key: str, value: object, line: str):
    (found,) = faults({key: value})
    assert found.startswith(f"x.yaml: space.{line}")


@pytest.mark.parametrize(
    ("space", "line"),
    [
        ({"optim.lr": 0.1, "optim": {"lr": 0.2}}, "space.optim.lr: stands here already; remove one of them"),
        (
            {"model.family": {"choice": ["resnet", "vit"]}, "model.block": "basic"},
            "space.model.block: is a setting of resnet alone; nest it under model.family: resnet",
        ),
        (
            {"model.family": {"choice": ["resnet", "vit"]}, "model.stem": 7},
            "space.model.stem: 7 is not a legal value; give one of: 1, 2, 4",
        ),
        (
            {"optim.name": {"choice": {"sgd": {"optim.lr": 0.1}}}, "optim.lr": {"float": [0.1, 1]}},
            "space.optim.name.sgd.optim.lr: stands at an outer level already; remove one of them",
        ),
        (
            {
                "optim.name": {"choice": {"sgd": {"optim.lr": 0.1}, "adamw": None}},
                "schedule.name": {"choice": {"cosine": {"optim.lr": 0.2}, "constant": None}},
            },
            "space.optim.lr: is decided under optim.name and under schedule.name; nest one choice under the other",
        ),
    ],
)
def test_keys_that_fight_are_told(space: dict[str, Any], line: str):
    assert faults(space) == [f"x.yaml: {line}"]


def test_every_fault_of_both_parts_is_told_at_once():
    found = faults(
        {"model.stem": 3, "optim.lr": {"float": [1, 0.1]}, "optim.nam": "sgd", "train": {"horizon": 3}},
        budget={"trials": -1},
        seeed=3,
        constraints=["flops"],
    )
    assert [line.split(": ")[1] for line in found] == [
        "space.model.stem",
        "space.optim.lr.float",
        "space.optim.nam",
        "space.train.horizon",
        "study.budget.trials",
        "study.constraints.0",
        "study.seeed",
    ]


@pytest.mark.parametrize(
    ("tree", "lines"),
    [
        ([1], ["x: is not a mapping; write the parts space: and study:"]),
        ({"space": {"model.family": "vit"}}, ["x: study: missing; add the part study:"]),
        (
            {"space": {"model.family": "vit"}, "studdy": {}},
            ["x: studdy: unknown part; did you mean 'study'?", "x: study: missing; add the part study:"],
        ),
        (
            {"space": None, "study": {}},
            [f"x: space.model.family: missing; name one of: {', '.join(families())}"],
        ),
        ({"space": 3, "study": {}}, ["x: space: 3 is not a mapping; write key: value lines"]),
        ({"space": {"model.family": "vit"}, "study": 3}, ["x: study: 3 is not a mapping; write key: value lines"]),
    ],
)
def test_the_parts_of_a_spec_are_checked(tree: object, lines: list[str]):
    with pytest.raises(SpecError) as caught:
        spec_from_tree(tree, where="x", name="x")
    assert str(caught.value).splitlines() == lines


SPACE = {
    "model.family": {"choice": {"resnet": {"model.block": {"choice": ["basic", "bottleneck"]}}, "vit": None}},
    "model.depth": {"choice": [1, 2]},
    "optim.lr": {"float": [0.01, 0.1], "log": True},
    "optim.name": "sgd",
}


def test_what_is_enqueued_is_typed_as_the_space_is():
    rows = [{"optim": {"lr": "5e-2"}, "model.depth": 2}, {"model.family": "vit", "optim.name": "sgd"}]
    spec = made(SPACE, enqueue=rows)
    assert spec.study.enqueue == (
        {"optim.lr": 0.05, "model.depth": 2.0},
        {"model.family": "vit", "optim.name": "sgd"},
    )
    assert [spec.space.complete(row) for row in spec.study.enqueue] == [
        {"model.family": "resnet", "model.block": "basic", "model.depth": 2.0, "optim.lr": 0.05},
        {"model.family": "vit", "model.depth": 1.0, "optim.lr": 0.01},
    ]


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ({"optim.lr": 5}, "optim.lr: 5.0 is not in this space; it has: 0.01 to 0.1 log"),
        ({"optim.lr": "fast"}, "optim.lr: 'fast' is not a number; give a number"),
        ({"model.depth": 3}, "model.depth: 3.0 is not in this space; it has: 1.0, 2.0"),
        ({"optim.rl": 0.05}, "optim.rl: does not vary in this space; did you mean 'optim.lr'?"),
        ({"model.family": "lenet"}, "model.family: 'lenet' is not in this space; it has: resnet, vit"),
        ({"model.family": "vitt"}, "model.family: unknown family 'vitt'; did you mean 'vit'?"),
        (
            {"model.family": "vit", "model.block": "basic"},
            "model.block: does not vary here; choose another model.family",
        ),
        ({"model": {"family": "lenet"}}, "model.family: 'lenet' is not in this space; it has: resnet, vit"),
        ({"model.family": ["vit"]}, "model.family: unknown family ['vit']"),
        ({"model.family": "vit", "optim.lr": [0.1]}, "optim.lr: [0.1] is not a number; give a number"),
        ({"optim.name": "adamw"}, "optim.name: is fixed at 'sgd' in this space; leave it out"),
    ],
)
def test_what_is_enqueued_must_lie_in_the_space(row: dict[str, Any], line: str):
    (found,) = faults(SPACE, enqueue=[{}, row])
    assert found.startswith(f"x.yaml: study.enqueue.1.{line}")


SEVERAL: dict[str, Any] = {
    "model.family": {
        "choice": {
            "resnet": {"model.depth": {"choice": [0.5, 1.0]}},
            "vit": {"model.width": {"choice": [0.25, 0.5]}},
        }
    },
    "optim.name": {"choice": {"sgd": None, "adamw": None}},
}


def test_equal_flops_are_read_with_a_dimension_for_each_family():
    equal = made(SEVERAL, equal={"flops": "6e6", "families": {"vit": "depth"}}).study.equal
    assert equal is not None
    assert (equal.flops, equal.tolerance) == (6e6, 0.05)
    assert (equal.key("resnet"), equal.key("vit")) == ("model.width", "model.depth")
    assert equal.solved({"model.family": "vit", "model.depth": 0.3, "model.width": 0.25}) == {"model.depth": 0.3}
    tree = {"space": SEVERAL, "study": {"equal": {"flops": 6e6, "families": {"vit": "depth"}}}}
    assert not list(SCHEMA.iter_errors(tree))


@pytest.mark.parametrize(
    ("space", "study", "lines"),
    [
        (
            SEVERAL,
            {"equal": {"flops": 6e6}},
            ["x.yaml: space.model.width: is solved for vit by study.equal; leave it out, or let study."],
        ),
        (
            SEVERAL,
            {"equal": {"flops": 6e6, "by": "depth"}},
            ["x.yaml: space.model.depth: is solved for resnet by study.equal; "],
        ),
        (
            {"model.width": 0.5, "optim.name": {"choice": {"sgd": {"model.depth": 1.0}, "adamw": None}}},
            {"equal": {"flops": 6e6, "by": "depth"}},
            ["x.yaml: space.model.depth: is solved for resnet by study.equal; "],
        ),
        (
            {},
            {"equal": {"flops": 6e6, "families": {"vit": "depth"}}},
            ["x.yaml: study.equal.families.vit: is not in this space; it has: resnet"],
        ),
        (
            {},
            {"equal": {"flops": 6e6}, "constraints": ["parameters <= 1e6", "flops <= 5e6"]},
            ["x.yaml: study.constraints.1: flops <= 5e+06 holds for none of 6e+06 (study.equal); leave it out"],
        ),
        (
            {"model.variant": "18", "model.stem": 4, "model.weights": "resnet-18-01234567"},
            {"equal": {"flops": 6e6}},
            ["x.yaml: space.model.weights: fit one net alone, and study.equal solves model.width; leave them out, or "],
        ),
        (
            {},
            {"equal": {"flops": 6e6}, "enqueue": [{"model.width": 0.5}]},
            ["x.yaml: study.enqueue.0.model.width: is solved by study.equal; leave it out"],
        ),
        (
            {},
            {"equal": {"flops": 0, "by": "girth", "tolerance": 2, "families": {"vit": "stem"}, "flop": 1}},
            [
                "x.yaml: study.equal.flops: 0 is too small; give more than 0",
                "x.yaml: study.equal.by: 'girth' is not a legal value; ",
                "x.yaml: study.equal.families.vit: 'stem' is not a legal value; ",
                "x.yaml: study.equal.tolerance: 2 is too large; give 1 or less",
                "x.yaml: study.equal.flop: unknown key; did you mean 'flops'?",
            ],
        ),
        ({}, {"equal": {}}, ["x.yaml: study.equal.flops: missing; give it a value"]),
    ],
)
def test_what_does_not_go_with_equal_flops_is_told(space: dict[str, Any], study: dict[str, Any], lines: list[str]):
    found = faults(space, **study)
    assert len(found) == len(lines)
    for one, line in zip(found, lines, strict=True):
        assert one.startswith(line), one


def test_equal_flops_go_with_pretrained_weights_where_resolution_is_solved():
    spec = made(
        {"model.variant": "18", "model.stem": 4, "model.weights": "resnet-18-01234567"},
        equal={"flops": 6e8, "by": "resolution"},
        constraints=["flops <= 6.2e8"],
    )
    assert spec.study.equal is not None


def test_a_study_is_named_after_its_file(tmp_path: Path):
    assert read(tmp_path, "space: {model.family: vit}\nstudy: {}").study.name == "x"
    assert read(tmp_path, "space: {model.family: vit}\nstudy: {name: other}").study.name == "other"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1,", "x.yaml:1: is not a spec's YAML (expected the node content, but found '<stream end>'); mend that"),
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3: is not a spec's YAML ('a' stands twice); mend that line"),
        ("a: 1\n\tb: 2\n", "x.yaml:2: is not a spec's YAML (found character '\\t' that cannot start any token)"),
        ("a: &x 1\nb: *x\n", "x.yaml:2: is not a spec's YAML (aliases are not allowed)"),
        (
            "a: !!python/object/apply:os.getcwd []\n",
            "x.yaml:1: is not a spec's YAML (could not determine a constructor",
        ),
        ("? [1, 2]\n: 3\n", "x.yaml:1: is not a spec's YAML (a key must be one word)"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2: is not a spec's YAML (but found another document)"),
        ("a: \x07\n", "x.yaml: is not a spec's YAML (special characters are not allowed)"),
        ("a: " + "[" * 5000, "x.yaml:1: is not a spec's YAML (nested deeper than 40)"),
        ("", "x.yaml: is not a mapping; write the parts space: and study:"),
    ],
)
def test_what_is_not_plain_yaml_is_one_line(tmp_path: Path, text: str, line: str):
    with pytest.raises(SpecError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(line)
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_is_too_large_or_no_text_is_refused(tmp_path: Path):
    with pytest.raises(SpecError, match="is larger than 1,000,000 bytes"):
        read(tmp_path, "#" * 1_000_001)
    (tmp_path / "y.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="is no UTF-8 text; save it as UTF-8"):
        load_spec(tmp_path / "y.yaml")


def test_a_variant_may_be_written_as_the_number_that_it_is():
    tree = {"space": {"model.family": {"choice": {"resnet": {"model.variant": {"choice": [34, 18]}}}}}, "study": {}}
    space = spec_from_tree(tree, where="x", name="x").space
    assert space.default("resnet") == {"model.family": "resnet", "model.variant": "18"}
    found = {space.sample(random_suggester(seed))["model.variant"] for seed in range(20)}
    assert found == {"18", "34"}


def test_a_spec_that_is_not_there_is_told_with_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownError, match=r"^smoke: there is no such spec; name a YAML file with space: and study:$"):
        load_spec(Path("smoke"))
    (tmp_path / "search_spaces").mkdir()
    for name in ("smoke", "mixed"):
        (tmp_path / "search_spaces" / f"{name}.yaml").touch()
    for near in ("smoke", "smoke.yaml", "search_spaces/smok.yaml"):
        with pytest.raises(UnknownError, match=r"there is no such spec; did you mean 'search_spaces/smoke.yaml'\?"):
            load_spec(Path(near))
    with pytest.raises(UnknownError, match=r"is a folder; known: search_spaces/mixed.yaml, search_spaces/smoke.yaml"):
        load_spec(Path("search_spaces"))


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize(
    ("space", "study"),
    [
        ({"model": {"family": "vit", "depth": {"choice": [1, 2]}}}, {"objectives": ["val_loss"]}),
        (SPACE, {"constraints": ["flops <= 1e7"], "halving": None}),
        ({"model.family": {"choice": ["vit"]}, "optim": {"lr": {"float": ["1e-4", 1]}}}, {"budget": {"time": "2h"}}),
        ({"model.family": {"choice": {"vit": None, "resnet": {"model": {"block": "basic"}}}}}, {"enqueue": [{}]}),
    ],
)
def test_the_schema_takes_what_is_legal(space: dict[str, Any], study: dict[str, Any]):
    tree = {"space": space, "study": study}
    assert spec_from_tree(tree, where="x", name="x")
    assert not list(SCHEMA.iter_errors(tree))


@pytest.mark.parametrize(
    "tree",
    [
        {"space": {"model.family": "vit"}},
        {"space": {"model.family": "vit"}, "study": {}, "more": {}},
        {"space": {"model.family": "resnt"}, "study": {}},
        {"space": {"model.family": {"choice": ["resnt"]}}, "study": {}},
        {"space": {"model.family": {"choice": {"vit": {"optim.rl": 1}}}}, "study": {}},
        {"space": {"model.family": "vit", "optim.rl": 1}, "study": {}},
        {"space": {"model.family": "vit", "optim": {"rl": 1}}, "study": {}},
        {"space": {"model.family": "vit", "train.horizon": 3}, "study": {}},
        {"space": {"model.family": "vit", "optim.lr": {"flaot": [0.1, 1]}}, "study": {}},
        {"space": {"model.family": "vit", "optim.lr": {"float": [0.1]}}, "study": {}},
        {"space": {"model.family": "vit", "optim.lr": {"choice": []}}, "study": {}},
        {"space": {"model.family": "vit"}, "study": {"budgett": {}}},
        {"space": {"model.family": "vit"}, "study": {"objectives": ["accuracy"]}},
        {"space": {"model.family": "vit"}, "study": {"constraints": ["flops"]}},
        {"space": {"model.family": "vit"}, "study": {"halving": {"eta": 1}}},
    ],
)
def test_the_schema_refuses_what_loading_refuses(tree: dict[str, Any]):
    with pytest.raises(InputError):
        spec_from_tree(tree, where="x", name="x")
    assert list(SCHEMA.iter_errors(tree))
