"""A student learns from a teacher's answers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from isoflop.config import DistillConfig, LossConfig
from isoflop.training.distillation import Distilled, Teacher, distance
from isoflop.training.objective import Supervised
from isoflop.training.task import Classification

CLASSES = 5


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Fixed(nn.Module):
    """Answers the same, whatever it sees, and remembers what it saw."""

    def __init__(self, answers: object) -> None:
        super().__init__()
        self.answers, self.seen = answers, []

    def forward(self, x: Tensor) -> object:
        self.seen.append(x)
        return self.answers


def teacher(net: nn.Module, **fields: object) -> Teacher:
    plain = {"resolution": 8, "order": range(CLASSES), "scale": torch.ones(1), "shift": torch.zeros(1)}
    return Teacher(net, **{**plain, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("temperature", [1.0, 4.0, 20.0])
def test_the_distance_is_the_papers_formula(temperature: float):
    student, other = drawn(7, CLASSES), drawn(7, CLASSES, seed=1)
    p, q = ((x / temperature).exp() for x in (other, student))
    p, q = p / p.sum(1, keepdim=True), q / q.sum(1, keepdim=True)
    expected = temperature**2 * (p * (p.log() - q.log())).sum(1).mean()
    torch.testing.assert_close(distance(student, other, temperature), expected, rtol=1e-4, atol=1e-6)


def test_its_gradient_is_that_of_matching_logits_when_it_is_hot():
    """Section 2.1: of logits with mean zero, at high temperature it is their squared difference over 2 N classes."""
    student, other = (x - x.mean(1, keepdim=True) for x in (drawn(7, CLASSES), drawn(7, CLASSES, seed=1)))
    student.requires_grad_()
    (found,) = torch.autograd.grad(distance(student, other, 1000.0), student)
    torch.testing.assert_close(found, (student - other).detach() / CLASSES / 7, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("mixed", [True, False])
def test_the_loss_weighs_teacher_and_labels_of_every_head(mixed: bool):
    task = Classification(LossConfig(label_smoothing=0.1))
    taught, first, second = drawn(6, CLASSES), drawn(6, CLASSES, seed=1), drawn(6, CLASSES, seed=2)
    targets = drawn(6, CLASSES, seed=3).softmax(1) if mixed else torch.arange(6) % CLASSES
    objective = Distilled(task, teacher(Fixed(taught)), DistillConfig(weight=0.3, temperature=2.0))
    images = drawn(6, 1, 8, 8)

    def expected(outputs: Tensor) -> Tensor:
        return 0.3 * distance(outputs, taught, 2.0) + 0.7 * task.loss(outputs, targets)

    torch.testing.assert_close(objective(Fixed(first), images, targets), expected(first))
    both = objective(Fixed(((1.0, first), (0.3, second))), images, targets)
    torch.testing.assert_close(both, expected(first) + 0.3 * expected(second))


@pytest.mark.parametrize(("weight", "same"), [(0.0, True), (0.5, False)])
def test_without_weight_the_teacher_is_not_heard(weight: float, same: bool):
    task = Classification(LossConfig())
    answers, targets, images = drawn(6, CLASSES, seed=1), torch.arange(6) % CLASSES, drawn(6, 1, 8, 8)
    found = Distilled(task, teacher(Fixed(drawn(6, CLASSES))), DistillConfig(weight=weight))(
        Fixed(answers), images, targets
    )
    plain = Supervised(task)(Fixed(answers), images, targets)
    assert torch.allclose(found, plain) is same


def test_soft_targets_go_through_the_plain_objective():
    task = Classification(LossConfig())
    answers, targets = drawn(6, CLASSES), drawn(6, CLASSES, seed=3).softmax(1)
    expected = -(targets * answers.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(Supervised(task)(Fixed(answers), drawn(6, 1, 8, 8), targets), expected)


def test_a_teacher_sees_images_of_its_own_size_and_statistics_and_answers_in_the_students_order():
    net = Fixed(drawn(2, 3))
    images = drawn(2, 1, 8, 8)
    pixels = images * 0.5 + 0.2  # of a student whose data have deviation 0.5 and mean 0.2
    one = teacher(
        net, resolution=4, order=[2, 0, 1], scale=torch.tensor(0.5 / 0.1), shift=torch.tensor((0.2 - 0.3) / 0.1)
    )
    answers = one(images)
    assert torch.equal(answers, drawn(2, 3)[:, [2, 0, 1]])
    expected = torch.nn.functional.interpolate((pixels - 0.3) / 0.1, (4, 4), mode="bilinear", antialias=True)
    torch.testing.assert_close(net.seen[0], expected, rtol=1e-4, atol=1e-4)


def test_a_teacher_is_in_evaluation_mode_and_gets_no_gradient():
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, CLASSES))
    before = {key: value.clone() for key, value in net.state_dict().items()}
    one = teacher(net)
    student = nn.Sequential(nn.Flatten(), nn.Linear(64, CLASSES))
    objective = Distilled(Classification(LossConfig()), one, DistillConfig())
    objective(student, drawn(4, 1, 8, 8), torch.arange(4)).backward()
    assert not one.net.training
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert all(parameter.grad is not None for parameter in student.parameters())
