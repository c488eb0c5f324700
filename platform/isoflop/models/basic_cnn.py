"""The plain convolutional net of tutorials: stages of convolution, normalization, activation and pooling.

Four stages that double their width, each halving the map, then global average pooling. All of its parts can be
exchanged, so it is the net to try building blocks on. There are no residual paths that `drop_path` could drop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn

from isoflop.config import ModelConfig
from isoflop.models.blocks import activation, attention, convolution, downsampling, normalization, pooling
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stride import fitted
from isoflop.scaling import Shape

WIDTHS = (32, 64, 128, 256)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What its stages are made of, by name."""

    convolution: str
    norm: str
    activation: str
    attention: str
    downsample: str
    pool: str

    @classmethod
    def of(cls, model: ModelConfig) -> Self:
        """The parts that a configuration names."""
        return cls(**{name: str(model.knob(name)) for name in cls.__dataclass_fields__})


class BasicCNN(Staged):
    """Four stages and a pooling."""

    def __init__(self, shape: Shape, parts: Parts, *, channels: int) -> None:
        super().__init__()
        side, stride, inputs = -(-shape.resolution // shape.stem), shape.stem, channels
        for place, step in enumerate(fitted((2,) * len(WIDTHS), side)):
            outputs = shape.channels(WIDTHS[place])
            strides = [shape.stem if place == 0 else 1] + [1] * (shape.layers(1) - 1)
            layers = [*_stage(inputs, outputs, strides, parts)]
            if step > 1:
                layers.append(downsampling(parts.downsample, outputs))
            self.stages.append(nn.Sequential(*layers))
            inputs, stride = outputs, stride * step
            self.strides.append(stride)
        self.pool = pooling(parts.pool, inputs)
        self.channels = self.pool.length

    def forward(self, x: Tensor) -> Tensor:
        """The last map, pooled."""
        vector: Tensor = self.pool(self.last(x))
        return vector


def _stage(inputs: int, outputs: int, strides: Iterable[int], parts: Parts) -> Iterator[nn.Module]:
    """A convolution for each stride, then attention."""
    for stride in strides:
        yield convolution(parts.convolution, inputs, outputs, stride=stride)
        yield normalization(parts.norm, outputs)
        yield activation(parts.activation)
        inputs = outputs
    yield attention(parts.attention, outputs)


@register("basic_cnn")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """The plain net of a shape; depth is convolutions a stage."""
    return BasicCNN(shape, Parts.of(model), channels=channels)
