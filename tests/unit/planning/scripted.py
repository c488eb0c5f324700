"""A real search plan over a real space, with trainings whose metrics are a function of their parameters."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from isoflop.config import ModelConfig
from isoflop.execution.recorder import Recorder
from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.plan import Plan, Verdict
from isoflop.planning.search import SearchPlan
from isoflop.records import Key, Record, State, Trial
from isoflop.spec import spec_from_tree

TREE = {
    "space": {
        "model.family": {
            "choice": {
                "resnet": {
                    "model.width": {"choice": [0.125, 0.25, 0.5, 1.0]},
                    "model.depth": {"choice": [0.5, 1.0]},
                },
                "vit": {"model.stem": 2, "model.depth": {"float": [0.1, 1.0]}},
            }
        },
        "optim.lr": {"float": [1e-4, 1e-1], "log": True},
    },
    "study": {
        "data": "digits",
        "fidelity": {"horizon": 9, "reports": 9},
        "budget": {"trials": 30},
        "sampler": {"startup": 4},
        "constraints": ["parameters <= 900"],
    },
}


@dataclass(frozen=True)
class Price:
    parameters: int
    flops: int = 1000
    memory: int = 0


def price(model: ModelConfig, *, batch: int) -> Price:
    """Wide nets are too large."""
    return Price(parameters=int(1000 * model.width * model.depth))


def plan(**study: object) -> SearchPlan:
    tree = {"space": TREE["space"], "study": {**TREE["study"], **study}}
    spec = spec_from_tree(tree, where="test", name="test")
    return SearchPlan(spec=spec.study, space=spec.space, digest="d", images=640, code="c", price=price)


def record(trial: Trial, report: int) -> Record:
    """Accuracy climbs to a height that the parameters decide; one in three diverges after its first report."""
    text = repr(sorted(trial.params.items()))
    height = int(hashlib.md5(text.encode()).hexdigest(), 16) % 1000 / 1000
    value = height * (1 - 0.6**report)
    return Record(
        report=report, step=report, epoch=report, images=report, flops=report, fidelity=report,
        metrics={"val_accuracy": value},
    )  # fmt: skip


def diverges(trial: Trial) -> bool:
    return int(hashlib.sha1(repr(sorted(trial.params.items())).encode()).hexdigest(), 16) % 3 == 0


def run(plan: Plan, *, workers: int, order: int) -> History:
    """Run a plan on so many workers whose reports arrive in a random order."""
    chance = random.Random(order)
    with Recorder(MemoryJournal(), "s", holder="t") as recorder:
        busy: list[Key] = []
        while True:
            _settle(plan, recorder, busy)
            while len(busy) < workers and (key := _next(plan, recorder, busy)) is not None:
                busy.append(key)
            if not busy:
                assert recorder.decide(plan).finished
                return recorder.history
            _report(recorder, busy, chance.choice(busy))


def _settle(plan: Plan, recorder: Recorder, busy: list[Key]) -> None:
    """Stop and pause what the plan says."""
    while True:
        stops = [key for key, verdict in recorder.decide(plan).verdicts.items() if verdict is Verdict.STOP]
        if not stops:
            break
        for key in stops:
            recorder.end(key, State.PRUNED, "rung")
            if key in busy:
                busy.remove(key)
    for key, verdict in recorder.decide(plan).verdicts.items():
        if verdict is Verdict.WAIT and key in busy:
            busy.remove(key)


def _next(plan: Plan, recorder: Recorder, busy: list[Key]) -> Key | None:
    verdicts = recorder.decide(plan).verdicts
    waiting = [t.key for t in recorder.history.open() if t.key not in busy]
    ready = [key for key in waiting if verdicts.get(key, Verdict.GO) is Verdict.GO]
    if ready:
        return ready[0]
    while (proposal := recorder.decide(plan).start) is not None:
        recorder.start(proposal)
        if proposal.state is None:
            return proposal.key
    return None


def _report(recorder: Recorder, busy: list[Key], key: Key) -> None:
    trial = recorder.history.trials[key]
    if diverges(trial) and trial.reports == 1:
        recorder.end(key, State.FAILED, "diverged")
        busy.remove(key)
        return
    recorder.record(key, record(trial, trial.reports + 1))
    if trial.reports + 1 == 9:
        recorder.end(key, State.COMPLETE)
        busy.remove(key)


def table(history: History) -> list[tuple[object, ...]]:
    return [
        (n, t.state, tuple(sorted(t.params.items())), tuple(r.metrics["val_accuracy"] for r in t.records))
        for n, t in sorted(((key.trial, trial) for key, trial in history.trials.items()), key=lambda pair: pair[0])
    ]
