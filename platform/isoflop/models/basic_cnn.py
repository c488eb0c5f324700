"""The plain convolutional net of tutorials: stages of convolution, normalization, activation and pooling.

Four stages that double their width, each halving the map, then global average pooling. All of its parts can be
exchanged, so it is the net to try building blocks on. There are no residual paths that `drop_path` could drop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import nn

from isoflop.config import ModelConfig
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stride import fitted
from isoflop.scaling import Shape

WIDTHS = (32, 64, 128, 256)


class BasicCNN(Staged):
    """Four stages."""

    def __init__(self, shape: Shape, *, channels: int) -> None:
        super().__init__()
        side, stride, inputs = -(-shape.resolution // shape.stem), shape.stem, channels
        for place, step in enumerate(fitted((2,) * len(WIDTHS), side)):
            outputs = shape.channels(WIDTHS[place])
            strides = [shape.stem if place == 0 else 1] + [1] * (shape.layers(1) - 1)
            stage = nn.Sequential(*_stage(inputs, outputs, strides))
            if step > 1:
                stage.append(nn.MaxPool2d(step, ceil_mode=True))
            self.stages.append(stage)
            inputs, stride = outputs, stride * step
            self.strides.append(stride)
        self.channels = inputs


def _stage(inputs: int, outputs: int, strides: Iterable[int]) -> Iterator[nn.Module]:
    """A convolution for each stride."""
    for stride in strides:
        yield nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        yield nn.BatchNorm2d(outputs)
        yield nn.ReLU(inplace=True)
        inputs = outputs


@register("basic_cnn")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """The plain net of a shape; depth is convolutions a stage."""
    del model
    return BasicCNN(shape, channels=channels)
