"""Stored predictions: what comes back, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isoflop.errors import StateError
from isoflop.evaluation.metrics import hits_of, metrics_of
from isoflop.evaluation.predictions import load_predictions, save_predictions
from isoflop.tasks import CLASSIFICATION, MULTILABEL


def case(seed: int = 0, images: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 5, (images, 10)).astype(np.float32), rng.integers(0, 10, images)


def test_what_was_stored_comes_back(tmp_path: Path) -> None:
    logits, labels = case()
    path = save_predictions(tmp_path / "val_predictions.npz", logits, labels, split="val", data_digest="abc")
    found = load_predictions(path)
    assert (found.split, found.data_digest, str(found.logits.dtype)) == ("val", "abc", "float16")
    assert (found.labels == labels).all()
    assert metrics_of(found.logits, found.labels) == pytest.approx(metrics_of(logits, labels), abs=2e-3)
    assert [item.name for item in tmp_path.iterdir()] == ["val_predictions.npz"]


def test_close_calls_survive_float16(tmp_path: Path) -> None:
    """Logits of 1000 and 1000.001 are one number in float16; less their maximum they are two."""
    logits = np.asarray([[1000.0, 1000.001], [1000.001, 1000.0]])
    labels = np.asarray([1, 0])
    assert not hits_of(logits.astype(np.float16), labels).all()
    path = save_predictions(tmp_path / "p.npz", logits, labels, split="test", data_digest="")
    assert load_predictions(path).hits.all()


def test_logits_beyond_float16_stay_finite(tmp_path: Path) -> None:
    path = save_predictions(tmp_path / "p.npz", np.asarray([[1e9, -1e9]]), np.zeros(1, int), split="t", data_digest="")
    assert np.isfinite(load_predictions(path).logits).all()


def test_independent_logits_keep_their_probabilities_and_their_signs(tmp_path: Path) -> None:
    """Less the largest of the image, logits of 3 and -2 would both say no."""
    logits = np.asarray([[3.0, -2.0], [1e-9, -1e-9], [1e9, 0.0]])
    labels = np.asarray([[1, 0], [1, 0], [1, 1]])
    path = save_predictions(tmp_path / "p.npz", logits, labels, split="val", data_digest="", task=MULTILABEL)
    found = load_predictions(path)
    assert found.task == MULTILABEL
    assert found.logits[0].tolist() == [3, -2]
    assert found.hits.tolist() == [True, True, False]
    assert np.isfinite(found.logits).all()
    assert (found.labels == labels).all()


def test_predictions_from_before_tasks_were_named_are_those_of_a_classification(tmp_path: Path) -> None:
    path = save_predictions(tmp_path / "p.npz", *case(), split="val", data_digest="d")
    with np.load(path) as file:
        content = {name: file[name] for name in file if name != "task"}
    with path.open("wb") as file:
        np.savez(file, **content)
    assert load_predictions(path).task == CLASSIFICATION


def test_the_same_predictions_are_the_same_bytes(tmp_path: Path) -> None:
    logits, labels = case()
    paths = [save_predictions(tmp_path / name, logits, labels, split="val", data_digest="d") for name in ("a", "b")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("keep", [0, 10, 500])
def test_a_torn_file_is_named(tmp_path: Path, keep: int) -> None:
    path = save_predictions(tmp_path / "p.npz", *case(), split="val", data_digest="d")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StateError, match=r"p\.npz"):
        load_predictions(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"gone\.npz"):
        load_predictions(tmp_path / "gone.npz")


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = save_predictions(tmp_path / "p.npz", *case(), split="val", data_digest="d")
    with np.load(path) as file:
        content = dict(file)
    content["labels"] = (content["labels"] + 1) % 10
    with path.open("wb") as file:
        np.savez(file, **content)
    with pytest.raises(StateError, match="not what was written"):
        load_predictions(path)


def test_a_save_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_predictions(tmp_path / "p.npz", *case(0), split="val", data_digest="d")
    before = path.read_bytes()
    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_predictions(path, *case(1), split="val", data_digest="d")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def full_disk(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")
