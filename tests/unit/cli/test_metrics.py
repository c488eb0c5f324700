"""A training class by class, as a person reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from isoflop.cli.metrics import head, tail, worst
from isoflop.evaluation.predictions import load_predictions, save_predictions
from isoflop.evaluation.report import report_of
from isoflop.tasks import MULTILABEL

NAMES = [f"class {n}" for n in range(30)]


def report(tmp_path: Path, rate: float) -> dict[str, object]:
    """Of 300 images, the share `rate` of class 1's is taken for class 2."""
    labels = np.arange(300) % 30
    said = labels.copy()
    ones = np.flatnonzero(labels == 1)
    said[ones[: round(rate * len(ones))]] = 2
    path = save_predictions(tmp_path / "p.npz", 9 * np.eye(30)[said], labels, split="val", data_digest="d")
    return {"run": "s/0", **report_of(load_predictions(path), NAMES)}


def test_the_worst_class_and_what_it_is_taken_for_come_first(tmp_path: Path) -> None:
    found = report(tmp_path, 0.4)
    first, *_ = head(found)
    assert first == "s/0 on val: 300 images, classification"
    rows = worst(found, 20)
    assert len(rows) == 20
    assert rows[0] == {
        "class": "class 1",
        "images": 10,
        "said": 6,
        "precision": "100.0%",
        "recall": "60.0%",
        "f1": "75.0%",
    }
    assert rows[1]["class"] == "class 2"
    assert list(tail(found, 20)) == [
        "and 10 classes more, with an F1 as high or higher",
        "     4 x class 1 taken for class 2",
    ]
    assert any("accuracy 98.67%, " in line for line in head(found))
    assert any("loss 0." in line for line in head(found))


def test_a_net_that_is_right_confuses_nothing(tmp_path: Path) -> None:
    assert list(tail(report(tmp_path, 0.0), 30)) == ["no class was taken for another"]


def test_several_labels_have_an_average_precision_where_there_are_images(tmp_path: Path) -> None:
    labels = np.asarray([[1, 0], [0, 0]])
    path = save_predictions(tmp_path / "p.npz", 2.0 * labels - 1, labels, split="val", data_digest="d", task=MULTILABEL)
    rows = worst({"run": "s/0", **report_of(load_predictions(path), NAMES[:2])}, 2)
    assert [row["average precision"] for row in rows] == ["-", "100.0%"]
