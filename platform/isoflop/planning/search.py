"""The search: the families' defaults, what was enqueued, then suggestions, with halving between rungs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from isoflop.config import TrialConfig
from isoflop.errors import SpecError, TrialError
from isoflop.families import Scalar
from isoflop.journal.history import History
from isoflop.length import Length
from isoflop.plan import Decision, Price, Proposal, Verdict
from isoflop.planning.halving import rung_of, verdict
from isoflop.planning.suggestion import suggest
from isoflop.planning.view import ready, view
from isoflop.records import Key, State, Trial
from isoflop.space import SearchSpace
from isoflop.study_spec import StudySpec

BARREN = 200
"""Trials in a row that were settled without a training, after which the space counts as exhausted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchPlan:
    """A plan over a space. Equal spec, data and code give equal trials on any number of workers."""

    spec: StudySpec
    space: SearchSpace
    digest: str
    """Digest of the prepared data."""
    images: int
    """Images of the training split."""
    code: str
    """Version of the training core."""
    price: Price

    def __call__(self, history: History) -> Decision:
        """Start the next trial if it may start; judge those at rungs."""
        trials = {key.trial: trial for key, trial in history.trials.items()}
        verdicts = {
            Key(trial=trial.number): self._verdict(trial, rung, trials, out_of_time=history.deadline)
            for trial in trials.values()
            if (rung := rung_of(trial, self.spec.rungs)) is not None
        }
        if history.deadline or self._spent(trials):
            return Decision(verdicts=verdicts, finished=True)
        number = len(trials)
        start = self.propose(number, trials) if ready(number, trials, self.spec) else None
        return Decision(start=start, verdicts=verdicts)

    def propose(self, number: int, trials: Mapping[int, Trial]) -> Proposal:
        """Trial `number`, settled at once where it breaks a constraint or was trained before."""
        params, source = self._params(number, trials)
        proposal = self.settled(number, params, source=source)
        twins = (t.number for t in trials.values() if t.fingerprint == proposal.fingerprint and not t.state.free)
        if proposal.state is None and (twin := next(twins, None)) is not None:
            return replace(proposal, state=State.DUPLICATE, reason=f"equal to trial {twin}")
        return proposal

    def settled(self, number: int, params: Mapping[str, Scalar], *, source: str) -> Proposal:
        """A trial of these parameters, INFEASIBLE where it breaks a constraint or can have no horizon."""
        config = self.space.config(params, study=self.spec, data_digest=self.digest)
        parameters, flops, state, reason = self._settle(config)
        return Proposal(
            key=Key(trial=number),
            params=params,
            config=config.params(),
            seed=self.spec.seed,
            fingerprint=config.fingerprint(self.code),
            parameters=parameters,
            flops=flops,
            source=source,
            state=state,
            reason=reason,
        )

    def _params(self, number: int, trials: Mapping[int, Trial]) -> tuple[Mapping[str, Scalar], str]:
        families = self.space.families()
        if number < len(families):
            return self.space.default(families[number]), "default"
        if number - len(families) < len(self.spec.enqueue):
            return self.space.complete(self.spec.enqueue[number - len(families)]), "enqueued"
        return suggest(number, view(number, trials, self.spec), self.space, self.spec), self.spec.sampler.name

    def _settle(self, config: TrialConfig) -> tuple[int, float, State | None, str]:
        """Parameters, FLOPs, and why it cannot be trained."""
        try:
            found = self.price(config.model, batch=config.train.batch_size)
        except SpecError as error:
            return 0, 0.0, State.INFEASIBLE, str(error)
        values = {"parameters": found.parameters, "flops": found.flops, "memory": found.memory}
        broken = [f"{c} (is {values[c.quantity]:.4g})" for c in self.spec.constraints if c.excess(values) > 0]
        try:
            Length.of(config.train, images=self.images, flops=found.flops)
        except TrialError as error:
            broken.append(str(error))
        state = State.INFEASIBLE if broken else None
        return found.parameters, float(found.flops), state, "; ".join(broken)

    def _verdict(self, trial: Trial, rung: int, trials: Mapping[int, Trial], *, out_of_time: bool) -> Verdict:
        if out_of_time:
            return Verdict.STOP
        assert self.spec.halving is not None, "a rung without halving"
        return verdict(trial.number, rung, trials, self.spec.halving.eta, self.spec.objectives[0])

    def _spent(self, trials: Mapping[int, Trial]) -> bool:
        if sum(not trial.state.free for trial in trials.values()) >= (self.spec.budget.trials or math.inf):
            return True
        tail = [trials[n] for n in range(max(0, len(trials) - BARREN), len(trials))]
        return len(tail) == BARREN and all(trial.state.free for trial in tail)
