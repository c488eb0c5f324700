"""Losses and class weights against torch, torchvision and scikit-learn on random inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax, one_hot
from torchvision.ops import sigmoid_focal_loss as reference_focal_loss

from isoflop.config import LossConfig
from isoflop.training.class_weights import effective, of_classes, of_presence
from isoflop.training.losses import sigmoid_focal_loss, sigmoid_loss, softmax_focal_loss, softmax_loss

CLASSES = 6
GENERATOR = torch.Generator().manual_seed(0)
OUTPUTS = 4 * torch.randn(50, CLASSES, generator=GENERATOR, dtype=torch.float64)
INDICES = torch.randint(0, CLASSES, (50,), generator=GENERATOR)
SOFT = torch.rand(50, CLASSES, generator=GENERATOR, dtype=torch.float64).softmax(1)
HOT = (torch.rand(50, CLASSES, generator=GENERATOR) < 0.3).to(torch.uint8)
WEIGHTS = torch.rand(CLASSES, generator=GENERATOR, dtype=torch.float64) + 0.5


@pytest.mark.parametrize("targets", [INDICES, SOFT], ids=["indices", "soft"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_cross_entropy_is_torchs(targets: Tensor, smoothing: float, weights: Tensor | None):
    known = cross_entropy(OUTPUTS, targets, weights, label_smoothing=smoothing, reduction="sum") / len(OUTPUTS)
    found = softmax_loss(OUTPUTS, targets, smoothing=smoothing, weights=weights)
    assert torch.allclose(found, known, rtol=1e-12)
    flat = softmax_focal_loss(OUTPUTS, targets, gamma=0.0, smoothing=smoothing, weights=weights)
    assert torch.allclose(flat, known, rtol=1e-12)


def test_the_focal_loss_over_a_softmax_is_the_papers():
    logs = log_softmax(OUTPUTS, 1).gather(1, INDICES[:, None])[:, 0]
    known = (-((1 - logs.exp()) ** 2.5) * logs).mean()
    assert torch.allclose(softmax_focal_loss(OUTPUTS, INDICES, gamma=2.5), known, rtol=1e-6)
    hot = one_hot(INDICES, CLASSES).double()
    assert torch.allclose(softmax_focal_loss(OUTPUTS, hot, gamma=2.5), known, rtol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("targets", [HOT, SOFT], ids=["hard", "soft"])
def test_the_focal_loss_over_sigmoids_is_torchvisions(gamma: float, targets: Tensor):
    known = reference_focal_loss(OUTPUTS, targets.double(), alpha=-1, gamma=gamma, reduction="mean")
    assert torch.allclose(sigmoid_focal_loss(OUTPUTS, targets, gamma=gamma), known, rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_binary_cross_entropy_is_torchs(smoothing: float):
    known = torch.nn.BCEWithLogitsLoss(pos_weight=WEIGHTS)(OUTPUTS, HOT.double() * (1 - smoothing) + smoothing / 2)
    assert torch.allclose(sigmoid_loss(OUTPUTS, HOT, smoothing=smoothing, weights=WEIGHTS), known)
    flat = sigmoid_focal_loss(OUTPUTS, HOT, gamma=0.0, smoothing=smoothing, weights=WEIGHTS)
    assert torch.allclose(flat, known)


@pytest.mark.parametrize("gamma", [0.3, 2.0])
def test_sure_answers_have_a_finite_gradient(gamma: float):
    for loss, targets in ((softmax_focal_loss, INDICES), (sigmoid_focal_loss, one_hot(INDICES, CLASSES))):
        for sign in (1, -1):
            sure = (sign * 200.0 * (2 * one_hot(INDICES, CLASSES) - 1)).requires_grad_()
            (gradient,) = torch.autograd.grad(loss(sure, targets, gamma=gamma), sure)
            assert torch.isfinite(gradient).all()


def test_balanced_weights_are_scikit_learns():
    labels = torch.tensor([0] * 50 + [1] * 10 + [2] * 3)
    found = of_classes(LossConfig(class_weights="balanced"), labels, 3)
    known = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    assert found is not None
    assert found.tolist() == pytest.approx(known.tolist())
    assert float(found[labels].mean()) == pytest.approx(1)
    assert of_classes(LossConfig(), labels, 3) is None


def test_effective_weights_are_the_papers():
    """Equation 4: weights are (1 - beta) / (1 - beta**n), with the sum of the number of classes."""
    labels, beta = torch.tensor([0] * 500 + [1] * 50 + [2] * 5), 0.99
    found = of_classes(LossConfig(class_weights="effective", beta=beta), labels, 3)
    plain = np.asarray([(1 - beta) / (1 - beta**n) for n in (500, 50, 5)])
    assert found is not None
    assert found.tolist() == pytest.approx((plain * 3 / plain.sum()).tolist())
    same = of_classes(LossConfig(class_weights="effective", beta=0.0), labels, 3)
    assert same is not None
    assert same.tolist() == [1, 1, 1]
    assert effective(torch.tensor([1.0]), 0.9).item() == pytest.approx(1)


def test_weights_of_presence_are_absent_over_present():
    labels = torch.zeros(100, 3, dtype=torch.uint8)
    labels[:20, 0] = labels[:50, 1] = 1
    found = of_presence(LossConfig(class_weights="balanced"), labels)
    assert found is not None
    assert found.tolist() == [4, 1, 100]
    gentle = of_presence(LossConfig(class_weights="effective", beta=0.9), labels)
    assert gentle is not None
    assert gentle[0] == pytest.approx((1 - 0.9**80) / (1 - 0.9**20), rel=1e-6)
