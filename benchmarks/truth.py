"""What the sampler is told of trials that halving cut: Isoflop's Optuna study beside stock OptunaSearch and ASHA.

The same search twice by each side, on Ray with two workers, TPE, 9 epochs and halving by 3 from the first: learning
curves that cost nothing, and a LeNet on digits. At the end the states in the Optuna study must be those of the trials;
on the way no suggestion may have taken a trial that was cut for a finished one. Exit code 1 where ours fails in either.

Time: about 3 minutes, 1 with --quick (12 trials, curves alone).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

import isoflop
from benchmarks.idle import IdleBench
from benchmarks.process import QUIET, python
from benchmarks.report import table
from benchmarks.told import counts, overheard
from isoflop.bench import Bench
from isoflop.data import open_prepared
from isoflop.data.preparation import prepare
from isoflop.home import Home
from isoflop.records import State, Trial
from isoflop.spec import Spec, spec_from_tree
from isoflop.study import search_plan
from isoflop.tracking.store import Store

EPOCHS, STATES = 9, ("COMPLETE", "PRUNED", "INFEASIBLE", "RUNNING", "FAIL")
LIMIT_SECONDS = 1200.0
SPACE = {
    "model.family": {"choice": {"lenet": {"model.width": {"float": [1.0, 4.0]}}}},
    "optim.lr": {"float": [5e-4, 1e-2], "log": True},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One side of one search."""

    trials: Mapping[str, int]
    """How the trials ended, by state."""
    told: Mapping[str, int]
    """What Optuna's study holds of them at the end, by state."""
    mistaken: int = 0
    """Tellings on the way in which a trial that was cut stood as COMPLETE."""
    tellings: int = 0

    @property
    def true(self) -> bool:
        """Whether both agree, and no suggestion was misled."""
        names = ("COMPLETE", "PRUNED")
        return not self.mistaken and all(self.trials.get(n, 0) == self.told.get(n, 0) for n in names)


def main() -> None:
    """Run all and print; exit code 1 where ours is not true."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="12 trials, curves alone")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--trials", type=int, default=None)
    options = parser.parse_args()
    os.environ.update(QUIET)
    trials = options.trials or (12 if options.quick else 30)
    problems = ("curve",) if options.quick else ("curve", "digits")
    with tempfile.TemporaryDirectory(prefix="isoflop-truth-") as folder:
        home = Home(Path(folder)).ensure()
        os.environ["ISOFLOP_HOME"] = str(home.path)
        prepare("digits", root=home.data)
        found = {f"{who}, {name}": side(name, trials, home) for name in problems for who, side in SIDES.items()}
    true = all(told.true for name, told in found.items() if name.startswith("Isoflop"))
    values = {name: {**asdict(told), "true": told.true} for name, told in found.items()}
    print(json.dumps(values) if options.json else lines(found, true=true))
    sys.exit(0 if true else 1)


def ours(problem: str, trials: int, home: Home) -> Told:
    """Isoflop's search: what every suggestion was told, and what one after the end would be."""
    bench = IdleBench(home=home) if problem == "curve" else Bench(home=home)
    spec = study_spec(problem, trials)
    with overheard() as kept:
        done = isoflop.search(spec, study=problem, bench=bench).trials
        on_the_way = len(kept)
        plan = search_plan(_open_ended(spec), open_prepared(home.data_set("digits")))
        plan(Store(bench.journal, home.path).history(problem))
    mistaken = sum(_mistaken(told, done) for told in kept[:on_the_way])
    return Told(
        trials=Counter(str(trial.state) for trial in done),
        told=counts(kept[-1]),
        mistaken=mistaken,
        tellings=sum(map(len, kept[:on_the_way])),
    )


def _open_ended(spec: Spec) -> Spec:
    """The spec with room for one trial more, whose suggestion sees every trial as it ended."""
    budget = spec.study.budget.model_copy(update={"trials": (spec.study.budget.trials or 0) + 1})
    return replace(spec, study=spec.study.model_copy(update={"asynchronous": True, "budget": budget}))


def _mistaken(told: Sequence[FrozenTrial], done: Sequence[Trial]) -> int:
    """How many of the trials that were told as COMPLETE had been cut."""
    complete = {_point(trial.params) for trial in done if trial.state is State.COMPLETE}
    return sum(one.state is TrialState.COMPLETE and _point(one.params) not in complete for one in told)


def _point(params: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(params[name] for name in ("optim.lr", "model.width"))


def study_spec(problem: str, trials: int) -> Spec:
    """The search as Isoflop's spec."""
    study = {
        "name": problem,
        "data": "digits",
        "fidelity": {"axis": "epochs", "horizon": EPOCHS, "reports": EPOCHS},
        "halving": {"eta": 3, "rungs": 2},
        "budget": {"trials": trials},
        "sampler": {"name": "tpe", "startup": 6},
        "resources": {"workers": 2},
    }
    return spec_from_tree({"space": SPACE, "study": study}, where=problem)


def stock(problem: str, trials: int, home: Home) -> Told:
    """Plain Ray Tune's search: a trial is complete where it came to the last epoch, else ASHA cut it."""
    spec, data = study_spec(problem, trials), home.data_set("digits")
    base = spec.space.config(spec.space.default("lenet"), study=spec.study, data_digest=open_prepared(data).digest)
    job = {"problem": problem, "trials": trials, "epochs": EPOCHS, "base": base.params(), "data": str(data)}
    path = home.path / f"{problem}.json"
    path.write_text(json.dumps(job))
    done = python("-m", "benchmarks.stock.truth", str(path), timeout=LIMIT_SECONDS)
    found = json.loads(done.output.splitlines()[-1])
    return Told(trials=Counter("COMPLETE" if n == EPOCHS else "PRUNED" for n in found["epochs"]), told=found["told"])


SIDES = {"Isoflop": ours, "OptunaSearch + ASHA": stock}


def lines(found: Mapping[str, Told], *, true: bool) -> str:
    """What a person reads."""
    rows = []
    for name, told in found.items():
        shown = [state for state in STATES if told.trials.get(state) or told.told.get(state)]
        rows += [[name, state, str(told.trials.get(state, 0)), str(told.told.get(state, 0))] for state in shown]
    sides = [told for name, told in found.items() if name.startswith("Isoflop")]
    mistaken, tellings = sum(t.mistaken for t in sides), sum(t.tellings for t in sides)
    return "\n".join(
        [
            "how trials ended, and what Optuna's study holds of them",
            table(["", "state", "trials", "told"], rows),
            "",
            f"on the way: of {tellings} trials that Isoflop's suggestions saw {mistaken} were cut and told COMPLETE",
            f"Isoflop tells its sampler {'the truth' if true else 'something else than its journal says'}",
        ]
    )


if __name__ == "__main__":
    main()
