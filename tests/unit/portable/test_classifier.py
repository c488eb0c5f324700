"""What a portable model reads and answers, of one label an image and of several."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from isoflop.config import TrialConfig
from isoflop.errors import DataError
from isoflop.inference import Model, with_weights
from isoflop.models import build
from isoflop.portable.shelf import example
from isoflop.tasks import CLASSIFICATION, MULTILABEL, Kind
from isoflop.trained import Facts
from tests.made_up import CONFIG

SIDE = 16


def model(task: Kind = CLASSIFICATION, channels: int = 3) -> Model:
    """An untrained net that tells three classes apart."""
    config = TrialConfig.from_params({**CONFIG, "model.family": "lenet", "model.depth": 1.0, "data.name": "made"})
    facts = Facts(
        config=config,
        image=(channels, SIDE, SIDE),
        classes=("cat", "dog", "owl"),
        mean=(0.4, 0.5, 0.6)[:channels],
        std=(0.2,) * channels,
        task=task,
    )
    net = build(config.model, image=facts.image, classes=3, seed=0)
    return with_weights(net.state_dict(), facts, torch.device("cpu"))


def file(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, format=kind)
    return held.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
def test_files_become_the_pixels_of_a_prepared_set(channels: int):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (SIDE, SIDE, channels), np.uint8)
    found = model(channels=channels).read([file(pixels[..., 0] if channels == 1 else pixels)])
    assert found.dtype == np.uint8
    assert np.array_equal(found[0], pixels.transpose(2, 0, 1))
    wide = np.tile(pixels, (2, 3, 1))
    assert model(channels=channels).read([file(wide[..., 0] if channels == 1 else wide)]).shape == found.shape


def test_a_file_that_is_no_image_is_named_by_its_place():
    with pytest.raises(DataError, match="image 1: not an image of a known format"):
        model().read([file(np.zeros((SIDE, SIDE), np.uint8)), b"GIF"])


def test_weights_of_another_net_are_refused_in_one_line():
    one = model()
    weights = dict(one.net.state_dict())
    weights.popitem()
    with pytest.raises(DataError, match="weights: are not those of its configuration") as error:
        with_weights(weights, one.facts)
    assert "\n" not in str(error.value)


def test_how_many_images_at_once_changes_no_answer_and_none_is_none():
    one = model()
    images = np.random.default_rng(0).integers(0, 256, (7, 3, SIDE, SIDE), np.uint8)
    pieces = Model(one.net, Facts(**{**_fields(one.facts), "config": _micro(one.facts.config, 3)}))
    assert pieces.logits(images) == pytest.approx(one.logits(images), abs=1e-6)
    assert one.logits(images[:0]).shape == (0, 3)


def test_of_one_label_an_image_the_likeliest_is_named():
    from isoflop.portable.classifier import answers

    frame = answers(model(), np.array([[0.0, 2.0, 1.0], [3.0, 0.0, 0.0]], np.float32))
    assert frame.label.to_list() == ["dog", "cat"]
    assert frame.probability.to_list() == [max(row) for row in frame.probabilities]
    assert [sum(row) for row in frame.probabilities] == pytest.approx([1.0, 1.0])


def test_of_several_labels_those_with_more_than_even_odds_are_named():
    from isoflop.portable.classifier import answers

    frame = answers(model(MULTILABEL), np.array([[0.1, -2.0, 1.0], [-3.0, -1.0, 0.0]], np.float32))
    assert frame.labels.to_list() == [["cat", "owl"], []]
    assert list(frame.columns) == ["labels", "probabilities", "logits"]
    assert frame.probabilities[1][2] == 0.5


@pytest.mark.parametrize("task", [CLASSIFICATION, MULTILABEL])
def test_the_signature_names_what_comes_out(task: Kind):
    from isoflop.portable.classifier import answers, signature

    one = model(task)
    found = signature(task)
    assert found.inputs.input_names() == ["image"]
    logits = one.logits(one.read(list(example(one.facts).image)))
    assert found.outputs.input_names() == list(answers(one, logits).columns)


def _fields(facts: Facts) -> dict[str, object]:
    return {name: getattr(facts, name) for name in ("config", "image", "classes", "mean", "std", "task")}


def _micro(config: TrialConfig, size: int) -> TrialConfig:
    return config.model_copy(update={"train": config.train.model_copy(update={"micro_batch": size})})
