"""Pretrained weights: stored by their content, adapted as the libraries do, refused where they misfit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from isoflop.config import ModelConfig, TrialConfig
from isoflop.errors import DataError, InputError, SpecError, UnknownError
from isoflop.families import family
from isoflop.home import Home
from isoflop.models import Net, build
from isoflop.models.pretrained import fetch
from isoflop.models.pretrained.adapt import adapt, classes_of, first_convolution
from isoflop.models.pretrained.convert import convert, published
from isoflop.models.pretrained.load import load
from isoflop.models.pretrained.store import add
from isoflop.models.reference import REFERENCES, is_auxiliary, reference
from isoflop.scaling import Shape
from isoflop.setting import take
from isoflop.spec import spec_from_tree
from isoflop.weights import listed

SMALL = ("mobilenet_v3", "small")


def net_of(name: str, variant: str, *, channels: int = 3, side: int = 64, classes: int = 1000, **more: Any) -> Net:
    model = ModelConfig.model_validate({**family(name).canonical(variant), **more})
    return build(model, image=(channels, side, side), classes=classes, seed=1).eval()


def named(path: Path) -> ModelConfig:
    return ModelConfig.model_validate({**family(SMALL[0]).canonical(SMALL[1]), "weights": path.stem})


def drawn(name: str, variant: str) -> dict[str, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return reference(name, variant).state_dict()


def on_meta(name: str, variant: str) -> dict[str, Tensor]:
    with torch.device("meta"):
        return reference(name, variant).state_dict()


def file_of(folder: Path, weights: Mapping[str, Any]) -> Path:
    path = folder / "weights.pth"
    torch.save(weights, path)
    return path


@pytest.fixture(scope="module")
def small() -> dict[str, Tensor]:
    return drawn(*SMALL)


@pytest.fixture(scope="module")
def stored(small: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    return add(*SMALL, folder=folder / "stored", file=file_of(folder, small))


def test_weights_are_named_by_their_content_and_say_what_they_are(stored: Path, small, tmp_path: Path):
    again = add(*SMALL, folder=tmp_path, file=file_of(tmp_path, small))
    assert again.name == stored.name
    other = add(*SMALL, folder=tmp_path, file=file_of(tmp_path, {**small, "classifier.3.bias": torch.ones(1000)}))
    assert other.name != stored.name
    (row,) = listed(stored.parent)
    assert row == {
        "name": stored.stem,
        "size": stored.stat().st_size,
        "family": "mobilenet_v3",
        "variant": "small",
        "channels": 3,
        "classes": 1000,
        "pixels": 224,
        "source": row["source"],
        "method": "published",
        "data": None,
        "spent": None,
    }
    assert row["source"].startswith("file ")
    assert not list(stored.parent.glob(".*"))


def test_a_torn_file_is_listed_as_such(stored: Path, tmp_path: Path):
    (tmp_path / stored.name).write_bytes(stored.read_bytes()[:100])
    (row,) = listed(tmp_path)
    assert row["source"] == "unreadable: remove it"


def test_our_own_keys_and_those_of_a_training_are_taken_too(stored: Path, small, tmp_path: Path):
    save_file(load_file(stored), tmp_path / "ours.safetensors")
    nested = {"model": small, "epoch": 3}
    first = add(*SMALL, folder=tmp_path, file=tmp_path / "ours.safetensors")
    second = add(*SMALL, folder=tmp_path, file=file_of(tmp_path, nested))
    for path in (first, second):
        assert all(map(torch.equal, load_file(path).values(), load_file(stored).values()))


def test_what_the_library_publishes_is_stored_without_a_file(stored: Path, small, tmp_path: Path):
    path = add(*SMALL, folder=tmp_path, fetch=lambda name, variant: small)
    assert all(map(torch.equal, load_file(path).values(), load_file(stored).values()))
    assert listed(tmp_path)[0]["source"] == "torchvision mobilenet_v3_small"


def test_a_hub_that_cannot_be_reached_is_one_fault_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refused(*_: object) -> nn.Module:
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(fetch, "published", refused)
    with pytest.raises(DataError, match=r"torchvision mobilenet_v3_small cannot be had \(no route to host\).*--file"):
        add(*SMALL, folder=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "variant", "keys", "line"),
    [
        ("resnet", "18", SMALL, "not weights of torchvision resnet18: .* keys are missing, such as conv1.weight"),
        ("shufflenet", "x0.5", ("shufflenet", "x1.0"), "another net than shufflenet x0.5: body.* has another shape"),
        ("lenet", "5", SMALL, "not those of lenet 5, and neither torchvision nor timm"),
        ("mobilenet_v3", "tiny", SMALL, "mobilenet_v3 has no variant 'tiny'"),
        ("basic_cnn", "", SMALL, "published at no shape"),
    ],
)
def test_weights_of_another_net_are_refused(name: str, variant: str, keys: tuple[str, str], line: str, tmp_path: Path):
    with pytest.raises(InputError, match=line):
        add(name, variant, folder=tmp_path / "weights", file=file_of(tmp_path, drawn(*keys)))
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize("content", [b"", b"PK", b"no weights at all"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_that_holds_no_weights_is_refused(content: bytes, suffix: str, tmp_path: Path):
    path = tmp_path / f"some{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as weights"):
        add(*SMALL, folder=tmp_path, file=path)


def test_a_file_that_is_not_there_or_holds_other_things_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="there is no such file"):
        add(*SMALL, folder=tmp_path, file=tmp_path / "no.pth")
    with pytest.raises(DataError, match="holds no tensors by name"):
        add(*SMALL, folder=tmp_path, file=file_of(tmp_path, {"epoch": 3}))


def test_older_files_of_torchvision_are_read():
    densenet = on_meta("densenet", "121")
    aged = {
        key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2.") if "denselayer" in key else key: value
        for key, value in densenet.items()
        if not key.endswith("num_batches_tracked")
    }
    assert aged.keys() - densenet.keys()
    found, expected = convert(aged, "densenet", "121"), convert(densenet, "densenet", "121")
    assert list(found) == list(expected)
    assert all(
        found[key] is expected[key] or (key.endswith("num_batches_tracked") and found[key] == 0) for key in expected
    )


@pytest.mark.parametrize("name", dict.fromkeys(name for name, _ in REFERENCES))
def test_one_convolution_sees_the_image_and_the_last_layer_decides(name: str):
    variant = next(variant for known, variant in REFERENCES if known == name)
    nets = [
        published(name, variant, channels=channels, classes=classes, auxiliary=False).state_dict()
        for channels, classes in ((3, 1000), (1, 1000), (3, 7))
    ]
    differ = [{key for key in nets[0] if nets[0][key].shape != other[key].shape} for other in nets[1:]]
    assert differ[0] == {first_convolution(nets[0])}
    assert all(key.startswith("head.") for key in differ[1])
    assert (classes_of(nets[0]), classes_of(nets[2])) == (1000, 7)


@pytest.mark.parametrize(
    ("name", "variant", "theirs", "side", "channels"),
    [
        ("resnet", "18", "resnet18", 48, 1),
        ("resnet", "18", "resnet18", 64, 4),
        ("vit", "ti", "vit_tiny_patch16_224", 64, 1),
        ("vit", "ti", "vit_tiny_patch16_224", 256, 3),
        ("swin", "t", "swin_tiny_patch4_window7_224", 128, 3),
        ("coatnet", "0", "coatnet_0_224", 96, 1),
    ],
)
@pytest.mark.filterwarnings("ignore:torch.searchsorted", "ignore:Using a non-tuple sequence")  # timm's own
def test_channels_and_sizes_are_adapted_as_timm_does(name: str, variant: str, theirs: str, side: int, channels: int):
    weights = drawn(name, variant)
    size = {} if name == "resnet" else {"img_size": side}
    known = {"state_dict": weights, "hf_hub_id": None, "url": None, "num_classes": 1000, "input_size": (3, 224, 224)}
    expected = timm.create_model(theirs, pretrained=True, pretrained_cfg_overlay=known, in_chans=channels, **size)
    ours = net_of(name, variant, channels=channels, side=side)
    ours.load_state_dict(adapt(convert(weights, name, variant), ours))
    images = torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(images), expected.eval()(images), rtol=1e-4, atol=1e-4)


def test_in_smaller_windows_a_distance_keeps_its_bias():
    key = "body.stages.3.1.attn.relative_position_bias_table"
    net = net_of("swin", "t", side=128)
    rows = torch.arange(-6.0, 7.0).repeat_interleave(13)  # of windows of 7 places: how many rows two are apart
    weights = {**net.state_dict(), key: rows[:, None].repeat(1, 24)}
    found = adapt(weights, net)[key].reshape(7, 7, 24)  # of windows of 4
    expected = torch.arange(-3.0, 4.0)[:, None, None].expand(7, 7, 24)
    torch.testing.assert_close(found, expected, rtol=0, atol=0.05)  # timm's places are 1 % apart from whole ones


@pytest.mark.parametrize("side", [96, 256])
def test_dense_layers_on_another_grid_answer_as_torchvisions_net(side: int):
    theirs = torchvision.models.get_model("alexnet").eval()
    ours = net_of("alexnet", "2014", side=side)
    ours.load_state_dict(adapt(convert(theirs.state_dict(), "alexnet", "2014"), ours))
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-5)


def test_a_head_for_other_classes_stays_as_it_was_drawn(stored: Path):
    fresh, net = (net_of(*SMALL, classes=10) for _ in range(2))
    load(net, stored, named(stored), labels=())
    assert torch.equal(net.head[1].weight, fresh.head[1].weight)
    assert torch.equal(net.head[1].bias, fresh.head[1].bias)
    weights = load_file(stored)
    body = {key: value for key, value in net.state_dict().items() if key.startswith("body.")}
    assert all(torch.equal(value, weights[key]) for key, value in body.items())
    same = net_of(*SMALL)
    load(same, stored, named(stored), labels=())
    assert torch.equal(same.head[1].weight, weights["head.1.weight"])


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("auxiliary", [True, False])
def test_auxiliary_heads_may_be_had_or_not(kept: bool, auxiliary: bool):
    weights = {key: value for key, value in drawn("googlenet", "v1").items() if kept or not is_auxiliary(key)}
    net = net_of("googlenet", "v1", auxiliary=auxiliary)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    converted = convert(weights, "googlenet", "v1")
    net.load_state_dict(adapt(converted, net), strict=False)
    for key, value in net.state_dict().items():
        optional = key.startswith(("auxiliary.", "body.auxiliary."))
        assert torch.equal(value, before[key] if optional and not kept else converted[key])


@pytest.mark.parametrize(("name", "variant"), [("pvt", "b0"), ("swin", "t")])
def test_a_net_that_is_another_on_small_images_is_refused(name: str, variant: str):
    weights = convert(on_meta(name, variant), name, variant)
    with pytest.raises(SpecError, match=r"model.resolution: on 32 pixels the net is another than the weights are of"):
        adapt(weights, net_of(name, variant, side=32))


def test_a_changed_or_missing_file_is_refused(stored: Path, tmp_path: Path):
    net, torn = net_of(*SMALL), tmp_path / stored.name
    with pytest.raises(UnknownError, match=r"no weights 'mobilenet_v3-small-.*isoflop weights add"):
        load(net, torn, named(stored), labels=())
    content = bytearray(stored.read_bytes())
    content[-1] ^= 1
    torn.write_bytes(content)
    before = json.dumps([value.sum().item() for value in net.state_dict().values()])
    with pytest.raises(DataError, match="is torn or was changed"):
        load(net, torn, named(stored), labels=())
    assert json.dumps([value.sum().item() for value in net.state_dict().values()]) == before


def shape_fault(**model: Any) -> str:
    with pytest.raises(SpecError) as caught:
        Shape.of(ModelConfig.model_validate(model), 64)
    (fault,) = caught.value.faults
    assert fault.where == "model.weights"
    return str(fault)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"stem": 4, "depth": 2}, ("model.depth is 2.0", "set model.depth: 1.0, or leave model.weights out")),
        ({"stem": 4, "width": 0.5, "phi": 1}, ("model.width is 0.5, model.phi is 1.0", "model.width: 1.0")),
        ({}, ("model.stem is 1", "set model.stem: 4")),
        ({"stem": 4, "norm": "group"}, ("model.norm is group", "set model.norm: batch")),
        ({"stem": 4, "divisor": 4}, ("model.divisor is 4", "set model.divisor: 8")),
        ({"stem": 4, "variant": "50"}, ("not weights of resnet 50", "isoflop weights add resnet --variant 50")),
        ({"family": "vit", "stem": 16}, ("not weights of vit ti", "isoflop weights add vit --variant ti")),
    ],
)
def test_weights_fit_the_published_net_alone(model: dict[str, Any], words: tuple[str, ...]):
    line = shape_fault(**{"family": "resnet", "weights": "resnet-18-01234567", **model})
    assert all(word in line for word in words)


def test_resolution_dropout_and_auxiliary_heads_are_free():
    free = {"resolution": 96, "dropout": 0.2, "weights": "googlenet-v1-01234567", "auxiliary": False, "stem": 8}
    assert Shape.of(ModelConfig.model_validate({"family": "googlenet", **free}), 32).resolution == 96


def test_a_name_of_weights_is_checked_where_it_is_written():
    for name in ("resnet", "../x-01234567", "resnet-18-0123456"):
        with pytest.raises(SpecError, match="is no name of weights; give one that isoflop weights list shows"):
            take("model.weights", name, ("resnet",))
        with pytest.raises(SpecError, match=r"^model.weights: .* is no name of weights"):
            TrialConfig.from_params({"model.family": "resnet", "model.weights": name, "data.name": "digits"})


def spec(**space: Any) -> Any:
    return spec_from_tree(
        {"space": {"model.family": "resnet", **space}, "study": {"data": "digits"}}, where="s.yaml", name="s"
    )


def test_weights_and_freezing_are_fixed_or_searched_like_any_key():
    name = "resnet-18-01234567"
    searched = spec(
        **{
            "model.weights": {
                "choice": {"": {"train.freeze": False}, name: {"train.freeze": {"choice": [True, False]}}}
            },
            "model.stem": 4,
        }
    ).space
    assert list(searched.values("model.weights")) == ["", name]
    assert set(searched.values("train.freeze")) == {True, False}
    with pytest.raises(SpecError, match=r"s.yaml: space.model.weights: .*model.stem is 1; set model.stem: 4"):
        spec(**{"model.weights": name})


def test_weights_that_were_never_added_are_named_with_the_remedy(tmp_path: Path):
    with pytest.raises(UnknownError) as caught:
        Home(tmp_path).check_weights(["", "efficientnet_lite-0-01234567", "vit-ti-01234567"])
    assert len(caught.value.faults) == 2
    assert "run: isoflop weights add efficientnet_lite --variant 0" in str(caught.value)
