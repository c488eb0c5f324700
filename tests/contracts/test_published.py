"""At their published shapes families are the nets that people know: equal parameters, and outputs of equal weights."""

from __future__ import annotations

import pytest
import torch

from isoflop.config import ModelConfig
from isoflop.families import BUILT_IN, family
from isoflop.models import Net, build, cost
from isoflop.models.pretrained.convert import convert
from isoflop.models.reference import REFERENCES, reference, reference_parameters

WITHOUT = {
    ("lenet", "5"): "neither library has it",
    ("inception_v2", "v2"): "neither library has it",
    ("alexnet", "2012"): "torchvision has the net of 2014, without groups and local response normalization",
    **{("shake_shake", variant): "neither library has them" for variant in ("2x32d", "2x64d", "2x96d")},
}
SIDE = 64
"""Pixels on which outputs are compared: weights do not depend on them but for those named here."""
WHOLE = {"alexnet", "coatnet", "swin", "vgg", "vit"}
"""Families whose weights depend on the resolution."""
SIDES = dict.fromkeys(("inception_v3", "inception_v4", "inception_resnet"), 128)
"""Families whose convolutions without padding leave nothing of 64 pixels."""
variants = pytest.mark.parametrize(("name", "variant"), REFERENCES, ids=str)


def published(name: str, variant: str) -> tuple[ModelConfig, int]:
    row = family(name)
    return ModelConfig.model_validate(row.canonical(variant)), row.pixels(variant)


def test_every_variant_has_a_reference_or_a_reason():
    known = {(row.name, variant) for row in BUILT_IN for variant in row.variants}
    assert sorted(known) == sorted([*REFERENCES, *WITHOUT])


@variants
def test_parameters_are_the_references(name: str, variant: str):
    model, side = published(name, variant)
    expected = reference_parameters(name, variant)
    assert cost(model, image=(3, side, side), classes=1000).parameters == expected


def smallest(name: str) -> str:
    return next(variant for variant in family(name).variants if (name, variant) in REFERENCES)


def pair(name: str, *, whole: bool) -> tuple[Net, torch.nn.Module, torch.Tensor]:
    """Ours and the reference with equal weights, and two images for them."""
    model, side = published(name, smallest(name))
    side = side if whole else SIDES.get(name, SIDE)
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    theirs = normalizing(reference(name, smallest(name), classes=10), images)
    ours: Net = build(model, image=(3, side, side), classes=10)
    ours.load_state_dict(convert(theirs.state_dict(), name, smallest(name)))
    return ours, theirs, images


def normalizing(net: torch.nn.Module, images: torch.Tensor) -> torch.nn.Module:
    """A net with batch statistics of these images: with fresh ones some nets' outputs vanish beside the tolerance."""
    norms = [module for module in net.eval().modules() if isinstance(module, torch.nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train().momentum = None
    with torch.no_grad():
        net(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.eval().momentum = momentum
    return net


@pytest.mark.parametrize("name", dict.fromkeys(name for name, _ in REFERENCES))
def test_equal_weights_give_equal_outputs(name: str):
    ours, theirs, images = pair(name, whole=name in WHOLE)
    with torch.no_grad():
        expected = theirs.eval()(images)
        assert expected.std() > 1e-3
        torch.testing.assert_close(ours.eval()(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "weight"), [("googlenet", 0.3), ("inception_v3", 0.4)])
def test_auxiliary_heads_answer_as_the_references_do(name: str, weight: float):
    *nets, images = pair(name, whole=True)
    for model in nets:
        for module in model.train().modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
    with torch.no_grad():
        ours, theirs = (model(images) for model in nets)
    weights, answers = zip(*ours, strict=True)
    assert weights == (1.0, *[weight] * len(theirs[1:]))
    torch.testing.assert_close(answers, (theirs[0], *reversed(theirs[1:])), rtol=1e-4, atol=1e-4)
