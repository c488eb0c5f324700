"""Ablation: a trial as it is, and once for each of its choices with that choice set back to its default."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from isoflop.config import TrialConfig
from isoflop.families import Scalar
from isoflop.journal.history import History
from isoflop.plan import Decision, Proposal
from isoflop.planning.fresh import fresh_seeds
from isoflop.planning.search import SearchPlan
from isoflop.records import Key, Trial
from isoflop.space import FAMILY, SearchSpace

AS_IS = "as it is"
MICRO_BATCH = "train.micro_batch"
"""What a trial that ran out of memory was given; its changed versions need it too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What a search chose of one parameter, and what it is set back to."""

    key: str
    value: Scalar
    default: Scalar = None
    params: Mapping[str, Scalar] = field(default_factory=dict)
    """All parameters with this one set back; what its default enables has its own default."""
    why: str = ""
    """Why it is not set back; empty where it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A configuration that is trained once a seed."""

    proposal: Proposal
    choice: Choice | None = None
    """What is set back, none where it is as it is."""

    @property
    def number(self) -> int:
        """Its trial's."""
        return self.proposal.key.trial


def choices(space: SearchSpace, params: Mapping[str, Scalar], *, pixels: int | None) -> Iterator[Choice]:
    """Each parameter of a trial with its default: that of the family, moved into the space's bounds.

    Of a choice that does not have the family's default it is the first.
    """
    for key, value in params.items():
        if key == FAMILY:
            why = "is another net with settings of its own elsewhere: compare finalists of both instead"
            yield Choice(key=key, value=value, why=why)
            continue
        others = {name: one for name, one in params.items() if name != key}
        changed = space.complete(others, stored=pixels)
        why = "is at its default" if changed[key] == value else ""
        yield Choice(key=key, value=value, default=changed[key], params=changed, why=why)


@dataclass(frozen=True, kw_only=True)
class AblationPlan:
    """Train a trial as it is, number 0, and each changed version, from 1 on, all on the same fresh seeds."""

    trial: Trial
    search: SearchPlan
    """Makes configurations of parameters, as the trial's own was made."""
    seeds: int
    seen: Collection[int]
    """Seeds that the trial, or what it comes from, was trained with."""

    def __call__(self, history: History) -> Decision:
        """Start what is missing: every configuration's first seed before any one's second."""
        start = next((one for one in self.proposals() if one.key not in history.trials), None)
        return Decision(start=start, finished=start is None, reason="" if start else "all choices")

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """What is trained, by number; what breaks a constraint or cannot be is settled without."""
        own = TrialConfig.from_params(self.trial.config)
        fingerprint = own.fingerprint(self.search.code)
        first = Proposal(
            key=Key(trial=0),
            params=self.trial.params,
            config=own.params(),
            seed=0,
            fingerprint=fingerprint,
            parameters=self.trial.parameters,
            flops=self.trial.flops,
            memory=self.trial.memory,
            source=AS_IS,
        )
        changed = [(choice, self._changed(choice)) for choice in self.choices if not choice.why]
        kept = [(choice, proposal) for choice, proposal in changed if proposal.fingerprint != fingerprint]
        numbered = (
            Row(choice=choice, proposal=replace(proposal, key=Key(trial=number)))
            for number, (choice, proposal) in enumerate(kept, start=1)
        )
        return Row(proposal=first), *numbered

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """Every choice of the trial, in the order of the space."""
        return tuple(choices(self.search.space, self.trial.params, pixels=self.search.pixels))

    @property
    def untouched(self) -> Iterator[Choice]:
        """The choices that are not set back, each with its reason."""
        rows = {row.choice.key for row in self.rows if row.choice is not None}
        for choice in self.choices:
            if choice.key not in rows:
                yield choice if choice.why else replace(choice, why="changes nothing here")

    @cached_property
    def fresh(self) -> tuple[int, ...]:
        """The seeds that every configuration is trained on."""
        return fresh_seeds(self.search.spec.seed, "ablation", self.seeds, seen=self.seen)

    @property
    def trainings(self) -> int:
        """How many trainings it comes to."""
        return sum(proposal.state is None for proposal in self.proposals())

    def proposals(self) -> Iterator[Proposal]:
        """Every training in the order in which they start; what is settled without one stands once."""
        for replicate, seed in enumerate(self.fresh):
            for row in self.rows:
                if not replicate or row.proposal.state is None:
                    key = Key(trial=row.number, replicate=replicate)
                    yield replace(row.proposal, key=key, seed=seed)

    def _changed(self, choice: Choice) -> Proposal:
        """The trial with a choice set back, as the search would have made it."""
        piece = {} if MICRO_BATCH in choice.params else {MICRO_BATCH: self.trial.config.get(MICRO_BATCH)}
        source = f"{choice.key} set back to {choice.default}"
        return replace(self.search.settled(0, {**choice.params, **piece}, source=source), params=choice.params)
