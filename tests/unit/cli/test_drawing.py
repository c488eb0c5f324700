"""The picture of a net says what was counted, and can be read."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
import torch

from isoflop.cli.drawing import TIMES, WIDTH, Stage, stages, svg
from isoflop.config import ModelConfig
from isoflop.families import families, family
from isoflop.models import Cost, build, cost
from isoflop.models.outline import outline

NAMESPACE = "{http://www.w3.org/2000/svg}"
SIDE = 64
every_family = pytest.mark.parametrize("name", families())


def model(name: str, **settings) -> ModelConfig:
    return ModelConfig(family=name, **{"depth": 0.25, "width": 0.25, **settings})


def parts(name: str, **settings) -> tuple[Cost, dict[str, tuple[int, ...]]]:
    made = model(name, **settings)
    image = (3, SIDE, SIDE)
    return cost(made, image=image, classes=10), dict(outline(made, image=image, classes=10))


def drawn(name: str, **settings) -> ET.Element:
    return ET.fromstring(svg(f"{name} <&> {SIDE}", *parts(name, **settings)))


def texts(root: ET.Element) -> list[str]:
    return [str(element.text) for element in root.iter(f"{NAMESPACE}text")]


def heights(root: ET.Element) -> list[float]:
    """Of the front of each plate."""
    fronts = [group.find(f"{NAMESPACE}polygon") for group in root.iter(f"{NAMESPACE}g")]
    points = [[float(point.split(",")[1]) for point in front.attrib["points"].split()] for front in fronts]
    return [max(each) - min(each) for each in points]


@every_family
def test_stages_add_up_to_the_net_and_end_with_its_head(name):
    found, outputs = parts(name)
    made = stages(found, outputs)
    assert sum(stage.parameters for stage in made) == found.parameters
    assert sum(stage.flops for stage in made) == found.flops
    assert made[-1].name == "head"
    assert made[-1].output == (10,)
    assert 3 <= len(made) <= 24


@every_family
def test_every_map_is_there(name):
    """What `features` gives, tokens where they do not lie in a grid."""
    with torch.device("meta"):
        net = build(model(name), image=(3, SIDE, SIDE), classes=10).eval()
        maps = [tuple(made.shape[1:]) for made in net.features(torch.empty(2, 3, SIDE, SIDE)).values()]
    made = [stage for stage in stages(*parts(name)) if len(stage.output) > 1]
    sizes = {(stage.channels, round(stage.places)) for stage in made}
    assert {(channels, side) for channels, side, _ in maps} <= sizes


def assert_readable(root: ET.Element) -> None:
    """Every text ends within the picture, and those of a stage before the next one's."""
    width = float(root.attrib["width"])
    for text in root.iter(f"{NAMESPACE}text"):
        if text.attrib["text-anchor"] == "start":
            assert float(text.attrib["x"]) + length(text) <= width, text.text
    for group in root.iter(f"{NAMESPACE}g"):
        assert all(length(text) < WIDTH - 6 for text in group.iter(f"{NAMESPACE}text")), texts(group)


def length(text: ET.Element) -> float:
    """Letters of DejaVu Sans, which is a wide font, are 0.52 of their height wide on the average, bold ones 0.6."""
    letter = 0.62 if text.attrib["font-weight"] == "600" else 0.55
    return letter * float(text.attrib["font-size"]) * len(str(text.text))


@every_family
def test_the_picture_is_xml_that_can_be_read(name):
    assert_readable(drawn(name))


def test_long_names_are_cut():
    found, outputs = parts("resnet")
    layers = [replace(layer, name=layer.name.replace("stem", 30 * "m")) for layer in found.layers]
    root = ET.fromstring(svg("net", replace(found, layers=tuple(layers)), outputs))
    assert_readable(root)
    assert "mmmmmmmmmmmmmm\N{HORIZONTAL ELLIPSIS}" in texts(root)


def test_it_says_what_was_counted():
    found, _ = parts("resnet", variant="50", width=1.0, depth=1.0)
    said = texts(drawn("resnet", variant="50", width=1.0, depth=1.0))
    assert said[0] == "resnet <&> 64"
    assert f"{found.parameters:,} parameters" in said[1]
    assert {"stem", *(f"stages.{place}" for place in range(4)), "head"} <= set(said)
    assert {TIMES.join(("64", "64", "64")), TIMES.join(("2048", "8", "8")), "10"} <= set(said)


