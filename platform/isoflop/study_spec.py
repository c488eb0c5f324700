"""What a study is: the `study:` part of a spec, frozen and checked when made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, field_validator, model_validator

from isoflop.config import Axis, Count, Name, NotNegative, Part, Positive
from isoflop.errors import Fault, SpecError, did_you_mean
from isoflop.families import Scalar
from isoflop.scale_spec import ScaleSpec
from isoflop.tasks import USUAL, earned, metric_of


def seconds(text: str) -> float:
    """Read a duration such as `90s`, `20m`, `1.5h` or `2d`. Raises `SpecError`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if match is None or float(match[1]) <= 0:
        raise SpecError(Fault("", f"{text!r} is not a duration", "write 90s, 20m, 2h or 1d"))
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


METRICS = earned()
"""What a training earns, as opposed to what a model costs. Which of it the data set's task has is seen at the start."""
COSTS = ("flops", "parameters", "memory", "latency")


def _known(name: str) -> str:
    """A metric or a cost. Raises `SpecError`."""
    if name not in {*METRICS, *COSTS}:
        raise SpecError(Fault("", f"{name!r} is not a legal value", did_you_mean(name, (*METRICS, *COSTS))))
    return name


Quantity = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": [*METRICS, *COSTS]})]


class Constraint(Part):
    """An upper or lower bound: `parameters <= 1e6`.

    What a model costs is checked before it is trained, latency in milliseconds is measured first, and a metric is
    checked at the end of a training.
    """

    quantity: Quantity
    sign: Literal["<=", ">="]
    bound: Positive

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        match = re.fullmatch(r"\s*(\w+)\s*(<=|>=|<|>)\s*(\S+)\s*", value)
        if match is None:
            raise SpecError(Fault("", f"{value!r} is not a constraint", "write it like 'parameters <= 1e6'"))
        return {"quantity": match[1], "sign": match[2], "bound": match[3]}

    @property
    def of_training(self) -> bool:
        """Whether it can be checked only after a training."""
        return self.quantity in METRICS

    def excess(self, values: Mapping[str, float]) -> float:
        """By which share of the bound it is broken; 0 or less means that it holds."""
        over = (values[self.quantity] - self.bound) / self.bound
        return over if self.sign == "<=" else -over

    def __str__(self) -> str:
        """The constraint as it is written in a spec."""
        return f"{self.quantity} {self.sign} {self.bound:g}"


class Objective(Part):
    """A value of a finished trial, and which way is better."""

    metric: Quantity = USUAL.first
    direction: Literal["maximize", "minimize"] = "maximize"

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        """A metric alone has the direction that it is better in."""
        if isinstance(value, str):
            value = {"metric": value}
        if isinstance(value, dict) and "direction" not in value:
            metric = metric_of(str(value.get("metric", USUAL.first)))
            return {**value, "direction": "maximize" if metric is not None and metric.sign > 0 else "minimize"}
        return value

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.direction == "maximize" else -1


class Fidelity(Part):
    """The axis along which trials are compared, its full length and how often a training reports."""

    axis: Axis = Axis.EPOCHS
    horizon: Positive = 9.0
    reports: Count = 9


class Halving(Part):
    """What stops trials early, at rungs below the horizon.

    `successive`: at each rung the best 1 in `eta` goes on (Jamieson & Talwalkar 2016). `hyperband`: brackets of it that
    begin at different rungs, the bracket being a function of the trial's number (Li et al. 2018). `median`: a trial
    goes on while it is not below the median of those before it (Golovin et al. 2017).
    """

    name: Literal["successive", "hyperband", "median"] = "successive"
    eta: Annotated[int, Field(ge=2, le=16)] = 3
    rungs: Annotated[int, Field(ge=1, le=12)] = 2
    """Rungs below the horizon, at horizon / eta, horizon / eta**2, and so on."""


