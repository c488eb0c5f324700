"""What all parts measure on: the nets, the images, and how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from isoflop.config import TrialConfig
from isoflop.data import PreparedData, open_prepared
from isoflop.data.batches import Batches
from isoflop.data.feed import Feed
from isoflop.data.preparation import prepare_source
from isoflop.data.sources.idx import idx_source
from isoflop.data.sources.synthetic import synthetic_source
from isoflop.families import Scalar
from isoflop.length import Length
from isoflop.models import Net, cost
from isoflop.models.net import LAYOUT
from isoflop.trained import batches
from isoflop.training.fit import Fit
from isoflop.training.objective import Objective, Supervised
from isoflop.training.task import Classification
from isoflop.trial import build_net

SIDE = 28
NETS: Mapping[str, Mapping[str, Scalar]] = {
    "lenet": {"model.family": "lenet", "optim.lr": 0.05},
    "resnet": {"model.family": "resnet", "model.depth": 0.5, "model.width": 0.25, "optim.lr": 0.05},
    "efficientnet": {"model.family": "efficientnet", "model.depth": 0.5, "model.width": 0.5, "optim.lr": 0.05},
    "vit": {
        "model.family": "vit",
        "model.stem": 4,
        "model.depth": 0.5,
        "model.width": 0.67,
        "optim.name": "adamw",
        "optim.lr": 1e-3,
    },
}
"""Small ones, for every device."""
LARGE: Mapping[str, Mapping[str, Scalar]] = {
    "resnet-18": {"model.family": "resnet", "model.stem": 1, "optim.lr": 0.05},
    "vit-ti": {"model.family": "vit", "model.stem": 4, "optim.name": "adamw", "optim.lr": 1e-3},
}
"""Those that a GPU is measured with beside them."""

CLASSES = 10
"""Of the images, whether made or of Fashion-MNIST."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """The device, the prepared images, and how much is measured."""

    device: torch.device
    data: Path
    nets: Mapping[str, Mapping[str, Scalar]]
    batch: int
    steps: int
    """Of one measurement."""
    rounds: int
    """Measurements of each kind, one after the other in turn; the median counts."""
    members: tuple[int, ...]
    processes: tuple[int, ...]

    @property
    def prepared(self) -> PreparedData:
        """The images."""
        return open_prepared(self.data)

    def config(self, net: str, **more: Scalar) -> TrialConfig:
        """A net's training, long enough for whatever is measured."""
        plain: dict[str, Scalar] = {
            "data.name": self.data.name,
            "train.batch_size": self.batch,
            "train.horizon": 1e4,
            "train.reports": 1,
            "augment.crop": 2,
            "augment.flip": True,
        }
        return TrialConfig.from_params({**plain, **self.nets[net], **more})

    def net(self, config: TrialConfig, seed: int, dtype: torch.dtype = torch.float32) -> Net:
        """A net as a training begins with it, on the device."""
        return build_net(config, self.prepared, seed).to(self.device, dtype).to(memory_format=LAYOUT)

    def split(self, name: str, config: TrialConfig, net: Net) -> Batches:
        """A split as a net sees it."""
        return batches(self.prepared, Feed.of(self.prepared, name, config.data, self.device), net, self.device)

    def length(self, config: TrialConfig) -> Length:
        """How long a training is."""
        prepared = self.prepared
        images, flops = len(prepared.split("train")[1]), cost(config.model, image=prepared.shape, classes=CLASSES).flops
        return Length.of(config.train, images=images, flops=flops)

    def fit(
        self, config: TrialConfig, seed: int, *, changed: Callable[[Objective, Net], Objective] | None = None
    ) -> Fit:
        """A training, with its objective changed where that is asked for."""
        net, task = self.net(config, seed), Classification(config.loss)
        train, val = (self.split(name, config, net) for name in ("train", "val"))
        plain = Supervised(task)
        return Fit(
            net,
            task,
            objective=changed(plain, net) if changed else plain,
            train=train,
            val=val,
            config=config,
            length=self.length(config),
            seed=seed,
        )


def images(root: Path, *, idx: Path | None, count: int) -> Path:
    """A prepared set: the IDX files of a folder, else made images whose class can be learned."""
    if idx is not None:
        prepare_source(idx_source(idx), root=root, name="images")
    else:
        made = synthetic_source(classes=CLASSES, images=count, size=SIDE)
        prepare_source(made, root=root, name="images")
    return root / "images"
