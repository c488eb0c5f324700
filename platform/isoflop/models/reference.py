"""The nets of torchvision and timm that published variants are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
import torch
import torchvision
from torch import nn

REGNETS = {"400m": "400mf", "800m": "800mf", "1.6g": "1_6gf", "3.2g": "3_2gf", "8g": "8gf", "16g": "16gf"}
REFERENCES: Mapping[tuple[str, str], str] = {
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
"""Library and name of the net, by family and variant."""
DRAWN = {"init_weights": False}
"""Without it, torchvision warns that it will draw weights differently one day."""
SETTINGS: Mapping[str, Mapping[str, Any]] = {"googlenet": DRAWN, "inception_v3": DRAWN}
COMPUTED = {"regnet"}
"""Families whose widths torchvision computes with tensors, which the meta device cannot."""


def reference(family: str, variant: str, *, classes: int = 1000) -> nn.Module:
    """The net as its library builds it, with weights drawn."""
    library, name = REFERENCES[family, variant].split()
    create: Any = torchvision.models.get_model if library == "torchvision" else timm.create_model
    made: nn.Module = create(name, num_classes=classes, **SETTINGS.get(family, {}))
    return made


def published(family: str, variant: str) -> nn.Module:
    """The net with the weights that its library publishes, downloaded unless they are in the library's own cache.

    Raises `OSError` where they cannot be had, and `RuntimeError` where there are none.
    """
    library, name = REFERENCES[family, variant].split()
    wanted = {"weights": "DEFAULT"} if library == "torchvision" else {"pretrained": True}
    create: Any = torchvision.models.get_model if library == "torchvision" else timm.create_model
    made: nn.Module = create(name, **wanted)
    return made


def is_auxiliary(key: str) -> bool:
    """Whether a weight of a library's net is of an auxiliary head or its branch."""
    return key.lower().startswith("aux")


def place(key: str) -> int:
    """Where our nets have a weight: auxiliary branches stand before the body, their last layers after the head.

    Sorted by it, a library's keys stand in the order of ours.
    """
    if not is_auxiliary(key):
        return 1
    return 2 if key.split(".")[1] in {"fc", "fc2"} else 0


def reference_parameters(family: str, variant: str) -> int:
    """How many parameters the library's net has."""
    with torch.device("cpu" if family in COMPUTED else "meta"):
        return sum(weight.numel() for weight in reference(family, variant).parameters())
