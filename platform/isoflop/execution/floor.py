"""The floor of the workshop: which training runs, which waits, and which comes next, as the plan says.

Executors differ in how they run a training; what to run they all ask here.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from isoflop.errors import StateError
from isoflop.execution.desk import Desk
from isoflop.execution.outcome import Outcome
from isoflop.execution.recorder import Recorder
from isoflop.plan import Decision, Plan, Verdict
from isoflop.records import Job, Key, State, Trial

LOSSES = 4
"""Workers that one trial may lose in a row without a report, after which it counts as what kills them."""


class Floor:
    """Trainings of a study under way. Whatever happens is written to the journal first."""

    def __init__(self, plan: Plan, recorder: Recorder, desk: Desk) -> None:
        self.plan, self.recorder, self.desk = plan, recorder, desk
        self.running: set[Key] = set()
        """Trainings that have a worker."""

    def trial(self, key: Key) -> Trial:
        """A trial as the journal knows it."""
        return self.recorder.history.trials[key]

    def decide(self) -> Decision:
        """What the plan says now."""
        return self.recorder.decide(self.plan)

    @property
    def finished(self) -> bool:
        """Whether nothing will ever be handed out again."""
        return self.decide().finished and not self.recorder.history.unfinished

    def next(self, held: Container[Key] = ()) -> Job | None:
        """A job for a free worker: one that waited and may go on, else a fresh one; none where all wait.

        Trials that are decided on are settled on the way. Where the one whose turn it is is `held`, it comes to its
        worker in another way, and the answer is none. Raises `KeyboardInterrupt` where the run was asked to stop and
        nothing runs any more.
        """
        if self.recorder.stopping:
            if not self.running:
                raise KeyboardInterrupt
            return None
        with self.recorder.together():
            self._settle()
            if not self.ready():
                self._propose()
            first = next(iter(self.ready()), None)
            return None if first is None or first in held else self.take(first)

    def ready(self) -> list[Key]:
        """Open trainings without a worker that may have one, in order."""
        if self.recorder.stopping:
            return []
        decision = self.decide()
        wanted = _wanted(decision)
        if wanted and self.running:  # a latency is measured while nothing else runs
            return []
        verdict = Verdict.MEASURE if wanted else Verdict.GO
        idle = self.recorder.history.unfinished - self.running
        return sorted(key for key in idle if decision.of(key) is verdict)

    def take(self, key: Key) -> Job:
        """Hand a training to a worker: its job."""
        measure = self.decide().of(key) is Verdict.MEASURE
        self.running.add(key)
        self.recorder.state(key, State.RUNNING)
        return replace(self.desk.job(self.trial(key)), measure=measure)

    def report(self, key: Key, outcome: Outcome) -> Verdict:
        """Take in what a worker came to; what becomes of its training: GO keeps the worker, WAIT and STOP free it."""
        with self.recorder.together():
            verdict = self._report(key, outcome)
        if verdict is not Verdict.GO:
            self.running.discard(key)
        return verdict

    def lost(self, key: Key, reason: str) -> Verdict:
        """Its worker or node was lost: never its own fault, unless it happens again and again without a report."""
        if not self.trial(key).state.final:
            self.recorder.fault(key, reason)
            if self.trial(key).stalled >= LOSSES:
                text = f"{LOSSES} workers in a row were lost without a report ({reason}); too little memory?"
                self.recorder.end(key, State.INFEASIBLE, text)
        if not self.trial(key).state.final:
            return Verdict.GO
        self.running.discard(key)
        return Verdict.STOP

    def _report(self, key: Key, outcome: Outcome) -> Verdict:
        if self.trial(key).state.final:
            return Verdict.STOP  # a person ended it meanwhile
        if outcome.failed:
            self.recorder.end(key, State.FAILED, outcome.failed)
            return Verdict.STOP
        if outcome.exhausted or outcome.lost:
            return self._shrink(key, outcome.exhausted) if outcome.exhausted else self._again(key, outcome.lost)
        if outcome.latency is not None:
            self.recorder.measured(key, outcome.latency)
            return self._act(key, pause=True)
        fresh = outcome.record is not None and self.recorder.record(key, outcome.record)
        if outcome.artifacts is not None:
            self.recorder.end(key, State.COMPLETE, artifacts=outcome.artifacts)
            return Verdict.STOP
        if outcome.fault:
            raise StateError(outcome.fault)
        return self._act(key) if fresh else Verdict.GO  # what was redone was decided on then

    def _act(self, key: Key, *, pause: bool = False) -> Verdict:
        """Do with a running training what the plan says; it waits too where a measurement wants the machine alone."""
        decision = self.decide()
        verdict = decision.of(key)
        if verdict is Verdict.STOP:
            self.recorder.stop(key, decision)
        elif pause or verdict is not Verdict.GO or _wanted(decision) or self.recorder.stopping:
            self.recorder.state(key, State.WAITING)
            return Verdict.WAIT
        return verdict

    def _shrink(self, key: Key, reason: str) -> Verdict:
        """Begin again with a smaller micro-batch, once; else it cannot be had.

        Where it has reported before, there was memory enough for it: a neighbour took it, and it goes on as it is.
        """
        if self.trial(key).reports:
            return self._again(key, reason)
        smaller = self.desk.smaller(self.trial(key)) if not self.trial(key).attempt else None
        if smaller is None:
            self.recorder.end(key, State.INFEASIBLE, reason)
            return Verdict.STOP
        self.recorder.retry(key, smaller, reason)
        return Verdict.WAIT

    def _again(self, key: Key, reason: str) -> Verdict:
        """Go on from the last checkpoint when its turn comes, unless it was lost too often."""
        return Verdict.WAIT if self.lost(key, reason) is Verdict.GO else Verdict.STOP

    def _settle(self) -> None:
        """End what waits and is to stop; each end may decide others."""
        while stops := [k for k, v in self.decide().verdicts.items() if v is Verdict.STOP and k not in self.running]:
            for key in stops:
                self.recorder.stop(key, self.decide())

    def _propose(self) -> None:
        """Propose the next trial, past those that are settled at once; several where latencies are to be measured."""
        while (proposal := self.decide().start) is not None:
            self.recorder.start(proposal)
            if proposal.state is None and not _wanted(self.decide()):
                return


def _wanted(decision: Decision) -> bool:
    """Whether the latency of a trial is wanted."""
    return Verdict.MEASURE in decision.verdicts.values()
