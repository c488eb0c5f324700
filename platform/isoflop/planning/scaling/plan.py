"""The plan of a scaling study: all that can be trained by now, the lowest number first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from isoflop.config import ModelConfig, TrialConfig
from isoflop.errors import Fault, SpecError, TrialError
from isoflop.families import Scalar
from isoflop.journal.history import History
from isoflop.plan import Decision, Price, Proposal, Verdict
from isoflop.planning.length import Lengths
from isoflop.planning.scaling.course import Course
from isoflop.planning.scaling.results import Results
from isoflop.planning.scaling.row import Row, Stage
from isoflop.records import Key, State
from isoflop.scale_spec import ScaleSpec
from isoflop.scaling import solve
from isoflop.scaling.extent import Count
from isoflop.scaling.ground import Ground
from isoflop.scaling.placement import TOLERANCE
from isoflop.space import SearchSpace
from isoflop.study_spec import StudySpec

SHAPE = ("family", "depth", "width", "resolution")


@dataclass(frozen=True, kw_only=True)
class ScalingPlan:
    """Fit, climb and predict each family of a space. Equal spec, data and code give equal trials on any workers.

    Which rows there are depends on results alone, and so does each row; what is started first, on who is free.
    """

    spec: StudySpec
    space: SearchSpace
    digest: str
    """Digest of the prepared data."""
    images: int
    """Images of the training split."""
    side: int
    """Pixels of a side of the stored images."""
    code: str
    """Version of the training core."""
    price: Price
    teachers: Mapping[str, float]
    """FLOPs of one image's forward pass of each net that trainings learn from, by its name."""
    count: Count
    """Counts depth, width, resolution and FLOPs of a model."""
    floor: float
    """The smallest error that there can be: half an image's share of the validation split."""

    @property
    def scale(self) -> ScaleSpec:
        """How families are scaled."""
        assert self.spec.scale is not None, "a scaling study says how it scales"
        return self.spec.scale

    @property
    def lengths(self) -> Lengths:
        """How long trainings are."""
        return Lengths(images=self.images, price=self.price, teachers=self.teachers)

    @cached_property
    def courses(self) -> tuple[Course, ...]:
        """One a family, in the order of the space. Raises `SpecError` where a base cannot be."""
        found: list[Course] = []
        for name in self.space.families():
            base = self.space.config(self.space.default(name), study=self.spec, data_digest=self.digest)
            ground = Ground.around(self._sized(base), self.count)
            first = found[-1].first + found[-1].rows_in_all if found else 0
            base = base.model_copy(update={"model": ground.base})
            found.append(Course(self.scale, base, ground, side=self.side, first=first, seed=self.spec.seed))
        return tuple(found)

    @property
    def trainings(self) -> int:
        """How many trainings it comes to."""
        return sum(course.trainings for course in self.courses)

    def __call__(self, history: History) -> Decision:
        """Start the lowest training that may start."""
        results = self.results(history)
        if history.deadline:
            open_ones = dict.fromkeys(history.unfinished, Verdict.STOP)
            return Decision(verdicts=open_ones, finished=True, reason="time")
        start = next(self._missing(results), None)
        done = start is None and all(course.settled(results) for course in self.courses)
        return Decision(
            start=start, verdicts=self._unmeasured(history), finished=done, reason="all sizes" if done else ""
        )

    def results(self, history: History) -> Results:
        """What a history tells of rows."""
        return Results(history, self.spec.objectives[0].metric, self.floor)

    def rows(self, results: Results) -> Iterator[Row]:
        """What can be trained by now, by number."""
        return (row for course in self.courses for row in course.rows(results))

    def propose(self, row: Row, replicate: int) -> Proposal:
        """One training of a row, settled at once where it cannot be."""
        costs, reason = self._costs(row)
        shape: dict[str, Scalar] = {f"model.{name}": getattr(row.config.model, name) for name in SHAPE}
        return Proposal(
            key=Key(trial=row.number, replicate=replicate),
            params=shape,
            config=row.config.params(),
            seed=row.seeds[replicate],
            fingerprint=row.config.fingerprint(self.code),
            parameters=int(costs.get("parameters", 0)),
            flops=float(costs.get("flops", 0)),
            memory=int(costs.get("memory", 0)),
            source=str(row),
            forecast=row.forecast,
            state=State.INFEASIBLE if reason else None,
            reason=reason,
        )

    def _missing(self, results: Results) -> Iterator[Proposal]:
        """The trainings that may start, by number."""
        for row in self.rows(results):
            begun = {trial.replicate for trial in results.trials(row)}
            yield from (self.propose(row, replicate) for replicate in range(len(row.seeds)) if replicate not in begun)

    def _unmeasured(self, history: History) -> dict[Key, Verdict]:
        """Open trainings whose latency is wanted and not known: the first of each size and each control."""
        if not self.scale.latency:
            return {}
        firsts = (trial for trial in history.open() if not trial.replicate and trial.latency is None)
        climbed = (Stage.CLIMB, Stage.CONTROL)
        return {trial.key: Verdict.MEASURE for trial in firsts if trial.source.partition(" ")[0] in climbed}

    def _sized(self, base: TrialConfig) -> ModelConfig:
        """A base with the FLOPs that the study asks for, by its width."""
        if self.scale.base_flops is None:
            return base.model
        flops = partial(_flops, self.count)
        found = solve(flops, self.scale.base_flops, vary="width", model=base.model)
        if abs(found.residual) > TOLERANCE:
            what = f"{self.scale.base_flops:g} FLOPs cannot be had of {base.model.family}; nearest: {found.cost:.4g}"
            remedy = "change model.depth or model.resolution of its base in the space, or set model.divisor: 1"
            raise SpecError(Fault("study.scale.base_flops", what, remedy))
        return found.model

    def _costs(self, row: Row) -> tuple[Mapping[str, float], str]:
        """What a row's model costs, and why it cannot be trained, empty where it can."""
        if row.reason:
            return {}, row.reason
        config = row.config
        try:
            found = self.price(
                config.model, batch=config.train.piece, states=config.copies, recompute=config.train.checkpointing
            )
            self.lengths.of(config, found.flops)
        except (SpecError, TrialError) as error:
            return {}, str(error)
        return {"parameters": found.parameters, "flops": found.flops, "memory": found.memory}, ""


def _flops(count: Count, model: ModelConfig) -> float:
    return count(model).flops
