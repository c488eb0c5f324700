"""What every registered family promises, also those of other packages."""

from __future__ import annotations

from itertools import pairwise

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from isoflop.config import ModelConfig
from isoflop.errors import SpecError
from isoflop.families import families, family
from isoflop.models import Net, build, cost
from isoflop.models.registry import builder
from isoflop.scaling import smallest

CLASSES = 10
NAMES = list(families())
SMALL = {"depth": 0.25, "width": 0.25}
GLOBAL = {"coatnet", "efficientnet", "ghostnet", "mobilenet_v3", "pvt", "regnet", "swin", "vit"}
"""Families of which every place depends on the whole image, by attention or by gates. Swin's windows are counted as
attention over all, which is true of its last map up to 56 patches a side (tests/unit/models/test_swin.py)."""
UNPADDED = {
    ("alexnet", 4),
    ("squeezenet", 4),
    ("xception", 2),
    ("inception_v3", 8),
    ("inception_v4", 8),
    ("inception_resnet", 8),
}
"""Families that lose what does not fill a window, as their papers have it, with their papers' stem: at most so many
places of a side."""
LOST = 3
every_family = pytest.mark.parametrize("name", NAMES)
every_size = pytest.mark.parametrize("size", [8, 28, 32, 64])
every_count_of_channels = pytest.mark.parametrize("channels", [1, 3])


def stems(name: str, size: int) -> list[int]:
    return [stem for stem in family(name).stems if size % stem == 0 and size >= smallest(name, stem)]


def net(name: str, *, size: int = 8, channels: int = 1, seed: int | None = 0, **settings) -> Net:
    chosen = {"stem": min(stems(name, size), key=lambda stem: abs(stem - family(name).stem)), **SMALL, **settings}
    model = ModelConfig(family=name, **chosen)
    return build(model, image=(channels, size, size), classes=CLASSES, seed=seed)


def dropped(name: str, rate: float) -> dict[str, float]:
    return {"drop_path": rate} if family(name).residual else {}


def images(number: int = 2, *, size: int = 8, channels: int = 1) -> torch.Tensor:
    return torch.randn(number, channels, size, size, generator=torch.Generator().manual_seed(0))


def loss(model: Net, batch: torch.Tensor) -> torch.Tensor:
    """What all heads lose where the classes take turns."""
    answers = model(batch)
    heads = [(1.0, answers)] if isinstance(answers, torch.Tensor) else answers
    targets = torch.arange(len(batch)) % CLASSES
    return torch.stack([weight * nn.functional.cross_entropy(logits, targets) for weight, logits in heads]).sum()


def flops(name: str, *, size: int = 32, stem: int | None = None, **settings) -> int:
    model = ModelConfig(family=name, stem=stem or family(name).stem, **{**SMALL, **settings})
    return cost(model, image=(1, size, size), classes=CLASSES).flops


def rises(values: list[int]) -> bool:
    return all(low < high for low, high in pairwise(values))


def never_falls(values: list[int]) -> bool:
    return all(low <= high for low, high in pairwise(values))


@every_family
def test_a_row_has_a_builder_of_its_name(name):
    assert callable(builder(name))


@every_family
def test_a_row_is_whole(name):
    row = family(name)
    assert row.stem in row.stems
    assert row.paper
    assert all(len(values) > 1 for values in row.knobs.values())


@every_family
@every_size
@every_count_of_channels
def test_images_give_logits(name, size, channels):
    model = net(name, size=size, channels=channels).eval()
    with torch.no_grad():
        logits = model(images(size=size, channels=channels))
    assert logits.shape == (2, CLASSES)
    assert logits.isfinite().all()
    assert logits.std() > 0


@every_family
@every_count_of_channels
@pytest.mark.parametrize("stem", [16, 1])
def test_photos_of_224_pixels_fit(name, channels, stem):
    fitting = stem if stem in family(name).stems else max(family(name).stems)
    model = ModelConfig(family=name, stem=fitting, depth=0.25)
    found = cost(model, image=(channels, 224, 224), classes=1000)
    assert found.layers[-1].output == (1000,)
    assert f"r224 s{fitting}" in found.shape


@every_family
def test_every_knob_can_be_built(name):
    for knob in set(family(name).knobs) - set(family(name).parts):  # those in test_part.py
        values = family(name).knobs[knob]
        settings = {"depth": 1.0, "width": 0.25}
        outputs = [net(name, **settings, **{knob: value}).eval()(images()) for value in values]
        assert all(output.shape == (2, CLASSES) for output in outputs)
        assert not any(torch.equal(one, other) for one, other in pairwise(outputs))