class Budget(Part):
    """When a study ends: whichever comes first. INFEASIBLE and DUPLICATE trials are free."""

    trials: Count | None = 24
    time: str | None = None
    """Wall time such as `90s`, `20m` or `2h`."""
    epochs: Positive | None = None
    """Epochs of all trainings together."""
    flops: Positive | None = None
    """Training FLOPs of all trainings together."""
    reserve: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of `time`, `epochs` and `flops` that is kept back for finalists."""

    @field_validator("time", mode="before")
    @classmethod
    def _time(cls, value: object) -> object:
        if value is not None:
            seconds(str(value))
        return value

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if all(limit is None for limit in (self.trials, self.time, self.epochs, self.flops)):
            raise SpecError(Fault("", "sets no limit", "give trials, time, epochs or flops"))
        return self


class Sampler(Part):
    """What suggests configurations, and after how many random ones it starts to learn."""

    name: Literal["additive", "tpe", "gp", "nsga2", "evolution", "sobol", "grid", "random"] = "additive"
    startup: Count = 16


class Latency(Part):
    """How latency is measured: the median time of a forward pass of a batch, nothing else running beside it."""

    batch: Count = 1
    passes: Annotated[int, Field(ge=5)] = 30
    """At least so many, for a second at least."""


class Resources(Part):
    """What one trial takes, and how many run side by side. The numbers of a trial do not depend on any of it."""

    workers: Count | None = None
    """Trials side by side; none means as many as the machine's cores allow."""
    threads: Count = 1
    """CPU threads of one trial, on each of its devices."""
    devices: Count = 1
    """Devices that share a trial: GPUs where `gpus` is not 0, else processes on the CPU."""
    gpus: NotNegative | Literal["auto"] = 0.0
    """GPUs of one trial, a share below 1 to let several share one; `auto` shares by measured memory. Of a trial on
    several devices, GPUs of each: one, or none."""
    silence: str = "30m"
    """A training that says nothing for so long hangs: its worker is ended and it goes on from its checkpoint."""
    disk: Positive = 20e9
    """Bytes that a study's checkpoints may take."""
    predictions: NotNegative = 2e9
    """Bytes that the logits on validation of a search's COMPLETE trials may take: those of the worst go first, and 0
    keeps none. Reports of each class always stay, and so do the logits of finalists."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.devices > 1 and self.gpus not in {0.0, 1.0, "auto"}:
            what = f"{self.gpus:g} is no GPU for each of {self.devices} devices"
            raise SpecError(Fault("gpus", what, "give 1 or auto; 0 trains on the CPU"))
        return self

    @property
    def cpus(self) -> int:
        """Cores that one trial takes."""
        return self.threads * self.devices

    @field_validator("silence", mode="before")
    @classmethod
    def _silence(cls, value: object) -> object:
        seconds(str(value))
        return value


By = Literal["depth", "width", "resolution", "phi"]


class Equal(Part):
    """Equal FLOPs: of every trial's net one dimension is solved, so that all cost the same, whatever else they are."""

    flops: Positive
    """FLOPs of one image's forward pass, counted on the built net."""
    by: By = "width"
    """The dimension that is solved, and that the space therefore leaves out."""
    families: dict[str, By] = Field(default_factory=dict)
    """The same for families in which it is another one."""
    tolerance: Annotated[float, Field(gt=0, le=1)] = 0.05
    """The share of `flops` by which a net may miss them. Where rounding forbids to come so near, a trial is
    INFEASIBLE."""

    def key(self, family: str) -> str:
        """The key that is solved for a family."""
        return f"model.{self.families.get(family, self.by)}"

    def solved(self, config: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """What was solved of a configuration of flat dotted keys."""
        key = self.key(str(config["model.family"]))
        return {key: config[key]}


class Finalists(Part):
    """How many of the best are retrained in full, and on how many fresh seeds."""

    top: Count = 3
    seeds: Count = 3
    fused: bool = False
    """Whether seeds of one finalist are trained as one program where that is measured to be faster. Such rows say so:
    sums are ordered in another way."""


class StudySpec(Part):
    """The `study:` part of a spec."""

    name: Name
    data: Name = "digits"
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1, max_length=4)] = (Objective(),)
    """Where a spec leaves them out, the first metric of the data set's task."""
    fidelity: Fidelity = Fidelity()
    budget: Budget = Budget()
    sampler: Sampler = Sampler()
    control: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the trials that are drawn at random, so that it can be told what the sampler earns."""
    halving: Halving | None = Halving()
    look_ahead: Count = 4
    """Trials that are decided before the first of them has reported; fixes what a suggestion sees of the others."""
    asynchronous: bool = False
    """Decide in the order of arrival instead of that of numbers: nothing waits, and no two runs are equal."""
    constraints: tuple[Constraint, ...] = ()
    equal: Equal | None = None
    """Where it is given, every trial costs the same FLOPs an image."""
    resources: Resources = Resources()
    latency: Latency = Latency()
    finalists: Finalists = Finalists()
    observe: Literal["none", "finalists", "all"] = "finalists"
    """Whose gradients, dead units and activations are recorded by groups of layers at each report: some 30 numbers."""
    enqueue: tuple[dict[str, Any], ...] = ()
    """Known configurations to try after the families' defaults, by dotted key; what is left out is the default."""
    scale: ScaleSpec | None = None
    """How the space's families are scaled, each from its default; a search takes no notice of it."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @model_validator(mode="after")
    def _check_rungs(self) -> Self:
        if self.halving and self.fidelity.reports < self.halving.eta**self.halving.rungs:
            need = self.halving.eta**self.halving.rungs
            what = f"{self.fidelity.reports} has no room for {self.halving.rungs} rungs of 1 in {self.halving.eta}"
            raise SpecError(Fault("fidelity.reports", what, f"give {need} or more, or lower halving.rungs"))
        return self

    @property
    def asked(self) -> tuple[str, ...]:
        """The metrics that objectives and constraints need at every report."""
        named = [*(one.metric for one in self.objectives), *(one.quantity for one in self.constraints)]
        return tuple(dict.fromkeys(name for name in named if name in METRICS))

    @property
    def rungs(self) -> tuple[int, ...]:
        """The reports, ascending and below the horizon, after which most trials are stopped."""
        if self.halving is None:
            return ()
        reports, eta = self.fidelity.reports, self.halving.eta
        return tuple(sorted({round(reports / eta**k) for k in range(1, self.halving.rungs + 1)}))
