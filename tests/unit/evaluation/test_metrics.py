"""Metrics against scikit-learn, and their corner cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from isoflop.evaluation import blocks, curves
from isoflop.evaluation.curves import auroc, average_precision
from isoflop.evaluation.metrics import calibration_error, confusion, log_softmax, metrics_of, top_accuracy


@pytest.fixture(params=[2, 5, 7, 10])
def case(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels of a net that is right more often than not, classes of unlike size."""
    rng, classes = np.random.default_rng(request.param), request.param
    labels = np.minimum(rng.geometric(0.4, 300) - 1, classes - 1)
    logits = rng.normal(0, 1.5, (300, classes))
    logits[np.arange(300), labels] += 2
    return logits.astype(np.float32), labels


def test_metrics_match_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    logits, labels = case
    classes, predicted = range(logits.shape[1]), logits.argmax(1)
    found = metrics_of(logits, labels)
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(labels, predicted))
    assert found["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(labels, predicted))
    assert found["macro_f1"] == pytest.approx(reference.f1_score(labels, predicted, average="macro", zero_division=0))
    probabilities = np.exp(log_softmax(logits))
    assert found["loss"] == pytest.approx(reference.log_loss(labels, probabilities, labels=list(classes)), rel=1e-6)
    known = reference.confusion_matrix(labels, predicted, labels=list(classes))
    assert confusion(logits, labels).tolist() == known.tolist()


def test_top_five_is_told_above_five_classes(case: tuple[np.ndarray, np.ndarray]) -> None:
    logits, labels = case
    classes, found = logits.shape[1], metrics_of(logits, labels)
    assert ("top5_accuracy" in found) == (classes > 5)
    if classes > 5:
        known = reference.top_k_accuracy_score(labels, logits, k=5, labels=list(range(classes)))
        assert found["top5_accuracy"] == pytest.approx(known)


@pytest.mark.parametrize("ties", [False, True])
def test_auroc_is_scikit_learns_one_against_the_rest(case: tuple[np.ndarray, np.ndarray], ties: bool) -> None:
    logits, labels = case
    logits = np.round(logits) if ties else logits
    probabilities = np.exp(log_softmax(logits))
    classes = range(logits.shape[1])
    known = [
        reference.roc_auc_score(labels == c, probabilities[:, c].round(12)) for c in classes if (labels == c).any()
    ]
    assert metrics_of(logits, labels, ["auroc"])["auroc"] == pytest.approx(np.mean(known), abs=1e-9)
    if len(known) == len(classes) > 2 and not ties:
        whole = reference.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
        assert metrics_of(logits, labels, ["auroc"])["auroc"] == pytest.approx(whole)


def test_an_area_counts_ties_half() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, positive = rng.integers(0, 5, 40).astype(float), rng.random(40) < 0.4
        assert auroc(scores, positive) == pytest.approx(reference.roc_auc_score(positive, scores))
        assert average_precision(scores, positive) == pytest.approx(reference.average_precision_score(positive, scores))


def test_an_area_needs_images_of_both_kinds() -> None:
    logits = np.random.default_rng(0).normal(size=(9, 3))
    assert "auroc" not in metrics_of(logits, np.zeros(9, int))
    found = metrics_of(logits, np.repeat([0, 1], [4, 5]), ["auroc"])["auroc"]
    probabilities = np.exp(log_softmax(logits))
    known = [reference.roc_auc_score(np.repeat([0, 1], [4, 5]) == c, probabilities[:, c]) for c in (0, 1)]
    assert found == pytest.approx(np.mean(known))


def test_a_split_of_several_blocks_is_measured_like_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(size=(500, 9)).astype(np.float32), rng.integers(0, 9, 500)
    whole = metrics_of(logits, labels)
    monkeypatch.setattr(blocks, "CELLS", 100)
    monkeypatch.setattr(curves, "BLOCK", 1200)
    assert metrics_of(logits, labels) == whole


def test_top_one_is_accuracy_also_between_equal_logits() -> None:
    logits, labels = np.zeros((6, 3)), np.asarray([0, 1, 2, 0, 1, 2])
    assert top_accuracy(logits, labels, 1) == metrics_of(logits, labels)["accuracy"] == pytest.approx(1 / 3)


def test_calibration_error_by_hand() -> None:
    """Two bins: confidence 0.9 with 3 of 4 right, confidence 0.6 with 0 of 1 right."""
    probabilities = np.asarray([[0.9, 0.1]] * 4 + [[0.6, 0.4]])
    found = calibration_error(np.log(probabilities), np.asarray([0, 0, 0, 1, 1]))
    assert found == pytest.approx((4 * 0.15 + 1 * 0.6) / 5)


def test_calibration_error_is_the_papers_sum_over_bins(case: tuple[np.ndarray, np.ndarray]) -> None:
    logits, labels = case
    probabilities = np.exp(log_softmax(logits))
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    total = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert calibration_error(logits, labels) == pytest.approx(total)


def test_a_net_sure_and_right_is_calibrated() -> None:
    assert calibration_error(np.eye(3) * 1e3, np.arange(3)) == pytest.approx(0.0)


def test_huge_logits_do_not_overflow() -> None:
    assert metrics_of(np.asarray([[1e30, -1e30], [0.0, 1e30]]), np.asarray([0, 1]))["loss"] == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_net_gone_wrong_has_no_loss(bad: float) -> None:
    found = metrics_of(np.asarray([[bad, bad], [0.0, 1.0]]), np.asarray([0, 1]))
    assert math.isnan(found["loss"])
    assert math.isnan(found["ece"])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="must fit"):
        metrics_of(np.zeros((3, 2)), np.zeros(2, dtype=int))
    with pytest.raises(ValueError, match="must fit"):
        metrics_of(np.zeros((0, 2)), np.zeros(0, dtype=int))
    with pytest.raises(ValueError, match="labels must lie"):
        metrics_of(np.zeros((2, 2)), np.asarray([0, 2]))
