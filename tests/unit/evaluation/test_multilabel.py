"""Metrics of several labels an image against scikit-learn, and their corner cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from isoflop.evaluation.multilabel import Several, exact_hits, multilabel_metrics


def case(seed: int = 0, classes: int = 6, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels of a net that is right more often than not; the last class is rare."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((200, classes)) < np.linspace(0.6, 0.03, classes)).astype(np.uint8)
    logits = (rng.normal(0, 1.5, labels.shape) + 2 * labels - 1).astype(np.float32)
    return (np.round(logits) if ties else logits), labels


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("classes", [1, 2, 6])
def test_metrics_match_scikit_learn(classes: int, ties: bool) -> None:
    logits, labels = case(classes, classes, ties=ties)
    found, said = multilabel_metrics(logits, labels), (logits > 0).astype(int)
    probabilities = 1 / (1 + np.exp(-logits.astype(float)))
    assert found["map"] == pytest.approx(reference.average_precision_score(labels, probabilities, average="macro"))
    assert found["auroc"] == pytest.approx(reference.roc_auc_score(labels, probabilities, average="macro"))
    f1 = {name: reference.f1_score(labels, said, average=name, zero_division=np.nan) for name in ("macro", "micro")}
    binary = reference.f1_score(labels, said, zero_division=np.nan) if classes == 1 else None
    assert found["macro_f1"] == pytest.approx(f1["macro"] if binary is None else binary)
    assert found["micro_f1"] == pytest.approx(f1["micro"] if binary is None else binary)
    assert found["exact_match"] == pytest.approx(reference.accuracy_score(labels, said))
    assert found["hamming_loss"] == pytest.approx(reference.hamming_loss(labels, said))
    losses = [reference.log_loss(labels[:, at], probabilities[:, at], labels=[0, 1]) for at in range(classes)]
    assert found["loss"] == pytest.approx(np.mean(losses))
    assert exact_hits(logits, labels).mean() == found["exact_match"]


def test_classes_that_nobody_has_are_left_out_of_means() -> None:
    logits, labels = case()
    labels[:, 2] = 0
    there = [0, 1, 3, 4, 5]
    found = multilabel_metrics(logits, labels)
    known = reference.average_precision_score(labels[:, there], logits[:, there], average="macro")
    assert found["map"] == pytest.approx(known)
    assert found["auroc"] == pytest.approx(reference.roc_auc_score(labels[:, there], logits[:, there], average="macro"))
    labels[:, 4] = 1
    there.remove(4)
    known = reference.roc_auc_score(labels[:, there], logits[:, there], average="macro")
    assert multilabel_metrics(logits, labels)["auroc"] == pytest.approx(known)


def test_what_no_class_has_is_left_out() -> None:
    nothing = multilabel_metrics(np.full((4, 2), -1.0), np.zeros((4, 2), np.uint8))
    assert set(nothing) == {"micro_f1", "exact_match", "hamming_loss", "loss", "ece"}
    assert nothing["exact_match"] == nothing["micro_f1"] == 1.0


def test_calibration_is_that_of_all_probabilities() -> None:
    """Probabilities of 0.9 that are right 3 times in 4, and of 0.3 that are right once in 2."""
    odds = np.log(np.asarray([9.0, 3 / 7]))
    logits, labels = (
        np.concatenate([np.full(4, odds[0]), np.full(2, odds[1])])[:, None],
        np.asarray([[1, 1, 1, 0, 1, 0]]).T,
    )
    assert multilabel_metrics(logits, labels)["ece"] == pytest.approx((4 * 0.15 + 2 * 0.2) / 6)


def test_huge_logits_do_not_overflow_and_nan_is_told() -> None:
    assert multilabel_metrics(np.asarray([[1e30, -1e30]]), np.asarray([[1, 0]]))["loss"] == 0.0
    found = multilabel_metrics(np.asarray([[math.nan, 1.0], [0.0, 1.0]]), np.asarray([[1, 0], [0, 1]]))
    assert math.isnan(found["loss"])
    assert math.isnan(found["ece"])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="must both be"):
        Several(np.zeros((3, 2)), np.zeros(3, dtype=int))
    with pytest.raises(ValueError, match="must be 0 or 1"):
        Several(np.zeros((1, 2)), np.asarray([[0, 2]]))
