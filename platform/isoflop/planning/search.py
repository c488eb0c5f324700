"""The search: the families' defaults, what was enqueued, then suggestions, with halving between rungs.

With a control arm a share of the numbers is drawn at random, beside all that and unseen by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from isoflop.config import TrialConfig
from isoflop.errors import SpecError, TrialError
from isoflop.families import Scalar
from isoflop.journal.history import History
from isoflop.plan import Decision, Price, Proposal, Verdict
from isoflop.planning.arms import Arms
from isoflop.planning.length import Lengths
from isoflop.planning.leveller import Leveller
from isoflop.planning.progress import Progress
from isoflop.planning.samplers.build import build_sampler
from isoflop.planning.samplers.protocol import Sampler
from isoflop.records import CONTROL, Key, State, Trial
from isoflop.seeds import derive
from isoflop.space import SearchSpace
from isoflop.study_spec import Constraint, StudySpec

BARREN = 200
"""Trials in a row that were settled without a training, after which the space counts as exhausted."""


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """A plan over a space. Equal spec, data and code give equal trials on any number of workers.

    A call costs what is new in the history, and a suggestion what its sampler costs.
    """

    spec: StudySpec
    space: SearchSpace
    digest: str
    """Digest of the prepared data."""
    images: int
    """Images of the training split."""
    code: str
    """Version of the training core."""
    price: Price
    teachers: Mapping[str, float] = field(default_factory=dict)
    """FLOPs of one image's forward pass of each net that trials learn from, by its name."""
    pixels: int | None = None
    """Pixels of a side of the stored images, where that is known."""
    _progress: list[Progress] = field(default_factory=list, compare=False, repr=False)
    """What is known of the history that was decided on last, so that the next call need not begin anew."""

    @cached_property
    def lengths(self) -> Lengths:
        """How long trainings of its configurations are."""
        return Lengths(images=self.images, price=self.price, teachers=self.teachers)

    def __call__(self, history: History) -> Decision:
        """Start the next trial if it may start; judge those at rungs."""
        progress = self._follow(history)
        verdicts = progress.verdicts(measured=self._measured)
        infeasible = self._too_slow([history.trials[key] for key in verdicts] if self._measured else [])
        verdicts |= dict.fromkeys(infeasible, Verdict.STOP)
        if history.deadline:
            return Decision(
                verdicts=dict.fromkeys(verdicts, Verdict.STOP), infeasible=infeasible, finished=True, reason="time"
            )
        start, reason = self._start(progress)
        return Decision(start=start, verdicts=verdicts, infeasible=infeasible, finished=bool(reason), reason=reason)

    def _follow(self, history: History) -> Progress:
        if not self._progress or self._progress[0].history is not history:
            self._progress[:] = [Progress(self.spec, self.space, self.lengths, history)]
        self._progress[0].advance()
        return self._progress[0]

    def _start(self, progress: Progress) -> tuple[Proposal | None, str]:
        """The next trial, if it may start; why there will never be another, where there will not."""
        number = progress.count
        if progress.barren >= BARREN:
            return None, "space exhausted"
        if self.spec.budget.trials is not None and progress.spending.charged(number) >= self.spec.budget.trials:
            return None, "budget"
        if not progress.view.ready(number):
            return None, ""
        if progress.alike(number):
            return None, "failing"
        if progress.spending.exhausted(number):
            return None, "budget"
        return self._proposal(number, progress), ""

    def _proposal(self, number: int, progress: Progress) -> Proposal:
        """The next trial, drawn once: what it sees is fixed, but where the order of arrival counts."""
        if progress.proposed is None or progress.proposed[0] != number or self.spec.asynchronous:
            progress.proposed = number, self.propose(number, progress)
        return progress.proposed[1]

    def propose(self, number: int, progress: Progress) -> Proposal:
        """Trial `number`, settled at once where it breaks a constraint or was trained before."""
        params, source = self._params(number, progress)
        proposal = self.settled(number, params, source=source)
        twin = progress.twin(number, proposal.fingerprint)
        if proposal.state is None and twin is not None:
            return replace(proposal, state=State.DUPLICATE, reason=f"equal to trial {twin}")
        return proposal

    def settled(self, number: int, params: Mapping[str, Scalar], *, source: str) -> Proposal:
        """A trial of these parameters, INFEASIBLE where it breaks a constraint or can have no horizon."""
        config = self.space.config(params, study=self.spec, data_digest=self.digest)
        costs: Mapping[str, float] = {}
        try:
            config = self._leveller.level(config) if self._leveller else config
        except SpecError as error:
            reason = str(error)
        else:
            costs, reason = self._costs(config)
        return Proposal(
            key=Key(trial=number),
            params=params,
            config=config.params(),
            seed=self.spec.seed,
            fingerprint=config.fingerprint(self.code),
            parameters=int(costs.get("parameters", 0)),
            flops=float(costs.get("flops", 0)),
            memory=int(costs.get("memory", 0)),
            source=source,
            state=State.INFEASIBLE if reason else None,
            reason=reason,
        )

    def _params(self, number: int, progress: Progress) -> tuple[Mapping[str, Scalar], str]:
        if self._arms.control(number):
            return self._suggested(self._chance, number, progress), CONTROL
        for family in self.space.families():
            if family not in progress.defaults:
                return self.space.default(family, stored=self.pixels), "default"
        if progress.enqueued < len(self.spec.enqueue):
            return self.space.complete(self.spec.enqueue[progress.enqueued], stored=self.pixels), "enqueued"
        return self._suggested(self._sampler, number, progress), self.spec.sampler.name

    def _suggested(self, sampler: Sampler, number: int, progress: Progress) -> Mapping[str, Scalar]:
        seed = derive(self.spec.seed, "suggest", number)
        return sampler(self._arms.place(number), progress.view.of(number), seed)

    @cached_property
    def _arms(self) -> Arms:
        return Arms(self.spec.control)

    @cached_property
    def _sampler(self) -> Sampler:
        return build_sampler(self.spec, self.space)

    @cached_property
    def _chance(self) -> Sampler:
        """What draws the control arm."""
        drawn = self.spec.sampler.model_copy(update={"name": "random"})
        return build_sampler(self.spec.model_copy(update={"sampler": drawn}), self.space)

    @cached_property
    def _leveller(self) -> Leveller | None:
        """What makes trials equal, where they are to be."""
        return Leveller(self.spec.equal, self.price) if self.spec.equal else None

    @cached_property
    def _measured(self) -> bool:
        """Whether trials need their latency measured."""
        named = [c.quantity for c in self.spec.constraints] + [o.metric for o in self.spec.objectives]
        return "latency" in named

    def _too_slow(self, trials: Iterable[Trial]) -> dict[Key, str]:
        """Of the trials whose measured latency breaks a constraint, how."""
        limits = [c for c in self.spec.constraints if c.quantity == "latency"]
        known = {trial.key: trial.latency for trial in trials if trial.latency is not None}
        reasons = {key: _broken(limits, {"latency": latency}) for key, latency in known.items()}
        return {key: reason for key, reason in reasons.items() if reason}

    def _costs(self, config: TrialConfig) -> tuple[Mapping[str, float], str]:
        """What a configuration's model costs, and why it cannot be trained, empty where it can."""
        try:
            found = self.price(
                config.model, batch=config.train.piece, states=config.copies, recompute=config.train.checkpointing
            )
        except SpecError as error:
            return {}, str(error)
        values = {"parameters": found.parameters, "flops": found.flops, "memory": found.memory}
        reasons = [_broken([c for c in self.spec.constraints if c.quantity in values], values)]
        if self._leveller:
            reasons.append(self._leveller.amiss(config.model, found.flops))
        try:
            self.lengths.of(config, found.flops)
        except (SpecError, TrialError) as error:
            reasons.append(str(error))
        return values, "; ".join(filter(None, reasons))


def _broken(constraints: list[Constraint], values: Mapping[str, float]) -> str:
    return "; ".join(f"{c} (is {values[c.quantity]:.4g})" for c in constraints if c.excess(values) > 0)
