"""Reports out of stored predictions against scikit-learn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as reference

from isoflop.evaluation.predictions import Predictions, load_predictions, save_predictions
from isoflop.evaluation.report import report_of
from isoflop.tasks import CLASSIFICATION, MULTILABEL

NAMES = ("ant", "bee", "cat", "dog")


def stored(tmp_path: Path, logits: np.ndarray, labels: np.ndarray) -> Predictions:
    task = MULTILABEL if labels.ndim == 2 else CLASSIFICATION
    path = save_predictions(tmp_path / "p.npz", logits, labels, split="val", data_digest="d", task=task)
    return load_predictions(path)


def test_a_report_is_scikit_learns_and_names_what_is_taken_for_what(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(4, 200, p=[0.6, 0.3, 0.1, 0.0])
    logits = rng.normal(size=(200, 4))
    logits[np.arange(200), labels] += 1
    logits[:, 3] -= 9  # a class that no image has and none is said to have
    found = report_of(stored(tmp_path, logits, labels), NAMES)
    json.dumps(found, allow_nan=False)
    known = reference.precision_recall_fscore_support(labels, logits.argmax(1), labels=range(4), zero_division=0)
    for name, values in zip(("precision", "recall", "f1", "images"), known, strict=True):
        assert [row[name] for row in found["classes"]] == pytest.approx(list(values))
    macro = reference.precision_recall_fscore_support(labels, logits.argmax(1), average="macro", zero_division=0)
    assert list(found["macro"].values()) == pytest.approx(list(macro[:3]))
    assert found["metrics"]["macro_f1"] == pytest.approx(found["macro"]["f1"])
    matrix = reference.confusion_matrix(labels, logits.argmax(1))
    assert {(a, b): n for a, b, n in found["confusion"]} == {(a, b): matrix[a, b] for a, b in np.argwhere(matrix)}
    first = found["confused"][0]
    off = matrix - np.diag(np.diag(matrix))
    assert off[NAMES.index(first["class"]), NAMES.index(first["said"])] == first["images"] == off.max()
    assert found["calibration"]["error"] == pytest.approx(found["metrics"]["ece"])
    assert sum(one["answers"] for one in found["calibration"]["bins"]) == found["images"] == 200


def test_a_report_of_several_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    labels = (rng.random((150, 4)) < [0.5, 0.3, 0.1, 0.0]).astype(np.uint8)
    logits = rng.normal(size=labels.shape) + 2.0 * labels - 1
    found = report_of(stored(tmp_path, logits, labels), NAMES)
    json.dumps(found, allow_nan=False)
    known = reference.precision_recall_fscore_support(labels, logits > 0, zero_division=0)
    for name, values in zip(("precision", "recall", "f1", "images"), known, strict=True):
        assert [row[name] for row in found["classes"]] == pytest.approx(list(values))
    assert found["classes"][3]["average_precision"] is None
    areas = [row["average_precision"] for row in found["classes"][:3]]
    assert found["metrics"]["map"] == pytest.approx(np.mean(areas))
    missed, wrong = (labels > 0) & (logits <= 0), (labels == 0) & (logits > 0)
    assert {(a, b): n for a, b, n in found["confusion"]} == {
        (a, b): n for a in range(4) for b in range(4) if (n := int((missed[:, a] & wrong[:, b]).sum()))
    }


def test_a_net_that_is_always_right_confuses_nothing(tmp_path: Path) -> None:
    found = report_of(stored(tmp_path, 9 * np.eye(4), np.arange(4)), NAMES)
    assert found["confused"] == []
    assert found["macro"] == {"precision": 1, "recall": 1, "f1": 1}


def test_names_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 classes do not fit"):
        report_of(stored(tmp_path, np.eye(4), np.arange(4)), NAMES[:2])
