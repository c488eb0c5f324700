"""The process executor: trainings on worker processes of this machine, on the CPU, without a cluster."""

from __future__ import annotations

import time
from collections.abc import Sequence

from isoflop.errors import Fault, InputError, StateError
from isoflop.execution.capacity import workers
from isoflop.execution.crew import Crew, Member, import_ahead
from isoflop.execution.desk import Desk
from isoflop.execution.floor import Floor
from isoflop.execution.outcome import Outcome
from isoflop.execution.recorder import Recorder
from isoflop.execution.signals import stoppable
from isoflop.execution.training import Open
from isoflop.plan import Plan
from isoflop.study_spec import Resources, seconds

LOOK_SECONDS = 1.0
"""Between two looks at what people ask, and at who hangs."""
LOST = "its worker was lost"


class ProcessExecutor:
    """Runs trainings side by side on this machine's cores; a worker that is lost or hangs is replaced.

    It starts ten seconds sooner than Ray does, and knows neither other machines nor GPUs.
    """

    def __init__(self, resources: Resources, *, imports: Sequence[str] = ()) -> None:
        """`imports`: modules that every training needs. Raises `InputError` where trainings want GPUs."""
        if resources.gpus:
            remedy = "leave it out, or use --executor ray"
            raise InputError(Fault("study.resources.gpus", f"{resources.gpus}, and processes train on the CPU", remedy))
        self.resources, self.imports = resources, imports

    def prepare(self) -> None:
        """Begin to import what every worker needs."""
        import_ahead(self.imports)

    def run(self, plan: Plan, recorder: Recorder, desk: Desk, open_training: Open) -> None:
        """Run to the end."""
        self.prepare()
        floor = Floor(plan, recorder, desk)
        with (
            recorder.interrupted(),
            stoppable(recorder.ask_to_stop),
            Crew(workers(self.resources), open_training) as crew,
        ):
            shift = Shift(floor, crew, silence=seconds(self.resources.silence))
            while shift.hand_out():
                shift.listen()
            assert floor.finished, "the plan waits for itself"

    def close(self) -> None:
        """Nothing runs any more; the server that workers were forked from ends with this process."""


class Shift:
    """Keeps a crew at work on what the floor hands out."""

    def __init__(self, floor: Floor, crew: Crew, *, silence: float) -> None:
        self.floor, self.crew, self.silence = floor, crew, silence

    def hand_out(self) -> bool:
        """Give every free worker a job, as far as there are any. Whether somebody is at work then.

        Nothing is handed out while somebody saves: it may be what comes next, or want the machine alone.
        """
        while len(self.crew.busy) < self.crew.size and not any(member.leaving for member in self.crew.busy):
            job = self.floor.next()
            if job is None:
                break
            self.crew.free().begin(job)
        return bool(self.crew.busy)

    def listen(self) -> None:
        """Take in what workers say, replace those that are gone or hang, and do what people asked for."""
        for member in self.crew.ready(LOOK_SECONDS):
            said = member.hear()
            if said is None:
                self._lost(member)
            elif isinstance(said, Outcome):
                assert member.key is not None, "only who has a job has something to say"
                member.answer(self.floor.report(member.key, said))
            else:
                member.rest()
                if said:
                    raise StateError(said)
        self.floor.decide()  # answers what people ask
        for member in self.crew.busy:
            if self._stopped(member):
                self.crew.dismiss(member)
            elif time.monotonic() - member.heard > self.silence:
                self._lost(member)

    def _lost(self, member: Member) -> None:
        """A worker is gone, or as good as gone: its training comes again when its turn comes."""
        self.crew.dismiss(member)
        if member.key in self.floor.running:
            self.floor.lost(member.key, LOST)
            self.floor.running.discard(member.key)

    def _stopped(self, member: Member) -> bool:
        """Whether a person ended its training: then it has nothing more to do."""
        if member.leaving or member.key is None or not self.floor.trial(member.key).state.final:
            return False
        self.floor.running.discard(member.key)
        return True
