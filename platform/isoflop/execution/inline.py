"""The inline executor: one training after another in this process."""

from __future__ import annotations

import traceback

from isoflop.errors import TrialError
from isoflop.execution.protocol import Desk
from isoflop.execution.recorder import Recorder
from isoflop.execution.training import Open, Training
from isoflop.plan import Decision, Plan, Verdict
from isoflop.records import Key, Record, State, Trial


class InlineExecutor:
    """Runs each training until it ends or must wait; for debugging, tests and machines without Ray."""

    def run(self, plan: Plan, recorder: Recorder, desk: Desk, open_training: Open) -> None:
        """Run to the end."""
        try:
            while (key := _next(recorder, recorder.decide(plan))) is not None:
                _train(key, plan, recorder, desk, open_training)
        except KeyboardInterrupt:
            recorder.interrupt()
            raise


def _next(recorder: Recorder, decision: Decision) -> Key | None:
    """The training to go on with: the first open one that need not wait, else a fresh one; none at the end."""
    ready = [t.key for t in recorder.history.open() if decision.verdicts.get(t.key) is not Verdict.WAIT]
    if ready:
        return ready[0]
    if decision.start is None:
        assert decision.finished, "the plan waits for itself"
        return None
    recorder.start(decision.start)
    return decision.start.key


def _train(key: Key, plan: Plan, recorder: Recorder, desk: Desk, open_training: Open) -> None:
    """Take one training as far as the plan lets it."""
    if recorder.history.trials[key].state.final:
        return
    if recorder.decide(plan).verdicts.get(key) is Verdict.STOP:
        recorder.end(key, State.PRUNED, "rung")
        return
    recorder.state(key, State.RUNNING)
    try:
        _advance(open_training(desk(recorder.history.trials[key])), key, plan, recorder)
    except TrialError as error:
        recorder.end(key, State.FAILED, str(error))
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        recorder.end(key, State.FAILED, traceback.format_exc(limit=-8))


def _advance(training: Training, key: Key, plan: Plan, recorder: Recorder) -> None:
    while True:
        record = next(training)
        fresh = recorder.record(key, record)
        if is_last(record, recorder.history.trials[key]):
            recorder.end(key, State.COMPLETE, artifacts=training.finish())
            return
        if not fresh:
            continue  # redone after an interruption: it was decided on then
        verdict = recorder.decide(plan).verdicts.get(key, Verdict.GO)
        if verdict is Verdict.STOP:
            recorder.end(key, State.PRUNED, "rung")
            return
        if verdict is Verdict.WAIT:
            training.save(record.report)
            recorder.state(key, State.WAITING)
            return


def is_last(record: Record, trial: Trial) -> bool:
    """Whether a record is the last that the trial's configuration asks for."""
    return record.report >= int(trial.config["train.reports"])  # type: ignore[arg-type]