@every_family
def test_body_and_head_are_apart(name):
    model = net(name, dropout=0.5)
    [dropout] = [module for module in model.head.modules() if isinstance(module, nn.Dropout)]
    assert dropout.p == 0.5
    *_, last = [weight for weight in model.head.parameters() if weight.ndim > 1]
    assert last.shape[:2] == (CLASSES, model.body.channels)
    seen = model.body(images())
    assert seen.shape[:2] == (2, model.body.channels)
    assert model.head(seen).shape == (2, CLASSES)
    assert {key.split(".")[0] for key in model.state_dict()} - {"auxiliary"} == {"body", "head"}


@every_family
@pytest.mark.parametrize("size", [8, 28, 64, 224])
def test_features_are_maps_by_stride(name, size):
    for stem in stems(name, size):
        with torch.device("meta"):
            model = net(name, size=size, stem=stem, seed=None, width=0.125).eval()
            maps = model.features(torch.empty(2, 1, size, size))
        assert list(maps) == sorted(maps)
        assert min(maps) >= stem
        for stride, found in maps.items():
            side = -(-size // stride)
            images_, _, height, width = found.shape
            assert (images_, height) == (2, width)
            assert side - LOST <= height <= side
            assert (height == side) or (name, stem) in UNPADDED


@every_family
def test_features_are_of_the_net_that_predicts(name):
    model = net(name).eval()
    before = model.features(images())
    after = model.features(images())
    assert all(torch.equal(before[stride], after[stride]) for stride in before)
    assert all(found.std() > 0 for found in before.values())


@every_family
def test_parameters_are_counted_as_built(name):
    model = ModelConfig(family=name, **SMALL)
    built = build(model, image=(3, 32, 32), classes=CLASSES)
    found = cost(model, image=(3, 32, 32), classes=CLASSES)
    assert found.parameters == sum(parameter.numel() for parameter in built.parameters())
    assert found.parameters == sum(layer.parameters for layer in found.layers)
    assert found.flops + found.auxiliary == sum(layer.flops for layer in found.layers)


@every_family
def test_flops_are_torchs_own_count(name):
    model = ModelConfig(family=name, **SMALL)
    with torch.device("meta"):
        built = build(model, image=(3, 32, 32), classes=CLASSES).train()
        with FlopCounterMode(display=False) as counter:
            built(torch.empty(2, 3, 32, 32))
    found = cost(model, image=(3, 32, 32), classes=CLASSES)
    assert 2 * (found.flops + found.auxiliary) == counter.get_total_flops()


@every_family
def test_a_family_that_attends_says_how_many_tokens_it_has(name):
    found = cost(ModelConfig(family=name, **SMALL), image=(3, 64, 64), classes=CLASSES)
    assert (found.tokens is not None) == (found.unbounded_field is None)
    assert found.tokens is None or found.tokens > 1


@every_family
def test_the_receptive_field_is_the_extent_of_the_gradient(name):
    """Of a central place of the last map, activations and maximum pooling made linear, on an image larger than it."""
    model = ModelConfig(family=name, **SMALL)
    found = cost(model, image=(1, 512, 512), classes=CLASSES)
    assert found.context == (name in GLOBAL)
    if found.context:
        return
    size = 32 * (found.unbounded_field // 32 + 3)
    body = linear(build(model, image=(1, size, size), classes=CLASSES).body.eval()).double()
    batch = torch.ones(1, 1, size, size, dtype=torch.float64, requires_grad=True)
    last = list(body.features(batch).values())[-1]
    middle = last.shape[-1] // 2
    last[0, :, middle, middle].sum().backward()
    seen = batch.grad[0, 0] != 0
    assert (seen.any(0).sum(), seen.any(1).sum()) == (found.unbounded_field, found.unbounded_field)


def linear(module: nn.Module) -> nn.Module:
    """The same windows with positive weights and nothing that could hide a pixel."""
    for name, child in module.named_children():
        if isinstance(child, nn.MaxPool2d):
            window = (child.kernel_size, child.stride, child.padding, child.ceil_mode)
            setattr(module, name, nn.AvgPool2d(*window))
        elif isinstance(child, (nn.ReLU, nn.ReLU6, nn.Tanh, nn.GELU, nn.SiLU, nn.Hardswish, nn.LayerNorm)):
            setattr(module, name, nn.Identity())
        linear(child)
    for key, weight in module.named_parameters(recurse=False):
        if weight.ndim > 1:
            nn.init.constant_(weight, 1 / weight[0].numel())
        else:
            nn.init.constant_(weight, 1.0 if key == "weight" else 0.0)
    return module


@every_family
def test_flops_grow_with_depth(name):
    assert rises([flops(name, depth=depth) for depth in (1.0, 2.0)])
    assert never_falls([flops(name, depth=depth) for depth in (0.1, 0.25, 0.5)])


@every_family
def test_flops_grow_with_width(name):
    assert rises([flops(name, width=width, depth=0.1) for width in (0.25, 0.5, 1.0, 4.0)])
    assert never_falls([flops(name, width=width, depth=0.1) for width in (0.05, 0.125, 0.2, 0.7, 0.85, 0.9, 1.1, 1.2)])


@every_family
def test_flops_grow_with_every_step_of_resolution(name):
    for stem in [stem for stem in family(name).stems if stem <= 4]:
        least = smallest(name, stem)
        sizes = sorted({*range(least, least + 6 * stem, stem), max(least, 64), 224})
        assert rises([flops(name, size=size, stem=stem, width=0.125, depth=0.1) for size in sizes])


@every_family
def test_the_row_says_whether_a_net_takes_images_of_any_size(name):
    """Trained on images of three quarters and a half of a side; where it does not take them, counting says so."""
    model = net(name, size=64, channels=3)
    for side in (48, 32):
        try:
            taken = bool(loss(model.train(), images(size=side, channels=3)).isfinite())
        except (RuntimeError, ValueError, AssertionError):
            taken = False
        settings = ModelConfig(family=name, stem=model.shape.stem, **SMALL)
        if taken:
            found = cost(settings, image=(3, 64, 64), classes=CLASSES, share=side / 64)
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                model.eval()(images(1, size=side, channels=3))
            assert found.flops == counter.get_total_flops()
        else:
            with pytest.raises(SpecError, match=f"resize.start: {name} made for 64 pixels does not take {side} "):
                cost(settings, image=(3, 64, 64), classes=CLASSES, share=side / 64)
        if (name, side) != ("inception_v3", 32):  # its auxiliary head, which only training asks, has a window of 5 x 5
            assert taken == family(name).any_size


@every_family
def test_equal_seeds_draw_equal_weights(name):
    one, same, other = (net(name, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


@every_family
def test_a_seed_leaves_the_global_generator_alone(name):
    before = torch.get_rng_state()
    net(name, seed=3, **dropped(name, 0.1))
    cost(ModelConfig(family=name, **SMALL, **dropped(name, 0.1)), image=(2, 16, 16), classes=3)
    assert torch.equal(before, torch.get_rng_state())


@every_family
def test_without_a_seed_the_global_generator_draws(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        one, other = net(name, seed=None), net(name, seed=None)
    assert not torch.equal(one.head[1].weight, other.head[1].weight)


@every_family
@pytest.mark.parametrize("size", [8, 16])
def test_the_gradient_reaches_every_parameter(name, size):
    model = net(name, size=size).train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):  # blocks may begin as the identity
            nn.init.ones_(module.weight)
    loss(model, images(8, size=size)).backward()
    still = [key for key, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert still == []


@every_family
def test_the_loss_on_32_images_falls_in_20_steps(name):
    model = net(name, depth=0.1).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.006, foreach=False)
    losses = []
    for _ in range(20):
        lost = loss(model, images(32))
        optimizer.zero_grad()
        lost.backward()
        optimizer.step()
        losses.append(lost.item())
    assert losses[-1] < 0.9 * losses[0]


@every_family
def test_a_batch_of_one_of_the_smallest_images_trains(name):
    for stem in stems(name, 8):
        model = net(name, stem=stem).train()
        assert loss(model, images(1)).isfinite()


@every_family
def test_the_thinnest_net_trains(name):
    model = net(name, size=32, depth=0.1, width=0.01, divisor=1)
    loss(model, images(8, size=32)).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


@every_family
def test_weights_survive_safetensors(name):
    saved, other = net(name, seed=1).eval(), net(name, seed=2).eval()
    assert not torch.equal(saved(images()), other(images()))
    other.load_state_dict(safetensors.torch.load(safetensors.torch.save(saved.state_dict())))
    assert torch.equal(saved(images()), other(images()))


@every_family
def test_a_trained_net_answers_the_same_twice_and_for_each_image_alone(name):
    model = net(name, dropout=0.5, **dropped(name, 0.5)).eval()
    batch = images(4)
    with torch.no_grad():
        together = model(batch)
        assert torch.equal(together, model(batch))
        alone = torch.cat([model(image[None]) for image in batch])
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)


@every_family
def test_the_layout_of_memory_does_not_change_the_answer(name):
    model, batch = net(name, size=16, channels=3).eval(), images(size=16, channels=3)
    with torch.no_grad():
        plain = model(batch)
        last = model.to(memory_format=torch.channels_last)(batch.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, plain, rtol=1e-4, atol=1e-5)
