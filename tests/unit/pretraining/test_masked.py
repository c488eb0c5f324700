"""Hidden patches are to be painted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from isoflop.config import ModelConfig
from isoflop.models import build
from isoflop.pretraining.masked import Masked, masks, patch_of


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made(family: str = "resnet", side: int = 16, **more: object) -> Masked:
    model = ModelConfig.model_validate({"family": family, "width": 0.25, "depth": 0.2, **more})
    net = build(model, image=(2, side, side), classes=3, seed=0).eval()
    *_, (stride, last) = net.features(torch.zeros(1, 2, side, side)).items()
    return Masked(net, 2, stride=stride, channels=last.shape[1]).eval()


@pytest.mark.parametrize(
    ("side", "patch", "share"), [(16, 4, 0.6), (28, 4, 0.5), (10, 4, 0.3), (8, 8, 0.6), (8, 1, 0.999)]
)
def test_each_image_has_the_asked_share_of_its_patches_hidden(side: int, patch: int, share: float):
    count, cells = 500, -(-side // patch)
    found = masks(count, side, patch, share, torch.Generator().manual_seed(0))
    assert found.shape == (count, 1, side, side)
    corners = found[:, 0, ::patch, ::patch]
    hidden = min(max(1, round(share * cells**2)), max(1, cells**2 - 1))
    assert (corners.sum((1, 2)) == hidden).all()
    full = corners.repeat_interleave(patch, 1).repeat_interleave(patch, 2)[:, :side, :side]
    assert torch.equal(found[:, 0], full)
    rate = hidden / cells**2
    assert ((corners.mean(0) - rate).abs() <= 5 * (rate * (1 - rate) / count) ** 0.5).all()
    assert cells == 1 or not torch.equal(found[0], found[1])


@pytest.mark.parametrize(("side", "stem", "expected"), [(224, 16, 32), (224, 1, 32), (28, 1, 4), (32, 4, 4), (8, 1, 1)])
def test_a_patch_that_is_not_given_is_a_seventh_of_the_side_in_whole_cells(side: int, stem: int, expected: int):
    assert patch_of(side, stem) == expected


@pytest.mark.parametrize(("family", "side"), [("lenet", 10), ("resnet", 16), ("vit", 16), ("squeezenet", 20)])
def test_only_what_is_hidden_counts_and_none_of_it_is_seen(family: str, side: int):
    net = made(family, side, **({"stem": 4} if family == "vit" else {}))
    images, mask = drawn(3, 2, side, side), masks(3, side, 2, 0.5, torch.Generator().manual_seed(1))
    painted: list[Tensor] = []
    net.head.register_forward_hook(lambda *call: painted.append(call[2]))
    with torch.no_grad():
        net.token.fill_(0.7)
        errors = net(torch.cat([images, mask], 1))
        net(torch.cat([images + mask * drawn(3, 2, side, side, seed=2), mask], 1))
    torch.testing.assert_close(painted[0], painted[1])
    whole = torch.nn.functional.pixel_shuffle(painted[0], net.stride)[..., :side, :side]
    for one in range(3):
        hidden = mask[one, 0] > 0
        expected = (whole[one] - images[one])[:, hidden].abs().mean()
        torch.testing.assert_close(errors[one], expected)


def test_body_layer_and_colour_are_learned():
    net = made().train()
    mask = masks(3, 16, 2, 0.5, torch.Generator().manual_seed(1))
    net(torch.cat([drawn(3, 2, 16, 16), mask], 1)).mean().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    assert net.token.grad is not None
    assert net.token.grad.abs().sum() > 0