def test_plates_shrink_with_their_maps():
    tall = heights(drawn("resnet", width=1.0))
    assert all(before >= after for before, after in pairwise(tall))
    assert tall[1] > 2 * tall[-2] > 2 * tall[-1]


def test_transformer_blocks_are_one_plate_and_hold_the_embeddings():
    found, outputs = parts("vit", stem=16)
    patches, blocks, head = stages(found, outputs)
    tokens = (SIDE // 16) ** 2 + 1
    assert (patches.name, blocks.name, head.name) == ("patch_embed", "blocks", "head")
    assert patches.output[0] == blocks.output[0] == tokens
    assert patches.said() == f"17 tokens{TIMES}{patches.channels}"
    width = patches.channels
    assert patches.parameters == (3 * 16**2 + 1) * width + (tokens + 1) * width  # patches, places, class token


@pytest.mark.parametrize(
    ("output", "places", "channels"),
    [((64, 7, 7), 7, 64), ((7, 7, 64), 7, 64), ((7, 7, 7), 7, 7), ((49, 96), 7, 96), ((1000,), 1, 1000)],
)
def test_outputs_are_maps_tokens_or_vectors(output, places, channels):
    stage = Stage(name="x", output=output, parameters=0, flops=0, receptive_field=1)
    assert (stage.places, stage.channels) == (places, channels)


def test_a_map_is_said_with_its_channels_first():
    said = {
        Stage(name="x", output=o, parameters=0, flops=0, receptive_field=1).said() for o in ((96, 7, 7), (7, 7, 96))
    }
    assert said == {TIMES.join(("96", "7", "7"))}


def made(outputs: dict[str, tuple[int, ...]], *, free: frozenset[str] | set[str] = frozenset()) -> list[Stage]:
    """Stages of a net whose modules give these, each with a layer in it that has 100 parameters."""
    found, _ = parts("lenet")
    layer = replace(found.layers[0], output=(1, 1, 1), parameters=100, flops=100)
    nothing = replace(layer, parameters=0, flops=0)
    layers = [replace(nothing if name in free else layer, name=f"{name}.branch") for name in outputs]
    layers.append(replace(layer, name="head.0", output=(10,)))
    total = 100 * (len(layers) - len(free))
    return stages(replace(found, layers=tuple(layers), parameters=total, flops=total), outputs)


def test_blocks_of_a_list_that_give_as_much_are_one_plate():
    sizes = [(8, 8, 8), (16, 8, 8), (16, 8, 8), (16, 8, 8), (16, 4, 4)]
    blocks = {f"body.stages.{place}": size for place, size in enumerate(sizes)}
    found = made({"body.stem": (8, 8, 8), **blocks})
    assert [(stage.name, stage.output, stage.parameters) for stage in found] == [
        ("stem", (8, 8, 8), 100),
        ("stages.0", (8, 8, 8), 100),
        ("stages.1-3", (16, 8, 8), 300),
        ("stages.4", (16, 4, 4), 100),
        ("head", (10,), 100),
    ]


def test_a_pool_is_a_plate_only_where_no_block_has_its_map():
    sizes = [(8, 8, 8), (8, 4, 4), (16, 4, 4), (16, 2, 2), (16,)]
    blocks = {f"body.stages.{place}": size for place, size in enumerate(sizes)}
    found = made(blocks, free={"body.stages.1", "body.stages.3", "body.stages.4"})
    assert [(stage.name, stage.output) for stage in found] == [
        ("stages.0", (8, 8, 8)),
        ("stages.2", (16, 4, 4)),
        ("stages.3", (16, 2, 2)),
        ("head", (10,)),
    ]


def test_a_stem_is_one_plate_and_blocks_of_one_size_are():
    parts = {"body.stem.0": (8, 8, 8), "body.stem.1": (8, 4, 4), "body.blocks.0": (5, 8), "body.blocks.1": (5, 8)}
    found = made({**parts, "body.stem": (8, 4, 4), "body.blocks": (5, 8)})
    assert [(stage.name, stage.output) for stage in found] == [("stem", (8, 4, 4)), ("blocks", (5, 8)), ("head", (10,))]


def test_many_stages_stand_in_rows_of_like_length():
    root = drawn("efficientnet", stem=family("efficientnet").published)
    lines = list(root.iter(f"{NAMESPACE}line"))
    assert len(lines) == 2
    lengths = [float(line.attrib["x2"]) - float(line.attrib["x1"]) for line in lines]
    assert max(lengths) - min(lengths) <= WIDTH
