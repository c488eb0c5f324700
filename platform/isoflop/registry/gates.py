"""What a challenger must show before it becomes the champion: pure functions of stored answers, with their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from isoflop.evaluation.predictions import Predictions
from isoflop.reproduction.comparison import Answers
from isoflop.statistics import paired

LEVEL: Final = 0.05
"""The p-value that a challenger's lead must be below."""
LOGIT: Final = 0.05
"""How far a logit of a reloaded model may be off: float16, as answers are stored, has grains of 0.03 from 32 to 64."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """One gate: whether it opened, and why, with the numbers."""

    name: str
    passed: bool
    why: str

    def __str__(self) -> str:
        """In a line."""
        return f"gate {self.name}: {'passed' if self.passed else 'REFUSED'}: {self.why}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contestant:
    """A version with its stored answers on the test set, none where there are none."""

    name: str
    """The version in words."""
    run: str
    data_digest: str
    test: Predictions | None

    @property
    def finalists(self) -> str:
        """The search whose finalists it is of."""
        return self.run.rpartition("/")[0].removesuffix("-finalists")


def reload_gate(name: str, answers: Answers | None) -> Gate:
    """A model must answer as its training did once it was fetched from the store and loaded.

    `answers` is what it says on validation, held against what is stored: none where nothing is stored. The test set
    stays shut.
    """
    if answers is None:
        return Gate(name="reload", passed=False, why=f"{name} has no stored answers on validation to be held against")
    if answers.equal:
        return Gate(
            name="reload",
            passed=True,
            why=f"{name}, reloaded, answers all {answers.images} images bit for bit as stored",
        )
    why = (
        f"{name}, reloaded, answers {answers.changed} of {answers.images} validation images otherwise than is stored, "
        f"logits are off by up to {answers.largest:.3g}; at most 0 images and {LOGIT:g} may be"
    )
    return Gate(name="reload", passed=not answers.changed and answers.largest <= LOGIT, why=why)


def better_gate(challenger: Contestant, champion: Contestant) -> Gate:
    """A challenger must answer more test images rightly than the champion, by more than chance.

    Both are single nets on the same images, so the test is McNemar's exact one (`statistics.paired`), of stored
    answers: nothing is opened.
    """
    if challenger.data_digest != champion.data_digest:
        why = (
            f"{challenger.name} is of data {challenger.data_digest} and {champion.name} of {champion.data_digest}, so "
            "there are no test images in common; retrain the champion's recipe there, or register under another name"
        )
        return Gate(name="better", passed=False, why=why)
    for one in (challenger, champion):
        if one.test is None:
            why = f"{one.name} has no stored answers on the test set; run: isoflop finalists {one.finalists}"
            return Gate(name="better", passed=False, why=why)
    assert challenger.test is not None
    assert champion.test is not None
    return _tested(challenger, champion, challenger.test, champion.test)


def _tested(challenger: Contestant, champion: Contestant, ours: Predictions, theirs: Predictions) -> Gate:
    if not np.array_equal(ours.labels, theirs.labels):
        why = f"{challenger.name} and {champion.name} were tested on images with other labels, though the digest is one"
        return Gate(name="better", passed=False, why=why)
    a, b = ours.hits, theirs.hits
    p_value = paired(a[None], b[None])
    lead = float(a.mean() - b.mean())
    why = (
        f"{challenger.name} answers {a.mean():.2%} of {len(a)} test images rightly, {champion.name} {b.mean():.2%}: "
        f"{100 * lead:+.2f} points, {int((a & ~b).sum())} images only it has right and {int((b & ~a).sum())} only the "
        f"champion, McNemar's p = {p_value:.3g}"
    )
    passed = lead > 0 and p_value < LEVEL
    wanted = "" if passed else f"; it must lead with p < {LEVEL:g}"
    return Gate(name="better", passed=passed, why=why + wanted)
