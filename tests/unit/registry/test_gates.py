"""Gates as functions of stored answers: what passes, and what a refusal says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isoflop.evaluation.predictions import Predictions, load_predictions, save_predictions
from isoflop.registry.gates import Contestant, better_gate, reload_gate
from isoflop.reproduction.comparison import Answers
from isoflop.statistics import paired

LABELS = np.arange(200) % 2


def answered(folder: Path, right: np.ndarray, labels: np.ndarray = LABELS) -> Predictions:
    """Answers on 200 images, right where it is said."""
    path = folder / "answers.npz"
    logits = np.eye(2, dtype=np.float32)[labels ^ ~right]
    return load_predictions(save_predictions(path, logits, labels, split="test", data_digest="d1"))


def contestant(name: str, test: Predictions | None, digest: str = "d1") -> Contestant:
    return Contestant(name=name, run=f"s{name[-1]}-finalists/0", data_digest=digest, test=test)


def pair(folder: Path, only_ours: int, only_theirs: int) -> tuple[Contestant, Contestant]:
    """Two that differ on so many images, and are right on the others."""
    ours, theirs = np.ones(200, bool), np.ones(200, bool)
    theirs[:only_ours] = False
    ours[only_ours : only_ours + only_theirs] = False
    return contestant("m version 2", answered(folder, ours)), contestant("m version 1", answered(folder, theirs))


def test_a_lead_beyond_chance_passes_with_its_numbers(tmp_path: Path):
    gate = better_gate(*pair(tmp_path, 12, 2))
    p_value = paired(
        np.r_[np.ones(12, bool), np.zeros(2, bool)][None], np.r_[np.zeros(12, bool), np.ones(2, bool)][None]
    )
    assert (gate.name, gate.passed) == ("better", True)
    assert gate.why == (
        "m version 2 answers 99.00% of 200 test images rightly, m version 1 94.00%: +5.00 points, 12 images only it "
        f"has right and 2 only the champion, McNemar's p = {p_value:.3g}"
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "says"),
    [
        (5, 2, "+1.50 points, 5 images only it has right and 2 only the champion, McNemar's p = 0.453"),
        (0, 0, "+0.00 points, 0 images only it has right and 0 only the champion, McNemar's p = 1"),
        (2, 12, "-5.00 points, 2 images only it has right and 12 only the champion, McNemar's p = 0.0129"),
    ],
)
def test_a_lead_that_may_be_chance_is_refused_with_its_numbers(tmp_path: Path, ours: int, theirs: int, says: str):
    gate = better_gate(*pair(tmp_path, ours, theirs))
    assert not gate.passed
    assert gate.why.endswith(f"{says}; it must lead with p < 0.05")
    assert str(gate).startswith("gate better: REFUSED: m version 2 answers")


def test_other_data_are_refused_by_their_digests(tmp_path: Path):
    challenger, champion = pair(tmp_path, 12, 2)
    gate = better_gate(challenger, replace(champion, data_digest="d0"))
    assert not gate.passed
    assert "m version 2 is of data d1 and m version 1 of d0, so there are no test images in common" in gate.why


def test_without_answers_on_the_test_set_there_is_nothing_to_test(tmp_path: Path):
    challenger, champion = pair(tmp_path, 12, 2)
    for pairing, who in (
        ((replace(challenger, test=None), champion), "m version 2 has no stored answers on the test set"),
        ((challenger, replace(champion, test=None)), "m version 1 has no stored answers on the test set"),
    ):
        gate = better_gate(*pairing)
        assert not gate.passed
        assert gate.why.startswith(who)
    assert gate.why.endswith("run: isoflop finalists s1")


def test_other_labels_under_one_digest_are_refused(tmp_path: Path):
    challenger, _ = pair(tmp_path, 12, 2)
    other = contestant("m version 1", answered(tmp_path, np.ones(200, bool), 1 - LABELS))
    assert "images with other labels" in better_gate(challenger, other).why


@pytest.mark.parametrize(
    ("answers", "passed", "says"),
    [
        (Answers(equal=True, images=270, changed=0, largest=0.0), True, "answers all 270 images bit for bit as stored"),
        (
            Answers(equal=False, images=270, changed=0, largest=0.031),
            True,
            "answers 0 of 270 validation images otherwise than is stored, logits are off by up to 0.031",
        ),
        (
            Answers(equal=False, images=270, changed=1, largest=0.031),
            False,
            "answers 1 of 270 validation images otherwise than is stored, logits are off by up to 0.031; at most 0",
        ),
        (
            Answers(equal=False, images=270, changed=0, largest=0.5),
            False,
            "answers 0 of 270 validation images otherwise than is stored, logits are off by up to 0.5",
        ),
        (None, False, "has no stored answers on validation"),
    ],
)
def test_a_reloaded_model_answers_as_is_stored(answers: Answers | None, *, passed: bool, says: str):
    gate = reload_gate("m version 2", answers)
    assert (gate.name, gate.passed) == ("reload", passed)
    assert says in gate.why
