"""Ranks, intervals, ties and data sets of the leaderboard."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from isoflop.errors import InputError
from isoflop.ranking import board, boards, columns
from isoflop.records import Result
from isoflop.table import heading, percents, quantity, shown
from isoflop.tasks import CLASSIFICATION, MULTILABEL, Kind

IMAGES = 400


def result(
    run: str, *, val: tuple[float, ...], test: tuple[float, ...] = (), flops: float = 1e6, digest: str = "d1"
) -> Result:
    values = {"val_accuracy": val, "val_loss": tuple(1 - v for v in val)}
    study, _, number = run.rpartition("/")
    return Result(
        run=run,
        study=study,
        trial=int(number),
        source=f"search-1/{int(number) + 10}",
        family="resnet",
        shape="d1 w1 r28 s1",
        parameters=123_456,
        flops=flops,
        data_digest=digest,
        seeds=tuple(range(len(val))),
        values=values | ({"test_accuracy": test} if test else {}),
    )


def hits_with(means: tuple[float, ...], images: int = IMAGES) -> np.ndarray:
    return np.asarray([np.arange(images) < round(mean * images) for mean in means])


def test_validation_picks_even_where_the_test_set_disagrees() -> None:
    rows = board(
        [
            result("f/0", val=(0.90, 0.90), test=(0.99, 0.99)),
            result("f/1", val=(0.95, 0.95), test=(0.80, 0.80)),
        ]
    )
    assert [(row["run"], row["rank"], row["picked"]) for row in rows] == [("f/1", 1, True), ("f/0", 2, False)]


def test_of_equals_the_cheaper_one_comes_first_and_nan_last() -> None:
    rows = board(
        [
            result("f/0", val=(math.nan,), flops=1),
            result("f/1", val=(0.9,), flops=3e6),
            result("f/2", val=(0.9,), flops=2e6),
        ]
    )
    assert [row["run"] for row in rows] == ["f/2", "f/1", "f/0"]
    assert rows[-1]["metrics"]["val_accuracy"]["mean"] is None


@pytest.mark.parametrize(
    ("fused", "lost", "cell"),
    [(False, 0, "2"), (True, 0, "2 fused"), (False, 1, "2 (+1 lost)"), (True, 1, "2 fused (+1 lost)")],
)
def test_a_row_tells_how_its_seeds_were_trained(fused: bool, lost: int, cell: str) -> None:
    (row,) = board([replace(result("f/0", val=(0.9, 0.9)), fused=fused, lost=lost)])
    assert columns(row)["seeds"] == cell


def test_a_row_tells_what_came_of_repeating_its_seeds() -> None:
    def verdict(answer: str, **more: object) -> dict[str, object]:
        return {"answer": answer, "tolerance": 0.01, **more}

    said = (verdict("equal"), None, verdict("within"), verdict("equal"), verdict("different", other_code=True))
    row = board([replace(result("f/0", val=(0.9,) * 5), verdicts=said)])[0]
    assert row["reproduced"] == list(said)
    assert columns(row)["reproduced"] == "2/5 bit for bit, 1/5 within 0.01, 1/5 DIFFERENT by other code"


def test_rows_are_strict_json_with_the_keys_of_the_contract() -> None:
    rows = board([replace(result("f/0", val=(0.9,)), counts={"COMPLETE": 3, "PRUNED": 9}, faults=("torn",))])
    row = json.loads(json.dumps(rows, allow_nan=False))[0]
    assert {"run", "study", "family", "parameters", "flops", "metrics", "tie_group", "data_digest"} <= set(row)
    assert row["metrics"]["val_accuracy"] == {"mean": 0.9, "low": None, "high": None, "seeds": 1, "images": None}
    assert row["counts"] == {"COMPLETE": 3, "PRUNED": 9}
    assert (row["search"], row["faults"]) == ("search-1", ["torn"])


def test_stored_hits_widen_the_interval_by_the_images() -> None:
    one = result("f/0", val=(0.9, 0.9, 0.9), test=(0.9, 0.9, 0.9))
    bare, full = board([one])[0], board([replace(one, hits={"test": hits_with((0.9, 0.9, 0.9))})])[0]
    assert bare["metrics"]["test_accuracy"]["low"] == pytest.approx(0.9)
    known = full["metrics"]["test_accuracy"]
    assert known["mean"] == pytest.approx(0.9)
    assert known["low"] == pytest.approx(0.8667, abs=1e-4)  # Wilson's for 360 of 400
    assert (known["seeds"], known["images"]) == (3, IMAGES)
    assert full["metrics"]["val_accuracy"]["images"] is None


def test_only_what_the_hits_tell_apart_is_in_another_group() -> None:
    tests = {"f/0": (0.99, 0.99), "f/1": (0.985, 0.985), "f/2": (0.80, 0.80)}
    bare = [result(run, val=test, test=test) for run, test in tests.items()]
    rows = board([replace(one, hits={"test": hits_with(one.values["test_accuracy"])}) for one in bare])
    assert {row["run"]: row["tie_group"] for row in rows} == {"f/0": 1, "f/1": 1, "f/2": 2}
    assert {(row["tie_group"], row["tie_split"]) for row in board(bare)} == {(1, "val")}


def test_two_data_sets_never_share_a_board() -> None:
    mixed = [result("f/0", val=(0.9,), digest="d1"), result("g/0", val=(0.8,), digest="d2")]
    with pytest.raises(InputError, match="2 data sets"):
        board(mixed)
    assert {digest: [row["rank"] for row in rows] for digest, rows in boards(mixed).items()} == {"d1": [1], "d2": [1]}


def test_an_empty_board_is_empty() -> None:
    assert board([]) == []
    assert boards([]) == {}


def test_a_row_reads_well() -> None:
    row = board([replace(result("f/0", val=(0.9, 0.92), flops=1_234_567), counts={"PRUNED": 9})])[0]
    assert columns(row) | {"val %": ""} == {
        "#": "1 *",
        "run": "f/0",
        "family": "resnet",
        "shape": "d1 w1 r28 s1",
        "params": "123 k",
        "FLOPs": "1.23 M",
        "searched": "-",
        "val %": "",
        "test %": "-",
        "tie": "1",
        "seeds": "2",
        "trials": "9 pruned",
        "reproduced": "-",
    }
    assert percents({"mean": 0.9861, "low": 0.977, "high": 0.9916}) == "98.61 [97.70, 99.16]"
    assert percents({"mean": None, "low": None, "high": None}) == "-"


def test_what_picked_a_finalist_stands_beside_what_it_earned() -> None:
    one = replace(result("f/0", val=(0.9, 0.92)), searched=0.9312, luck=0.00214)
    assert columns(board([one])[0])["searched"] == "93.12 (luck 0.21)"
    assert columns(board([replace(one, luck=None)])[0])["searched"] == "93.12"
    loss = replace(earned("f/0", CLASSIFICATION, "val_loss", val_loss=(0.3,)), searched=0.25)
    assert columns(board([loss])[0])["searched"] == "0.2500"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (999.9, "1.00 k"), (12_300, "12.3 k"), (4.5e7, "45.0 M"), (2e12, "2.00 T")],
)
def test_quantities_have_three_digits(value: float, text: str) -> None:
    assert quantity(value) == text


def earned(run: str, task: Kind, pick: str, **values: tuple[float, ...]) -> Result:
    return replace(result(run, val=(0.5, 0.5)), task=task, pick=pick, values=values)


def test_what_the_studies_picked_by_ranks_in_its_direction() -> None:
    values = {"f/0": (0.9, 0.3), "f/1": (0.8, 0.2)}
    both = [
        earned(run, CLASSIFICATION, "val_loss", val_accuracy=(accuracy,), val_loss=(loss,), test_loss=(loss,))
        for run, (accuracy, loss) in values.items()
    ]
    first, second = board(both)
    assert (first["run"], first["pick"], first["picked"], second["picked"]) == ("f/1", "val_loss", True, False)
    assert columns(first)["val loss"] == columns(first)["test loss"] == "0.2000"
    mixed = board([both[0], replace(both[1], pick="val_macro_f1")])
    assert {row["pick"] for row in mixed} == {"val_accuracy"}
    assert mixed[0]["run"] == "f/0"


def test_a_task_of_several_labels_is_ranked_by_its_own_metrics() -> None:
    hits = {"val": hits_with((0.6, 0.5))}
    one = earned("f/0", MULTILABEL, "val_map", val_map=(0.9, 0.8), val_exact_match=(0.6, 0.5), val_loss=(0.2, 1.3))
    row = board([replace(one, hits=hits)])[0]
    assert row["pick"] == "val_map"
    assert row["metrics"]["val_map"]["images"] is None
    assert row["metrics"]["val_map"]["high"] == 1.0
    assert row["metrics"]["val_loss"]["high"] > 1
    assert row["metrics"]["val_exact_match"]["images"] == IMAGES
    assert columns(row)["val map %"].startswith("85.00 [")


def test_columns_say_what_they_hold() -> None:
    assert [heading(name) for name in ("val_accuracy", "test_accuracy", "val_macro_f1", "test_loss")] == [
        "val %",
        "test %",
        "val macro f1 %",
        "test loss",
    ]
    assert shown({"mean": 0.5, "low": 0.4, "high": 0.6}, "loss") == "0.5000 [0.4000, 0.6000]"
    assert shown({"mean": 0.5, "low": None, "high": None}, "map") == "50.00"
    assert shown(None, "loss") == "-"
