"""Studies of a table: the product's plan over a space that no training has, whose trials look their results up."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from benchmarks.pretence import Pretence
from benchmarks.problems import Params, Table, nasbench201, nasbench201_seconds
from benchmarks.toy import IMAGES, price
from isoflop.config import TrialConfig
from isoflop.execution.desk import Smaller
from isoflop.families import Scalar
from isoflop.planning.search import SearchPlan
from isoflop.records import Job, Record, Trial
from isoflop.seeds import derive
from isoflop.space import SearchSpace
from isoflop.study_spec import StudySpec

CELLS = 1_000_000
"""More than a table has: its cells have numbers below, which stand in a configuration as millionths."""


@dataclass(frozen=True)
class Cells:
    """The cells of NAS-Bench-201 on one data set."""

    name: str
    table: Table
    seconds: Mapping[tuple[int, ...], float]

    def at(self, params: Params) -> tuple[int, ...]:
        """The places of a cell's operations."""
        return tuple(choices.index(params[key]) for key, choices in self.table.space.items())

    def mean(self, params: Params) -> float:
        """Its true accuracy in percent: the mean of its trainings."""
        found = self.table.values[self.at(params)]
        return sum(found) / len(found)


@cache
def cells(name: str) -> Cells:
    """The cells of a data set, read once a process."""
    return Cells(name, nasbench201(name), nasbench201_seconds(name))


@dataclass(frozen=True, kw_only=True, slots=True)
class TableSpace(SearchSpace):
    """The space of a table: its configurations differ in their cell's number, and none is a family's default."""

    name: str

    def families(self) -> tuple[str, ...]:
        """None that has a default here."""
        return ()

    def config(self, params: Mapping[str, Scalar], *, study: StudySpec, data_digest: str) -> TrialConfig:
        """A configuration that nobody trains, with the cell's number in place of its weight decay."""
        number = 0
        for place in cells(self.name).at(params):
            number = 5 * number + place
        known: dict[str, Scalar] = {
            "data.name": self.name,
            "data.digest": data_digest,
            "model.family": "lenet",
            "train.reports": 1,
        }
        return TrialConfig.from_params(
            known | {"train.horizon": study.fidelity.horizon, "optim.weight_decay": number / CELLS}
        )


def plan(name: str, **study: object) -> SearchPlan:
    """A search for the best cell."""
    given = {"name": "tabled", "data": name, "halving": None, "fidelity": {"horizon": 1, "reports": 1}, **study}
    space = TableSpace(dimensions=cells(name).table.problem().space.dimensions, name=name)
    spec = StudySpec.model_validate(given)
    return SearchPlan(spec=spec, space=space, digest="tabled", images=IMAGES, code="tabled", price=price)


@dataclass(frozen=True)
class TableDesk:
    """Jobs that carry what was sampled, and the study's seed, by which a study draws one training of each cell."""

    name: str
    folder: str

    def job(self, trial: Trial) -> Job:
        """What a worker is given."""
        return Job(
            study="tabled",
            key=trial.key,
            config={**trial.params, "train.reports": 1},
            seed=trial.seed,
            data=self.name,
            checkpoints=f"{self.folder}/{trial.key}",
        )

    def smaller(self, trial: Trial) -> Smaller | None:
        """There is no smaller cell."""
        del trial
        return None


class Cell(Pretence):
    """A training that was run long ago: one of the table's, which the study's seed decides."""

    def __next__(self) -> Record:
        """Its only report; as FLOPs, and seconds, what it took on a GPU."""
        found = cells(self.job.data)
        params = {key: self.job.config[key] for key in found.table.space}
        at = found.at(params)
        self.report += 1
        value = random.Random(derive(self.job.seed, "training", *at)).choice(found.table.values[at])
        return Record(
            report=1,
            step=1,
            epoch=1.0,
            images=1,
            flops=found.seconds[at],
            fidelity=1.0,
            metrics={"val_accuracy": value},
            measured={"seconds": found.seconds[at]},
        )


def open_cell(job: Job) -> Cell:
    """Begin."""
    return Cell(job)
