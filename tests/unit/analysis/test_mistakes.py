"""Where a run goes wrong, on answers made up by hand and against scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import confusion_matrix, recall_score
from statsmodels.stats.multitest import multipletests

from isoflop.analysis.mistakes import certainty, mistakes
from isoflop.effects import shortfalls
from isoflop.evaluation.predictions import Predictions, load_predictions, save_predictions
from isoflop.statistics import hits_interval
from isoflop.tasks import MULTILABEL

NAMES = ("cat", "dog", "fox")


def stored(folder: Path, logits: np.ndarray, labels: np.ndarray, **more: object) -> Predictions:
    return load_predictions(save_predictions(folder / "p.npz", logits, labels, split="val", data_digest="d", **more))  # type: ignore[arg-type]


@pytest.fixture
def seeds(tmp_path: Path) -> list[Predictions]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    return [stored(tmp_path, rng.normal(0, 1, (300, 3)) + 2 * np.eye(3)[labels], labels) for _ in range(2)]


def test_certainty_is_the_probability_of_the_truth(seeds: list[Predictions]) -> None:
    one = seeds[0]
    known = softmax(one.logits.astype(float), axis=1)[np.arange(300), one.labels]
    assert certainty(one) == pytest.approx(known)


def test_the_hardest_images_come_first(seeds: list[Predictions]) -> None:
    found = mistakes(seeds, NAMES, top=5)
    mean = np.mean([certainty(one) for one in seeds], axis=0)
    assert [row["image"] for row in found["hardest"]] == np.argsort(mean)[:5].tolist()
    first = found["hardest"][0]
    assert first["probability"] == pytest.approx(mean.min())
    assert first["missed"] == 2
    assert first["class"] == NAMES[seeds[0].labels[first["image"]]] != first["said"]
    assert first["confidence"] > first["probability"]


def test_classes_and_pairs_are_those_of_all_seeds(seeds: list[Predictions]) -> None:
    found = mistakes(seeds, NAMES)
    known = sum(confusion_matrix(one.labels, one.logits.argmax(axis=1)) for one in seeds)
    pairs = {(row["class"], row["said"]): row["answers"] for row in found["confused"]}
    assert pairs == {(NAMES[a], NAMES[b]): known[a, b] for a in range(3) for b in range(3) if a != b}
    assert list(pairs.values()) == sorted(pairs.values(), reverse=True)
    recall = np.mean([recall_score(one.labels, one.logits.argmax(axis=1), average=None) for one in seeds], axis=0)
    rows = {row["name"]: row for row in found["classes"]}
    assert [rows[name]["mean"] for name in NAMES] == pytest.approx(recall)
    hits = np.stack([one.hits for one in seeds])[:, seeds[0].labels == 1]
    assert rows["dog"]["low"] == hits_interval(hits).low
    assert [row["mean"] for row in found["classes"]] == sorted(row["mean"] for row in found["classes"])
    assert found["slices"] == []


def test_slices_hold_the_images_that_name_them(seeds: list[Predictions]) -> None:
    slices = {"light": {"night": np.arange(300) < 100, "nobody": np.zeros(300, dtype=bool)}}
    (row,) = mistakes(seeds, NAMES, slices=slices)["slices"]
    assert (row["by"], row["name"], row["images"]) == ("light", "night", 100)
    assert row["mean"] == pytest.approx(np.mean([one.hits[:100].mean() for one in seeds]))


def test_slices_are_worse_than_the_rest_by_a_test_corrected_for_all_of_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 400)
    logits = np.eye(3)[labels] + rng.normal(0, 0.25, (400, 3))
    dark, odd = np.arange(400) < 60, np.arange(400) % 2 == 1
    logits[dark] = rng.normal(0, 1, (60, 3))
    one = stored(tmp_path, logits, labels)
    found = mistakes([one], NAMES, slices={"light": {"dark": dark, "light": ~dark}, "place": {"odd": odd}})
    rows = {(row["by"], row["name"]): row for row in found["slices"]}
    assert list(rows) == [("light", "dark"), ("light", "light"), ("place", "odd")]
    assert {name: row["worse"] for (_, name), row in rows.items()} == {"dark": True, "light": False, "odd": False}
    raw = shortfalls(one.hits[None], [dark, ~dark, odd])
    assert [row["p"] for row in rows.values()] == pytest.approx(multipletests(raw, method="holm")[1])
    per_class = shortfalls(one.hits[None], [labels == place for place in range(3)])
    known = dict(zip(NAMES, multipletests(per_class, method="holm")[1], strict=True))
    assert {row["name"]: row["p"] for row in found["classes"]} == pytest.approx(known)


def test_a_slice_of_all_images_has_no_rest(seeds: list[Predictions]) -> None:
    (row,) = mistakes(seeds, NAMES, slices={"all": {"all": np.ones(300, dtype=bool)}})["slices"]
    assert row["p"] is None
    assert not row["worse"]


def test_several_labels_an_image_are_as_sure_as_their_worst_answer(tmp_path: Path) -> None:
    labels = np.asarray([[1, 0, 1], [0, 1, 0]])
    one = stored(tmp_path, np.asarray([[3.0, -3.0, 2.0], [-1.0, 4.0, 2.0]]), labels, task=MULTILABEL)
    found = mistakes([one], NAMES, top=2)
    assert [row["image"] for row in found["hardest"]] == [1, 0]
    assert found["hardest"][0] | {"probability": 0} == {
        "image": 1,
        "probability": 0,
        "missed": 1,
        "class": "dog",
        "said": "dog, fox",
        "confidence": None,
    }
    assert found["hardest"][0]["probability"] == pytest.approx(1 / (1 + np.exp(2)), rel=1e-3)
    assert found["confused"] == []
    assert {row["name"]: row["mean"] for row in found["classes"]} == {"cat": 1.0, "dog": 0.0, "fox": 1.0}
