"""PGD training raises accuracy under PGD (Madry et al. 2018, arXiv 1706.06083)."""

from __future__ import annotations

from typing import Any

from benchmarks.recipes.row import Lab, Row, compared
from isoflop.config import AdversaryConfig
from isoflop.trained import predict_attacked
from isoflop.trial import TrialRun

EPSILON = 0.1
NET: dict[str, Any] = {
    "model.family": "lenet",
    "model.width": 4.0,
    "data.name": "digits",
    "optim.name": "adamw",
    "optim.lr": 2e-3,
    "augment.crop": 1,
}
TRAINED: dict[str, Any] = {"adversary.name": "pgd", "adversary.epsilon": EPSILON, "adversary.steps": 4}
ASKED = AdversaryConfig(name="pgd", epsilon=EPSILON, steps=20)
"""A stronger attack than the one trained with."""


def adversarial(lab: Lab) -> Row:
    """Equal epochs: a step with four attacks costs 11 forward passes, not 3."""
    net = {**NET, "train.horizon": 8 if lab.quick else 20}
    pairs, clean = [], []
    for seed in lab.seeds:
        (plain, before), (robust, after) = (lab.trained(seed, {**net, **more}) for more in ({}, TRAINED))
        pairs.append((attacked(plain), attacked(robust)))
        clean.append((before, after))
    means = [sum(pair[place] for pair in clean) / len(clean) for place in (0, 1)]
    note = f"digits; PGD-20 within {EPSILON:g}; without attack {means[0]:.3f} and {means[1]:.3f}"
    return compared("PGD training", "accuracy under PGD", pairs, note)


def attacked(run: TrialRun) -> float:
    """Accuracy on attacked validation images."""
    logits, labels = predict_attacked(run.net, run.prepared, "val", run.device, size=256, adversary=ASKED)
    return float((logits.argmax(1) == labels).mean())
