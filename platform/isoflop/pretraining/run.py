"""A training without labels: the same loop, with another head, another task and other batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch

from isoflop.config import PretrainConfig, TrialConfig
from isoflop.data.batches import Batches
from isoflop.errors import Fault, SpecError
from isoflop.models import Net, build, cost
from isoflop.models.counting import undrawn
from isoflop.pretraining.contrastive import VIEWS, Contrast, Contrastive, Views
from isoflop.pretraining.masked import Masked, Masks, Painting, patch_of
from isoflop.records import Artifact
from isoflop.seeds import derive
from isoflop.trained import artifact
from isoflop.training.split import Split
from isoflop.training.task import Task
from isoflop.trial import Given, TrialRun
from isoflop.weights import Origin


def pretrain(
    config: TrialConfig,
    how: PretrainConfig,
    seed: int,
    *,
    data: Path | None = None,
    checkpoints: Path | None = None,
    weights: Mapping[str, Path] | None = None,
    device: torch.device | None = None,
) -> PretrainRun:
    """Train a body on the training images of a prepared set without their labels: an iterator of `Record`.

    It repeats and goes on bit for bit as `run_trial` does, and its `finish` leaves the body in a folder of weights. Its
    only metric is its own loss, `val_loss` on validation images. Raises `SpecError` for settings that make no sense
    without labels, and as `run_trial` does.
    """
    if faults := list(_faults(config)):
        raise SpecError(*faults)
    given = Given(data=data, checkpoints=checkpoints, weights=weights or {})
    return PretrainRun(config, how, seed, given, device=device)


class PretrainRun(TrialRun):
    """A training without labels under way."""

    def __init__(
        self, config: TrialConfig, how: PretrainConfig, seed: int, given: Given, *, device: torch.device | None = None
    ) -> None:
        self.how = how
        super().__init__(config, seed, given, device=device)

    def finish(self, folder: Path, *, weights: bool = True) -> Sequence[Artifact]:
        """Leave the body in a folder of weights, under a name with a hash of its content: nothing else is left of it.

        Raises `StateError` where the disk refuses.
        """
        if not weights:
            return []
        from isoflop.models.pretrained.store import add_own  # it brings all of timm, which the loop needs not

        body = {key: value for key, value in self.fit.answering.state_dict().items() if key.startswith("body.")}
        source = f"{self.how.method} on {self.config.data.name}, seed {self.seed}"
        return [artifact("weights", add_own(body, self._origin(), folder=folder, source=source))]

    def _origin(self) -> Origin:
        config, prepared = self.config, self.prepared
        return Origin(
            method=self.how.method,
            config={**config.model_dump(mode="json"), "pretrain": self.how.model_dump(mode="json")},
            seed=self.seed,
            data=prepared.digest,
            spent=self.fit.length.spent(self.step),
            forward=float(cost(config.model, image=prepared.shape, classes=prepared.outputs).flops),
            image=prepared.shape,
            labels=(),
            mean=prepared.mean,
            std=prepared.std,
            request=prepared.manifest.origin()["request"],
        )

    @property
    def _owner(self) -> str:
        return f"{super()._owner}/{self.how.model_dump_json()}"

    def _net(self) -> Net:
        net = super()._net()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive(self.seed, "pretext") % 2**31)
            return self._headed(net)

    def _headed(self, net: Net) -> Contrastive | Masked:
        """A net with the method's head in place of its own."""
        if self.how.method == "simclr":
            return Contrastive(net, self.how.projection)
        stride, channels = self._last_map()
        return Masked(net, self.prepared.shape[0], stride=stride, channels=channels)

    def _last_map(self) -> tuple[int, int]:
        """Stride and channels of the body's last map, seen on the meta device: nothing is computed."""
        net = self._bare()
        side = net.shape.resolution
        *_, (stride, last) = net.features(torch.empty(2, self.prepared.shape[0], side, side, device="meta")).items()
        return stride, last.shape[1]

    def _bare(self) -> Net:
        """The net on the meta device."""
        with undrawn():
            model = self.config.model.model_copy(update={"weights": ""})
            return build(model, image=self.prepared.shape, classes=1).eval()

    def _counted(self, share: float = 1.0) -> int:
        """FLOPs of an image: of both views, and of the method's head in place of the net's."""
        assert share == 1, "images do not grow"
        found = cost(self.config.model, image=self.prepared.shape, classes=self.prepared.outputs)
        body = sum(layer.flops for layer in found.layers if not layer.auxiliary and layer.name.split(".")[0] == "body")
        with torch.device("meta"):
            head = self._headed(self._bare()).flops
        return (VIEWS if self.how.method == "simclr" else 1) * (body + head)

    def _task(self) -> Task:
        if self.how.method == "simclr":
            return Contrast(self.how.temperature, self.config.train.piece)
        return Painting()

    def _seen(self, found: Batches) -> Split:
        """Images as the method sees them."""
        if self.how.method == "simclr":
            return Views(found, self.config.augment)
        patch = self.how.patch or patch_of(self.net.shape.resolution, self.net.shape.stem)
        return Masks(found, share=self.how.mask, patch=patch)


def _faults(config: TrialConfig) -> Iterator[Fault]:
    """What makes no sense without labels."""
    if config.train.devices > 1:
        yield Fault("train.devices", f"{config.train.devices}: a pretraining has one device alone", "set it to 1")
    if config.fused.members > 1:
        yield Fault("fused.members", f"{config.fused.members}: pretrainings cannot be fused", "leave it out")
    if config.train.freeze:
        yield Fault("train.freeze", "true leaves nothing to be learned without labels", "leave it out")
    if config.resize.start < 1:
        yield Fault("resize.start", f"{config.resize.start:g}: images of a pretraining do not grow", "leave it out")
    if config.distill.teacher:
        yield Fault("distill.teacher", f"{config.distill.teacher} knows labels, which are not used", "leave it out")
    if config.adversary.turns:
        yield Fault("adversary.name", f"{config.adversary.name} attacks what is said of labels", "leave it out")
