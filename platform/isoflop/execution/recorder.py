"""One study's journal while a driver holds its lease: what happens is written first, then shown."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from isoflop.crashpoints import crash
from isoflop.errors import LeaseError, StateError
from isoflop.execution.desk import Smaller
from isoflop.journal.event import ARTIFACTS, Event, Kind
from isoflop.journal.history import History
from isoflop.journal.protocol import LEASE_SECONDS, Journal, Lease
from isoflop.journal.request import Request, RequestKind
from isoflop.plan import Decision, Plan, Proposal
from isoflop.records import Artifact, Key, Record, State

LOOK_SECONDS = 1.0
"""Between two looks at what people ask."""
Listener = Callable[[Event], None]


class Recorder:
    """Writes a study's events and keeps the history that they fold to. Use it as a context: it holds the lease.

    Raises `LeaseError` where another driver holds the study.
    """

    def __init__(
        self,
        journal: Journal,
        study: str,
        *,
        holder: str,
        listeners: Sequence[Listener] = (),
        clock: Callable[[], float] = time.time,
        deadline: float | None = None,
    ) -> None:
        self.journal, self.study, self.listeners = journal, study, listeners
        self.history = History()
        self._clock, self._holder, self._deadline = clock, holder, deadline
        self._states: dict[Key, int] = {}
        self._faults: dict[Key, int] = {}
        self._verdicts: dict[Key, int] = {}
        self._decided: tuple[int, Decision] | None = None
        self._stop, self._asked = threading.Event(), threading.Event()
        self._lease: Lease | None = None
        self._lost: LeaseError | None = None
        self._requests: Sequence[Request] = ()
        self._batch: list[Event] | None = None
        self._version = 0

    def __enter__(self) -> Self:
        """Take the lease and read what the journal knows."""
        self._lease = self.journal.acquire(self.study, self._holder, LEASE_SECONDS)
        for event in self.journal.read(self.study):
            self._take(event)
        threading.Thread(target=self._beat, name="lease", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Give the lease back."""
        self._stop.set()
        if self._lease is not None:
            self.journal.release(self._lease)

    def ask_to_stop(self) -> None:
        """End the run once every training has reported and is saved."""
        self._asked.set()

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to stop."""
        return self._asked.is_set()

    def decide(self, plan: Plan) -> Decision:
        """What the plan says of the present history; asked again only after something happened."""
        self._watch_time()
        self._answer()
        if self._decided is None or self._decided[0] != self._version:
            self._decided = self._version, plan(self.history)
        return self._decided[1]

    def start(self, proposal: Proposal) -> None:
        """A trial was decided; where it is settled already, it ends at once."""
        key = proposal.key
        payload = {
            "params": dict(proposal.params),
            "config": dict(proposal.config),
            "seed": proposal.seed,
            "fingerprint": proposal.fingerprint,
            "parameters": proposal.parameters,
            "flops": proposal.flops,
            "memory": proposal.memory,
            "source": proposal.source,
        }
        if proposal.forecast:
            payload["forecast"] = dict(proposal.forecast)
        events = [self._event(Kind.START, key, 0, payload)]
        if proposal.state is not None:
            events.append(self._event(Kind.END, key, 0, {"state": proposal.state, "reason": proposal.reason}))
        self.write(*events)

    def state(self, key: Key, state: State) -> None:
        """An open trial runs, waits or was interrupted."""
        if self.history.trials[key].state is not state:
            self.write(self._state(key, state))

    def record(self, key: Key, record: Record) -> bool:
        """A training reported. False where the report is known: it was redone after an interruption."""
        if record.report <= self.history.trials[key].reports:
            return False
        self.write(self._event(Kind.RECORD, key, record.report, record.to_dict()))
        return True

    def end(self, key: Key, state: State, reason: str = "", artifacts: Sequence[Artifact] = ()) -> None:
        """A trial reached its final state; its artifacts are written in the same breath."""
        ended = self._event(Kind.END, key, 0, {"state": state, "reason": reason})
        self.write(*self._left(key, artifacts), ended)

    def stop(self, key: Key, decision: Decision) -> None:
        """End a trial that the plan stops: INFEASIBLE where it breaks a constraint, else PRUNED."""
        if key in decision.infeasible:
            self.end(key, State.INFEASIBLE, decision.infeasible[key])
        else:
            self.end(key, State.PRUNED, "time" if self.history.deadline else "rung")

    def measured(self, key: Key, latency: Mapping[str, Any]) -> None:
        """A trial's latency was measured."""
        self.write(self._event(Kind.MEASURED, key, 0, dict(latency)))

    def retry(self, key: Key, smaller: Smaller, reason: str) -> None:
        """A trial ran out of memory and goes on with another configuration."""
        payload = {"config": dict(smaller.config), "fingerprint": smaller.fingerprint, "reason": reason}
        trial = self.history.trials[key]
        self.write(self._event(Kind.RETRY, key, trial.attempt + 1, payload), self._state(key, State.WAITING))

    def fault(self, key: Key, reason: str) -> None:
        """A trial's worker or node was lost."""
        reports = self.history.trials[key].reports
        place = self._faults.get(key, 0)
        self.write(
            self._event(Kind.FAULT, key, place, {"reason": reason, "reports": reports}),
            self._state(key, State.INTERRUPTED),
        )

    def opened(self, key: Key, artifacts: Sequence[Artifact], metrics: Mapping[str, float], digest: str) -> None:
        """The test set was opened for a finalist, and this came out."""
        opened = self._event(Kind.OPENED, key, 0, {"data_digest": digest, "metrics": dict(metrics)})
        self.write(*self._left(key, artifacts), opened)

    def judged(self, key: Key, verdict: Mapping[str, Any]) -> None:
        """A training was repeated, and this came out."""
        self.write(self._event(Kind.VERDICT, key, self._verdicts.get(key, 0), dict(verdict)))

    @contextmanager
    def interrupted(self) -> Iterator[None]:
        """Mark what is open as INTERRUPTED where the run is broken off, whatever broke it."""
        try:
            yield
        except LeaseError:
            raise  # another driver writes now
        except BaseException:
            with suppress(StateError):  # the disk may be what failed
                for trial in self.history.open():
                    self.state(trial.key, State.INTERRUPTED)
            raise

    def note(self, kind: Kind, payload: dict[str, Any], *, index: int | None = None) -> None:
        """Write an event of the study itself, by default one of its present segment."""
        place = self.history.segment if index is None else index
        self.write(self._event(kind, Key(trial=-1), place, payload))

    def write(self, *events: Event) -> None:
        """Append events and take them into the history. Raises `LeaseError` where the lease was lost."""
        if self._lost is not None:
            raise self._lost
        assert self._lease is not None, "a recorder writes inside its context"
        if self._batch is None:
            self.journal.append(self._lease, events)
            self._tell(known=False)
        else:
            self._batch.extend(events)
            for event in events:  # as the journal will give it back: lists for tuples, text for enums
                payload = json.loads(json.dumps(dict(event.payload)))
                self._take(replace(event, payload=payload, seq=self.history.seq))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write what happens inside in one transaction: nothing of it leaves the driver before."""
        self._batch = []
        try:
            yield
        finally:
            events, self._batch = self._batch, None
            if events:
                assert self._lease is not None, "a recorder writes inside its context"
                self.journal.append(self._lease, events)
                self._tell(known=True)

    def _tell(self, *, known: bool) -> None:
        """Tell the listeners what the journal has that is new; take it in where it is not known yet."""
        for event in self.journal.read(self.study, after=self.history.seq):
            if known:
                self.history.seq = event.seq
            else:
                self._take(event)
            crash("record.before_listeners")
            for listener in self.listeners:
                listener(event)

    def _take(self, event: Event) -> None:
        self._version += 1
        self.history.apply(event)
        places = {Kind.STATE: self._states, Kind.FAULT: self._faults, Kind.VERDICT: self._verdicts}.get(event.kind)
        if places is not None:
            places[Key(trial=event.trial, replicate=event.replicate)] = event.index + 1

    def _state(self, key: Key, state: State) -> Event:
        return self._event(Kind.STATE, key, self._states.get(key, 0), {"state": state})

    def _left(self, key: Key, artifacts: Sequence[Artifact]) -> list[Event]:
        return [
            self._event(Kind.ARTIFACT, key, ARTIFACTS.index(a.kind), {"path": a.path, "sha256": a.sha256})
            for a in artifacts
        ]

    def _event(self, kind: Kind, key: Key, index: int, payload: dict[str, Any]) -> Event:
        return Event(
            kind=kind, trial=key.trial, replicate=key.replicate, index=index, payload=payload, time=self._clock()
        )

    def _watch_time(self) -> None:
        if self._deadline is not None and not self.history.deadline and self._clock() >= self._deadline:
            self.note(Kind.DEADLINE, {})

    def _beat(self) -> None:
        """Hold on to the lease until the context ends, and look for what people ask."""
        renewed = time.monotonic()
        while not self._stop.wait(LOOK_SECONDS):
            assert self._lease is not None
            try:
                if time.monotonic() - renewed > LEASE_SECONDS / 4:
                    self._lease = self.journal.renew(self._lease, LEASE_SECONDS)
                    renewed = time.monotonic()
                self._requests = self.journal.requests(self.study)
            except LeaseError as error:
                self._lost = error
                return
            except StateError:
                continue  # a busy disk: the next beat may get through, and every write checks the token anyway

    def _answer(self) -> None:
        """Do what people asked for."""
        requests, self._requests = self._requests, ()
        for request in requests:
            if request.kind is RequestKind.STOP:
                self.ask_to_stop()
            elif request.key in self.history.trials and not self.history.trials[request.key].state.final:
                self.end(request.key, State.KILLED, f"stopped by {request.by}")
        if requests:
            assert self._lease is not None, "a recorder answers inside its context"
            self.journal.answered(self._lease, [request.id for request in requests])
