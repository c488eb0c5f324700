"""Records, answers and weights held against others: the answer, and the first difference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isoflop.evaluation.predictions import Predictions, load_predictions, save_predictions
from isoflop.records import Record
from isoflop.reproduction.comparison import Answer, Comparison, compare, compare_answers, compare_weights, worst
from isoflop.tasks import MULTILABEL, USUAL, Kind


def record(report: int, **metrics: float) -> Record:
    place = {"step": 10 * report, "epoch": report / 2, "images": 640 * report, "flops": 1e6 * report}
    usual = {"val_accuracy": 0.5 + report / 10, "val_loss": 1 / report}
    return Record(report=report, fidelity=report / 2, metrics=usual | metrics, **place)  # type: ignore[arg-type]


RECORDS = tuple(record(report) for report in (1, 2, 3))


def test_equal_records_are_equal_whatever_was_measured():
    found = [replace(one, measured={"seconds": one.report}, observed={"dead": 0.5}) for one in RECORDS]
    comparison = compare(RECORDS, found, tolerance=0.0)
    assert (comparison.answer, comparison.reports, comparison.differences) == (Answer.EQUAL, 3, ())
    assert list(comparison.lines()) == []


def test_the_last_bit_counts_and_the_first_difference_is_named():
    off = math.nextafter(RECORDS[1].metrics["val_loss"], 1.0)
    found = [RECORDS[0], record(2, val_loss=off), record(3, val_accuracy=0.7999)]
    comparison = compare(RECORDS, found, tolerance=0.01)
    assert comparison.answer is Answer.WITHIN
    assert str(comparison.first) == f"report 2, val_loss: recorded 0.5, found {off!r}"
    assert comparison.largest is not None
    assert (comparison.largest.report, comparison.largest.metric) == (3, "val_accuracy")
    assert compare(RECORDS, found, tolerance=0.0).answer is Answer.DIFFERENT


@pytest.mark.parametrize(
    ("was", "now", "tolerance", "answer"),
    [
        (0.90, 0.89, 0.0101, Answer.WITHIN),
        (0.90, 0.89, 0.0099, Answer.DIFFERENT),
        (200.0, 201.0, 0.0051, Answer.WITHIN),  # relative above 1
        (200.0, 201.0, 0.0049, Answer.DIFFERENT),
        (0.5, math.nan, 1e9, Answer.DIFFERENT),
        (math.nan, math.nan, 0.0, Answer.EQUAL),
        (math.inf, math.inf, 0.0, Answer.EQUAL),
    ],
)
def test_the_tolerance_is_absolute_below_one_and_relative_above(
    was: float, now: float, tolerance: float, answer: Answer
):
    comparison = compare([record(1, x=was)], [record(1, x=now)], tolerance=tolerance)
    assert comparison.answer is answer


@pytest.mark.parametrize("name", ["step", "epoch", "images", "flops", "fidelity"])
def test_another_place_is_different_whatever_the_tolerance(name: str):
    moved = replace(RECORDS[0], **{name: getattr(RECORDS[0], name) + 1})
    comparison = compare(RECORDS[:1], [moved], tolerance=1e9)
    assert comparison.answer is Answer.DIFFERENT
    assert comparison.first is not None
    assert comparison.first.metric == name


def test_a_metric_that_is_gone_is_a_difference_and_a_new_one_is_none():
    less = replace(RECORDS[0], metrics={"val_accuracy": 0.6})
    assert compare([record(1)], [less], tolerance=1e9).answer is Answer.DIFFERENT
    assert compare([record(1)], [record(1, val_auroc=0.9)], tolerance=0.0).answer is Answer.EQUAL


class Asked(Iterator[Record]):
    """Counts what is asked of a training."""

    def __init__(self, *records: Record) -> None:
        self.left, self.count = iter(records), 0

    def __next__(self) -> Record:
        self.count += 1
        return next(self.left)


def test_no_more_is_trained_than_the_answer_needs():
    wrong = (record(1), record(2, val_loss=9.0), record(3, val_loss=9.0), record(4))
    stopped, whole = Asked(*wrong), Asked(*wrong)
    comparison = compare(RECORDS, stopped, tolerance=0.01)
    assert (stopped.count, comparison.answer, comparison.reports) == (2, Answer.DIFFERENT, 2)
    assert "stopped after report 2 of 3" in list(comparison.lines())[-1]
    comparison = compare(RECORDS, whole, tolerance=0.01, keep_going=True)
    assert (whole.count, comparison.answer, comparison.reports) == (3, Answer.DIFFERENT, 3)
    assert [one.report for one in comparison.differences] == [2, 3]


def test_a_training_that_ends_early_or_fails_is_different():
    assert compare(RECORDS, RECORDS[:2]).answer is Answer.DIFFERENT
    failed = Comparison(tolerance=1.0, wanted=3, reports=3, differences=(), failure="diverged")
    assert failed.answer is Answer.DIFFERENT
    assert list(failed.lines()) == ["failed after report 3: diverged"]


def stored(folder: Path, logits: np.ndarray, labels: np.ndarray, task: Kind = USUAL) -> Predictions:
    path = save_predictions(folder / "p.npz", logits, labels, split="val", data_digest="d", task=task)
    return load_predictions(path)


def test_answers_that_changed_are_counted(tmp_path: Path):
    generator = np.random.default_rng(0)
    logits, labels = generator.normal(size=(20, 3)).astype(np.float32), generator.integers(0, 3, 20)
    was = stored(tmp_path, logits, labels)
    assert compare_answers(was, stored(tmp_path, logits, labels)).equal
    other = logits.copy()
    other[[2, 7]] = np.roll(other[[2, 7]], 1, axis=1)
    found = compare_answers(was, stored(tmp_path, other, labels))
    assert (found.equal, found.images, found.changed) == (False, 20, 2)
    assert 0 < found.largest < 10
    assert compare_answers(was, stored(tmp_path, logits, (labels + 1) % 3)).largest == math.inf
    assert compare_answers(was, stored(tmp_path, logits[:, :2], labels % 2)).largest == math.inf


def test_of_several_labels_an_image_any_one_counts(tmp_path: Path):
    logits = np.array([[1.0, -1.0], [1.0, 1.0], [-1.0, -2.0]], np.float32)
    labels = (logits > 0).astype(np.uint8)
    other = logits * np.array([[1, 1], [1, -1], [2, 2]], np.float32)
    found = compare_answers(stored(tmp_path, logits, labels, MULTILABEL), stored(tmp_path, other, labels, MULTILABEL))
    assert (found.changed, found.largest) == (1, 2.0)


def test_weights_are_held_bit_by_bit():
    was = {"a": np.arange(3, dtype=np.float32), "b": np.ones((2, 2), np.float32), "n": np.array(3)}
    assert compare_weights(was, {name: one.copy() for name, one in was.items()}).equal
    bit = was | {"b": np.nextafter(was["b"], 2, dtype=np.float32)}
    found = compare_weights(was, bit)
    assert (found.equal, found.first, found.tensors) == (False, "b", 3)
    assert 0 < found.largest < 2e-7
    assert compare_weights(was, {"a": was["a"]}).largest == math.inf
    assert compare_weights(was, was | {"a": was["a"].astype(np.float64)}).largest == math.inf


def test_answers_and_weights_decide_on_bits_and_the_worst_answer_on_a_row(tmp_path: Path):
    whole = compare(RECORDS, RECORDS)
    logits, labels = np.eye(3, dtype=np.float32), np.arange(3)
    was = stored(tmp_path, logits, labels)
    moved = compare_answers(was, stored(tmp_path, 2 * logits, labels))
    assert replace(whole, answers=compare_answers(was, was)).answer is Answer.EQUAL
    assert replace(whole, answers=moved).answer is Answer.WITHIN
    assert replace(whole, weights=compare_weights({}, {"a": logits})).answer is Answer.DIFFERENT
    assert worst([Answer.EQUAL, Answer.DIFFERENT, Answer.WITHIN]) is Answer.DIFFERENT
    assert worst([Answer.EQUAL, Answer.WITHIN]) is Answer.WITHIN
