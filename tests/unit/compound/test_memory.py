"""What nets were counted as outlasts a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from isoflop.compound.memory import Memory
from isoflop.config import ModelConfig
from isoflop.errors import Fault, SpecError
from isoflop.scaling.extent import Extent

NET, OTHER = ModelConfig(family="resnet"), ModelConfig(family="resnet", width=0.3)


class Counter:
    def __init__(self) -> None:
        self.asked: list[float] = []

    def __call__(self, model: ModelConfig) -> Extent:
        self.asked.append(model.width)
        return Extent(depth=17, width=64 * model.width, resolution=32.0, flops=1e6 / 3 * model.width)


def test_a_net_is_counted_once(tmp_path: Path):
    counter = Counter()
    first = Memory(counter, tmp_path, "a")
    assert first(NET) == first(NET) == Counter()(NET)
    assert Memory(counter, tmp_path, "a")(NET) == Counter()(NET)
    assert counter.asked == [1.0]
    assert Memory(counter, tmp_path, "another image")(NET) == Counter()(NET)
    assert counter.asked == [1.0, 1.0]


def test_a_torn_line_is_passed_over(tmp_path: Path):
    memory = Memory(Counter(), tmp_path, "a")
    memory(NET)
    memory(OTHER)
    memory.path.write_text(memory.path.read_text()[:-9])
    counter = Counter()
    again = Memory(counter, tmp_path, "a")
    assert (again(NET), again(OTHER)) == (Counter()(NET), Counter()(OTHER))
    assert counter.asked == [0.3]


def test_what_cannot_be_is_asked_again(tmp_path: Path):
    def refuse(model: ModelConfig) -> Extent:
        raise SpecError(Fault("model", "cannot be", "change it"))

    memory = Memory(refuse, tmp_path, "a")
    with pytest.raises(SpecError):
        memory(NET)
    assert Memory(Counter(), tmp_path, "a")(NET) == Counter()(NET)
