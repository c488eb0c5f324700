"""Building blocks that a configuration exchanges, over the registry: each makes another net, and none is ignored."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from isoflop.config import ModelConfig
from isoflop.errors import SpecError
from isoflop.families import families, family
from isoflop.models import Net, build, cost
from isoflop.scaling import smallest

CLASSES = 10
PARTS = [(row.name, part) for row in families().values() for part in row.parts]
every_part = pytest.mark.parametrize(("name", "part"), PARTS, ids=str)
every_family = pytest.mark.parametrize("name", families())


def small(name: str, *, depth: float = 0.05, **settings: Any) -> ModelConfig:
    return ModelConfig(family=name, depth=depth, width=0.125, **settings)


def drawn(*size: int) -> Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(0))


def built(model: ModelConfig) -> tuple[Net, Tensor]:
    """The net of a configuration in training, and images of the smallest size for it."""
    side = smallest(model.family, family(model.family).stem)
    net = build(model, image=(1, side, side), classes=CLASSES, seed=0).train()
    for key, weight in net.named_parameters():
        scale = weight.ndim == 1 and weight.numel() > 1 and key.endswith("weight")
        if scale or (weight.ndim > 1 and weight.abs().max() < 1e-5):
            nn.init.constant_(
                weight, 4.0
            )  # what begins as nothing would hide what comes before it, and small maps ReLU6
    return net, drawn(2, 1, side, side)


def answer(net: Net, images: Tensor) -> Tensor:
    """Logits in training, those of several heads added up, with equal draws each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = net(images)
    return found if isinstance(found, Tensor) else torch.stack([weight * logits for weight, logits in found]).sum(0)


@every_part
def test_each_kind_of_a_part_is_another_net_that_trains(name: str, part: str):
    answers = {}
    for kind in family(name).parts[part]:
        net, images = built(small(name, **{part: kind}))
        answers[kind] = answer(net, images)
        answers[kind].sum().backward()
        assert all(weight.grad is None or weight.grad.isfinite().all() for weight in net.parameters()), kind
    for one, other in combinations(answers, 2):
        assert not torch.allclose(answers[one], answers[other], rtol=1e-3, atol=1e-5), (one, other)


@pytest.mark.parametrize(("name", "part"), [pair for pair in PARTS if pair[1] != "init"], ids=str)
def test_each_kind_of_a_part_changes_the_layer_table(name: str, part: str):
    tables = {}
    for kind in family(name).parts[part]:
        side = smallest(name, family(name).stem)
        layers = cost(small(name, **{part: kind}), image=(1, side, side), classes=CLASSES).layers
        tables[kind] = [(layer.kind, layer.output, layer.parameters, layer.receptive_field) for layer in layers]
    for one, other in combinations(tables, 2):
        assert tables[one] != tables[other], (one, other)


@every_family
def test_the_first_kind_of_each_part_leaves_the_net_as_it_is(name: str):
    row = family(name)
    firsts = {part: kinds[0] for part, kinds in row.parts.items()}
    assert ModelConfig(family=name) == ModelConfig(family=name, **firsts)


@every_family
def test_a_part_that_a_family_does_not_take_is_refused(name: str):
    for part in {part for _, part in PARTS} - set(family(name).knobs):
        with pytest.raises(ValueError, match=f"{name} has no such setting"):
            small(name, **{part: "published"})


@pytest.mark.parametrize("name", [name for name, part in PARTS if part == "init"])
def test_he_initialization_spreads_weights_by_their_inputs(name: str):
    body = build(small(name, init="he"), image=(1, 32, 32), classes=CLASSES, seed=0).body
    weights = [layer.weight for layer in body.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    drawn_by = torch.cat([weight.flatten() * (weight[0].numel() / 2) ** 0.5 for weight in weights])
    assert drawn_by.std().item() == pytest.approx(1, abs=0.1)
    assert drawn_by.mean().item() == pytest.approx(0, abs=0.1)


@every_family
def test_dropped_paths_change_a_training_or_are_refused(name: str):
    if not family(name).residual:
        with pytest.raises(ValueError, match=f"{name} has no residual paths that could be dropped"):
            small(name, drop_path=0.1)
        return
    whole, images = built(small(name, depth=1.0))
    part, _ = built(small(name, depth=1.0, drop_path=0.9))
    torch.testing.assert_close(whole.eval()(images), part.eval()(images))
    assert not torch.allclose(answer(whole.train(), images), answer(part.train(), images))


@every_family
def test_dropout_changes_a_training(name: str):
    whole, images = built(small(name))
    part, _ = built(small(name, dropout=0.5))
    assert not torch.allclose(answer(whole, images), answer(part, images))


def renamed(name: str) -> str:
    """A weight of timm's ResNet as ours has it."""
    for theirs, ours in (("conv1.", "stem.0."), ("bn1.", "stem.1."), ("fc.", "head.1.")):
        if name.startswith(theirs):
            name = name.replace(theirs, ours, 1)
    for stage in range(1, 5):
        name = name.replace(f"layer{stage}.", f"stages.{stage - 1}.", 1)
    return name if name.startswith("head") else f"body.{name}"


@pytest.mark.parametrize(
    ("settings", "reference"),
    [({"variant": "18", "attention": "se"}, "seresnet18"), ({"variant": "50", "norm": "group"}, "resnet50_gn")],
    ids=lambda found: found if isinstance(found, str) else "",
)
def test_a_resnet_of_other_parts_is_the_one_that_people_know(settings: dict[str, str], reference: str):
    ours = build(ModelConfig(family="resnet", stem=4, **settings), image=(3, 64, 64), classes=CLASSES).eval()
    theirs = timm.create_model(reference, num_classes=CLASSES).eval()
    ours.load_state_dict({renamed(name): weight for name, weight in theirs.state_dict().items()})
    with torch.no_grad():
        torch.testing.assert_close(ours(drawn(2, 3, 64, 64)), theirs(drawn(2, 3, 64, 64)), rtol=1e-4, atol=1e-5)


def test_vgg_with_batch_norm_has_as_many_weights_as_the_one_that_people_know():
    with torch.device("meta"):
        expected = sum(weight.numel() for weight in torchvision.models.vgg11_bn().parameters())
    assert cost(ModelConfig(family="vgg", norm="batch"), image=(3, 224, 224), classes=1000).parameters == expected


def test_parts_can_be_exchanged_together():
    model = small(
        "resnet",
        convolution="separable",
        attention="cbam",
        norm="layer",
        activation="prelu",
        pool="pyramid",
        init="he",
    )
    net, images = built(model)
    kinds = {type(module).__name__ for module in net.modules()}
    assert {"CbamModule", "LayerNorm2d", "PReLU", "Pyramid"} <= kinds
    assert not {"BatchNorm2d", "ReLU"} & kinds
    assert answer(net, images).isfinite().all()


def test_a_shape_that_shrinks_no_map_has_no_pooling_to_exchange():
    model = ModelConfig(family="vgg", stem=4, width=0.125, downsample="average")
    with pytest.raises(SpecError, match=r"model\.downsample: vgg of this shape has nothing .* for 'average'"):
        build(model, image=(1, 8, 8), classes=CLASSES)
    assert build(model, image=(1, 16, 16), classes=CLASSES)
