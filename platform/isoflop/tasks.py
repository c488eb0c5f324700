"""What data sets ask of a model: the kinds of tasks, and what each is measured by. There is nothing to import here.

A kind says in words what stands in `training/task.py` as code: what its targets are, and which metrics it has, each
with the direction that is better. Above a task nothing names a metric of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from isoflop.errors import Fault, InputError, UnknownError, did_you_mean

VAL: Final = "val_"
TEST: Final = "test_"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One number about a model's answers to a whole split."""

    name: str
    sign: int = 1
    """1 where more is better, -1 where less is."""
    share: bool = True
    """Whether it lies in [0, 1], so that people read it in percent."""
    costly: bool = False
    """Whether it sorts the images once a class: a report has it only where the study asks, the last one always."""
    above: int = 1
    """It says something only with more classes than this."""
    fair: bool = False
    """Whether a small class weighs as much as a large one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of task."""

    name: str
    targets: str
    """What an image's target is, and its array in a prepared set."""
    metrics: tuple[Metric, ...]
    """The first is what a study maximizes or minimizes where its spec says nothing else."""
    hit: str
    """The metric that is the share of images answered wholly rightly."""

    def outputs(self, classes: int) -> int:
        """How many numbers the net's head has for an image: one logit a class in all kinds so far."""
        return classes

    @property
    def first(self) -> str:
        """The metric that picks, as it is called on validation."""
        return VAL + self.metrics[0].name

    def offered(self, classes: int) -> tuple[Metric, ...]:
        """The metrics that say something of so many classes."""
        return tuple(metric for metric in self.metrics if classes > metric.above)


LOSS: Final = Metric(name="loss", sign=-1, share=False)
ECE: Final = Metric(name="ece", sign=-1)
MACRO_F1: Final = Metric(name="macro_f1", fair=True)
AUROC: Final = Metric(name="auroc", costly=True, fair=True)

CLASSIFICATION: Final = Kind(
    name="classification",
    targets="a class index, int64 (N,)",
    metrics=(
        Metric(name="accuracy"),
        Metric(name="balanced_accuracy", fair=True),
        MACRO_F1,
        Metric(name="top5_accuracy", above=5),
        LOSS,
        ECE,
        AUROC,
    ),
    hit="accuracy",
)
MULTILABEL: Final = Kind(
    name="multilabel",
    targets="any number of classes, multi-hot uint8 (N, classes)",
    metrics=(
        Metric(name="map", costly=True, fair=True),
        MACRO_F1,
        Metric(name="micro_f1"),
        Metric(name="exact_match"),
        Metric(name="hamming_loss", sign=-1),
        LOSS,
        ECE,
        AUROC,
    ),
    hit="exact_match",
)
KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in (CLASSIFICATION, MULTILABEL)}
USUAL: Final = CLASSIFICATION
"""What a set is that does not say its task, and a spec until its data set is known."""


def kind_of(name: str) -> Kind:
    """A kind by its name. Raises `UnknownError`."""
    if name not in KINDS:
        raise UnknownError(Fault("task", f"unknown task {name!r}", did_you_mean(name, KINDS)))
    return KINDS[name]


def earned() -> tuple[str, ...]:
    """Every metric of any kind as it is called on validation, each once."""
    return tuple(dict.fromkeys(VAL + metric.name for kind in KINDS.values() for metric in kind.metrics))


def metric_of(name: str) -> Metric | None:
    """The metric behind a name such as `val_accuracy` or `test_loss`, none where it is no metric of a task."""
    bare = name.removeprefix(VAL).removeprefix(TEST)
    return _METRICS.get(bare) if bare != name else None


def refuse_strangers(names: Iterable[tuple[str, str]], kind: Kind, classes: int, data: str) -> None:
    """Raise `InputError` with each metric, as (where it stands, its name), that a data set's task does not have."""
    known = [VAL + metric.name for metric in kind.offered(classes)]
    faults = [
        Fault(where, f"data set {data} ({kind.name}, {classes} classes) has no {name}", f"it has: {', '.join(known)}")
        for where, name in names
        if metric_of(name) is not None and name not in known
    ]
    if faults:
        raise InputError(*faults)


_METRICS: Final[Mapping[str, Metric]] = {metric.name: metric for kind in KINDS.values() for metric in kind.metrics}
