"""What every task promises, whatever it asks of a model."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from isoflop.config import LossConfig
from isoflop.evaluation.measure import hits, measure
from isoflop.tasks import KINDS, Kind, metric_of
from isoflop.training.task import TASKS, Task

CLASSES, IMAGES = 7, 40
LOSSES = [
    {},
    {"label_smoothing": 0.1},
    {"name": "focal"},
    {"class_weights": "balanced"},
    {"name": "focal", "class_weights": "effective", "label_smoothing": 0.1, "gamma": 1.5},
]


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


def targets_of(kind: Kind) -> Tensor:
    """Targets as a prepared set stores them."""
    generator = torch.Generator().manual_seed(1)
    if kind.targets.startswith("a class index"):
        return torch.randint(0, CLASSES, (IMAGES,), generator=generator)
    return (torch.rand(IMAGES, CLASSES, generator=generator) < 0.3).to(torch.uint8)


def soft(targets: Tensor) -> Tensor:
    """The same targets as probabilities."""
    return targets.float() if targets.ndim == 2 else torch.nn.functional.one_hot(targets, CLASSES).float()


def outputs_of(kind: Kind, seed: int = 2) -> Tensor:
    return torch.randn(IMAGES, kind.outputs(CLASSES), generator=torch.Generator().manual_seed(seed))


def made(kind: Kind, **settings: object) -> Task:
    return TASKS[kind.name](LossConfig(**settings), targets_of(kind), classes=CLASSES)  # type: ignore[arg-type]


def right(kind: Kind) -> Tensor:
    """Outputs of a net that is right and fairly sure."""
    return 4 * (2 * soft(targets_of(kind)) - 1)


def test_every_kind_can_be_trained_and_no_other():
    assert set(TASKS) == set(KINDS)


@pytest.mark.parametrize("settings", LOSSES, ids=str)
def test_the_loss_is_a_finite_scalar_that_falls_where_its_gradient_points(kind: Kind, settings: dict[str, object]):
    task, outputs = made(kind, **settings), outputs_of(kind).requires_grad_()
    loss = task.loss(outputs, targets_of(kind))
    assert loss.shape == ()
    (gradient,) = torch.autograd.grad(loss, outputs)
    assert torch.isfinite(gradient).all()
    assert task.loss(outputs - 0.1 * gradient, targets_of(kind)) < loss
    assert task.loss(right(kind), targets_of(kind)) < loss


@pytest.mark.parametrize("settings", LOSSES, ids=str)
def test_hard_targets_are_soft_ones_without_doubt(kind: Kind, settings: dict[str, object]):
    task, outputs, targets = made(kind, **settings), outputs_of(kind), targets_of(kind)
    assert task.loss(outputs, soft(targets)) == pytest.approx(float(task.loss(outputs, targets)), rel=1e-5)


@pytest.mark.parametrize("settings", LOSSES, ids=str)
def test_a_batch_in_pieces_has_the_loss_of_the_whole(kind: Kind, settings: dict[str, object]):
    task, outputs, targets = made(kind, **settings), outputs_of(kind), targets_of(kind)
    pieces = zip(outputs.split(12), targets.split(12), strict=True)
    parts = sum(float(task.loss(o, t)) * len(t) / IMAGES for o, t in pieces)
    assert parts == pytest.approx(float(task.loss(outputs, targets)), rel=1e-5)


def test_the_last_report_has_every_metric_and_others_what_costs_little_or_is_asked_for(kind: Kind):
    targets, outputs = targets_of(kind), outputs_of(kind)
    offered = {metric.name for metric in kind.offered(CLASSES)}
    costly = {metric.name for metric in kind.metrics if metric.costly}
    assert set(made(kind).metrics(outputs, targets)) == offered
    assert set(made(kind).metrics(outputs, targets, last=False)) == offered - costly
    asked = TASKS[kind.name](LossConfig(), asked={"auroc"})
    found = asked.metrics(outputs, targets, last=False)
    assert found == {name: value for name, value in made(kind).metrics(outputs, targets).items() if name in found}
    assert set(found) == offered - costly | {"auroc"}


def test_metrics_are_better_in_their_direction_for_the_better_net(kind: Kind):
    good, bad = (made(kind).metrics(outputs, targets_of(kind)) for outputs in (right(kind), outputs_of(kind)))
    for metric in kind.offered(CLASSES):
        assert metric.sign * good[metric.name] > metric.sign * bad[metric.name], metric.name
        assert not metric.share or 0 <= bad[metric.name] <= 1


def test_metrics_know_nothing_of_weights_and_smoothing(kind: Kind):
    targets, outputs = targets_of(kind), outputs_of(kind)
    assert made(kind, **LOSSES[-1]).metrics(outputs, targets) == made(kind).metrics(outputs, targets)


def test_hits_are_the_images_of_their_metric(kind: Kind):
    outputs, targets = outputs_of(kind).numpy(), targets_of(kind).numpy()
    assert measure(kind, outputs, targets)[kind.hit] == pytest.approx(hits(kind, outputs, targets).mean())
    assert hits(kind, right(kind).numpy(), targets).all()


def test_a_metric_means_the_same_in_every_kind(kind: Kind):
    for metric in kind.metrics:
        assert metric_of(f"val_{metric.name}") == metric_of(f"test_{metric.name}") == metric
    assert metric_of("flops") is None
    assert kind.first == f"val_{kind.metrics[0].name}"
