"""At their published shapes families are the nets that people know: equal parameters, and outputs of equal weights."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision

from isoflop.config import ModelConfig
from isoflop.families import BUILT_IN, family
from isoflop.models import Net, build, cost

REGNETS = {"400m": "400mf", "800m": "800mf", "1.6g": "1_6gf", "3.2g": "3_2gf", "8g": "8gf", "16g": "16gf"}
REFERENCES = {
    ("alexnet", "2014"): "torchvision alexnet",
    ("vgg", "11"): "torchvision vgg11",
    ("vgg", "13"): "torchvision vgg13",
    ("vgg", "16"): "torchvision vgg16",
    ("vgg", "19"): "torchvision vgg19",
    ("googlenet", "v1"): "torchvision googlenet",
    ("inception_v3", "v3"): "torchvision inception_v3",
    ("inception_v4", "v4"): "timm inception_v4",
    ("inception_resnet", "v2"): "timm inception_resnet_v2",
    ("resnet", "18"): "torchvision resnet18",
    ("resnet", "34"): "torchvision resnet34",
    ("resnet", "50"): "torchvision resnet50",
    ("resnet", "101"): "torchvision resnet101",
    ("resnet", "152"): "torchvision resnet152",
    ("resnet", "x50"): "torchvision resnext50_32x4d",
    ("resnet", "x101"): "torchvision resnext101_32x8d",
    ("squeezenet", "1.0"): "torchvision squeezenet1_0",
    ("squeezenet", "1.1"): "torchvision squeezenet1_1",
    ("densenet", "121"): "torchvision densenet121",
    ("densenet", "161"): "torchvision densenet161",
    ("densenet", "169"): "torchvision densenet169",
    ("densenet", "201"): "torchvision densenet201",
    **{("efficientnet", f"b{n}"): f"torchvision efficientnet_b{n}" for n in range(8)},
    ("xception", "x1.0"): "timm legacy_xception",
    ("mobilenet_v1", "x1.0"): "timm mobilenetv1_100",
    ("mobilenet_v2", "x1.0"): "torchvision mobilenet_v2",
    ("mobilenet_v3", "large"): "torchvision mobilenet_v3_large",
    ("mobilenet_v3", "small"): "torchvision mobilenet_v3_small",
    **{("shufflenet", v): f"torchvision shufflenet_v2_{v.replace('.', '_')}" for v in ("x0.5", "x1.0", "x1.5", "x2.0")},
    ("ghostnet", "x0.5"): "timm ghostnet_050",
    ("ghostnet", "x1.0"): "timm ghostnet_100",
    ("ghostnet", "x1.3"): "timm ghostnet_130",
    **{("efficientnet_lite", f"{n}"): f"timm efficientnet_lite{n}" for n in range(5)},
    **{
        ("regnet", f"{kind}{size}"): f"torchvision regnet_{kind}_{name}"
        for kind in "xy"
        for size, name in REGNETS.items()
    },
    ("convnext", "t"): "torchvision convnext_tiny",
    ("convnext", "s"): "torchvision convnext_small",
    ("convnext", "b"): "torchvision convnext_base",
    ("convnext", "l"): "torchvision convnext_large",
    ("vit", "ti"): "timm vit_tiny_patch16_224",
    ("vit", "s"): "timm vit_small_patch16_224",
    ("vit", "b"): "timm vit_base_patch16_224",
    ("vit", "l"): "timm vit_large_patch16_224",
    **{("coatnet", f"{n}"): f"timm coatnet_{n}_224" for n in range(4)},
    **{("pvt", f"b{n}"): f"timm pvt_v2_b{n}" for n in range(6)},
    ("swin", "t"): "timm swin_tiny_patch4_window7_224",
    ("swin", "s"): "timm swin_small_patch4_window7_224",
    ("swin", "b"): "timm swin_base_patch4_window7_224",
}
DRAWN = {"init_weights": False}
"""Without it, torchvision warns that it will draw weights differently one day."""
SETTINGS = {"googlenet": DRAWN, "inception_v3": DRAWN}
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


def reference(name: str, variant: str, *, classes: int = 1000) -> torch.nn.Module:
    library, model = REFERENCES[name, variant].split()
    if library == "timm":
        return timm.create_model(model, num_classes=classes)
    return torchvision.models.get_model(model, num_classes=classes, **SETTINGS.get(name, {}))


def published(name: str, variant: str) -> tuple[ModelConfig, int]:
    row = family(name)
    several = {"variant": variant} if len(row.variants) > 1 else {}
    return ModelConfig(family=name, stem=row.published or row.stem, **several), row.variants[variant]


def test_every_variant_has_a_reference_or_a_reason():
    known = {(row.name, variant) for row in BUILT_IN for variant in row.variants}
    assert sorted(known) == sorted([*REFERENCES, *WITHOUT])


@variants
def test_parameters_are_the_references(name: str, variant: str):
    model, side = published(name, variant)
    with torch.device("cpu" if name == "regnet" else "meta"):  # torchvision computes RegNet's widths with tensors
        expected = sum(weight.numel() for weight in reference(name, variant).parameters())
    assert cost(model, image=(3, side, side), classes=1000).parameters == expected


def smallest(name: str) -> str:
    return next(variant for variant in family(name).variants if (name, variant) in REFERENCES)


def place(key: str) -> int:
    """Where our nets have a weight: auxiliary branches stand before the body, their last layers after the head."""
    if not key.lower().startswith("aux"):
        return 1
    return 2 if key.split(".")[1] in {"fc", "fc2"} else 0


def pair(name: str, *, whole: bool) -> tuple[Net, torch.nn.Module, torch.Tensor]:
    """Ours and the reference with equal weights, and two images for them."""
    model, side = published(name, smallest(name))
    side = side if whole else SIDES.get(name, SIDE)
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    theirs = normalizing(reference(name, smallest(name), classes=10), images)
    ours: Net = build(model, image=(3, side, side), classes=10)
    state = theirs.state_dict()
    weights = (state[key] for key in sorted(state, key=place))
    ours.load_state_dict(dict(zip(ours.state_dict(), weights, strict=True)))
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
