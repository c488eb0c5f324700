"""What has come of a study: its trials, the best of them, and what a model of all recommends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.choice import choose, front
from isoflop.errors import Fault, UnknownError, did_you_mean
from isoflop.home import Home
from isoflop.journal.sqlite import SqliteJournal
from isoflop.records import Key, State, Trial
from isoflop.spec import Spec, spec_from_tree
from isoflop.tracking.store import Store

if TYPE_CHECKING:
    import pandas as pd

RUN = re.compile(r"(.+)/([0-9]+)(?:\.([0-9]+))?")
"""A run's name: study, trial, and the replicate if it is not the first."""


@dataclass(frozen=True, slots=True)
class Study:
    """A study that stands in the journal, to be read."""

    id: str
    store: Store

    @property
    def trials(self) -> Sequence[Trial]:
        """Its trials, by number and replicate."""
        trials = self.store.history(self.id).trials.values()
        return sorted(trials, key=lambda t: (t.number, t.replicate))

    @property
    def spec(self) -> Spec:
        """The spec that it runs."""
        return spec_from_tree(self.store.history(self.id).study["spec"], where=f"study {self.id}")

    @property
    def best(self) -> Trial | None:
        """The best COMPLETE trial, of several objectives one on the front; none while there is none."""
        study = self.spec.study
        return next(iter(choose(self.trials, study.objectives, study.constraints, 1)), None)

    @property
    def recommended(self) -> Trial | None:
        """The COMPLETE trial that a model of all trials expects most of; none while there is none.

        `best` has the best score, which is in part luck; what the model expects is closer to what a training on a fresh
        seed comes to. Of several objectives all weigh the same.
        """
        from isoflop.planning.recommendation import recommendation

        spec, history = self.spec, self.store.history(self.id)
        number = recommendation(spec.study, spec.space, history)
        trial = None if number is None else history.trials[Key(trial=number)]
        return trial if trial is not None and trial.state is State.COMPLETE else None

    @property
    def front(self) -> Sequence[Trial]:
        """The COMPLETE trials that no other beats in every objective, by number; of one objective the best and equals.

        Those that break a constraint are not among them.
        """
        study = self.spec.study
        return front(self.trials, study.objectives, study.constraints)

    def to_frame(self) -> pd.DataFrame:
        """One row a trial: number, state, objective, FLOPs, parameters, and what was sampled or solved, by key."""
        import pandas as pd

        study = self.spec.study
        metrics = [objective.metric for objective in study.objectives]
        equal = study.equal
        rows = [
            {
                "number": trial.number,
                "replicate": trial.replicate,
                "state": str(trial.state),
                **{metric: trial.value(metric) for metric in metrics},
                "flops": trial.flops,
                "parameters": trial.parameters,
                "reports": trial.reports,
                **trial.params,
                **(equal.solved(trial.config) if equal and trial.flops else {}),
            }
            for trial in self.trials
        ]
        return pd.DataFrame(rows)


def load_study(study: str, *, home: Path | None = None) -> Study:
    """A study by its id. Raises `UnknownError` with the nearest id."""
    place = Home(home.absolute()) if home else Home.find()
    return known(study, Store(SqliteJournal(place.ensure().journal), place.path))


def key_of(run: str) -> tuple[str, Key]:
    """Study and key of a run by its name, `STUDY/NUMBER` or `STUDY/NUMBER.REPLICATE`; of several seeds, the first.

    Raises `UnknownError` for what is no such name.
    """
    found = RUN.fullmatch(run)
    if found is None:
        raise UnknownError(
            Fault("run", f"{run!r} is not STUDY/NUMBER", "see: isoflop leaderboard, isoflop trials STUDY")
        )
    study, trial, replicate = found.groups(default="0")
    return study, Key(trial=int(trial), replicate=int(replicate))


def known(study: str, store: Store) -> Study:
    """A study of a store. Raises `UnknownError` with the nearest id."""
    ids = store.journal.studies()
    if study not in ids:
        remedy = did_you_mean(study, ids) if ids else "there is no study yet: run isoflop search SPEC"
        raise UnknownError(Fault("study", f"unknown study {study!r}", remedy))
    return Study(study, store)
