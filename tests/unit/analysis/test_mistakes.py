"""Where a run goes wrong, on answers made up by hand and against scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import confusion_matrix, recall_score

from isoflop.analysis.mistakes import certainty, mistakes
from isoflop.analysis.slices import read_slices
from isoflop.errors import InputError
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
    slices = ["night" if place < 100 else None for place in range(300)]
    (row,) = mistakes(seeds, NAMES, slices=slices)["slices"]
    assert (row["name"], row["images"]) == ("night", 100)
    assert row["mean"] == pytest.approx(np.mean([one.hits[:100].mean() for one in seeds]))


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


def test_slices_are_read_by_key_or_place(tmp_path: Path) -> None:
    path = tmp_path / "slices.csv"
    path.write_text("image,slice\na.png,night\n2,rain\nelsewhere.png,snow\n1,\n")
    assert read_slices(path, ["a.png", "b.png", "c.png"]) == ["night", None, "rain"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,part\na.png,x\n", "no column slice"),
        ("image,slice\nz.png,x\n", "names no image"),
        (None, "cannot be read"),
    ],
)
def test_a_table_that_says_nothing_is_refused(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "slices.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_slices(path, ["a.png"])
