"""EfficientNet against torchvision's."""

from __future__ import annotations

import pytest
import torch
from torchvision.models import efficientnet_b0
from torchvision.ops import StochasticDepth

from isoflop.config import ModelConfig
from isoflop.models import Net, build, cost


def efficientnet(size: int, **settings) -> Net:
    return build(ModelConfig(family="efficientnet", **settings), image=(3, size, size), classes=10, seed=0)


def test_b0_has_the_published_size():
    found = cost(ModelConfig(family="efficientnet", stem=2), image=(3, 224, 224), classes=1000)
    assert found.parameters == 5_288_548
    assert found.macs == 385_814_752  # torchvision states 0.386 G


def test_b1_has_the_published_parameters():
    model = ModelConfig(family="efficientnet", stem=2, depth=1.1)
    assert cost(model, image=(3, 240, 240), classes=1000).parameters == 7_794_184


def test_equal_weights_give_torchvisions_logits():
    ours, reference = efficientnet(64, stem=2).eval(), efficientnet_b0(num_classes=10).eval()
    pairs = zip(ours.state_dict().items(), reference.state_dict().values(), strict=True)
    ours.load_state_dict({key: value for (key, _), value in pairs})
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(images), reference(images))


def test_channels_follow_the_studys_divisor():
    body, x, widths = efficientnet(16, width=0.1, depth=0.1, divisor=2).body, torch.zeros(2, 3, 16, 16), []
    for stage in (body.stem, *body.stages):
        x = stage(x)
        widths.append(x.shape[1])
    assert widths == [4, 2, 4, 4, 8, 12, 20, 32, 128]
    spread = [module.groups for module in body.modules() if isinstance(module, torch.nn.Conv2d) and module.groups > 1]
    assert spread == [4, *(6 * inputs for inputs in (2, 4, 4, 8, 12, 20))]


@pytest.mark.parametrize("stem", [1, 2, 4])
def test_the_stem_sees_every_pixel(stem):
    model = efficientnet(32, stem=stem, width=0.125, depth=0.1).eval()
    images = torch.zeros(1, 3, 32, 32, requires_grad=True)
    model.body.stem[0](images).sum().backward()
    assert images.grad.abs().sum((0, 1)).all()


def test_drop_path_grows_with_depth():
    rates = [module.p for module in efficientnet(16, drop_path=0.2).modules() if isinstance(module, StochasticDepth)]
    assert rates == pytest.approx([0.2 * block / 16 for block in range(16)])


@pytest.mark.parametrize(("variant", "epsilon"), [("b4", 1e-5), ("b5", 1e-3)])
def test_norms_are_those_of_the_reference(variant, epsilon):
    body = efficientnet(16, variant=variant, depth=0.1, width=0.1).body
    assert {module.eps for module in body.modules() if isinstance(module, torch.nn.BatchNorm2d)} == {epsilon}
