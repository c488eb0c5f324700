"""What a study comes to, worked out of the cache's columns when the study changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isoflop.optimism import Optimism
from isoflop.records import Result, State, Trial
from isoflop.statistics import Hits
from isoflop.tracking import rows
from isoflop.tracking.cache.manifest import Manifest, Summary
from isoflop.tracking.cache.restored import facts_of, last_of, test_of, trial_of, verdict_of
from isoflop.tracking.cache.results import to_json
from isoflop.tracking.cache.run import Run
from isoflop.tracking.cache.tables import Tables
from isoflop.tracking.hits import fault_name, hits_in

SPLITS = ("val", "test")


@dataclass(frozen=True, slots=True)
class Summarizer:
    """Works summaries out of what stands in a cache."""

    tables: Tables
    manifest: Manifest

    def own(self, study: Summary) -> Summary:
        """A study's row and openings, out of its own runs."""
        facts = self._facts(study)
        found = self.tables.states(self.manifest, study)
        counts = rows.counted(Counter(state for _, state, _ in found))
        row = rows.study_row(facts, counts, self._complete(study), running=True)
        opened = Counter(digest for _, _, digest in found if digest)
        return replace(study, id=facts.id, row=row, opened=dict(opened))

    def whole(self, study: Summary) -> Summary:
        """What it owes to others too: the luck in a search that has finalists, and its own finalists."""
        finalists = self.manifest.find(f"{study.id}-{rows.FINALISTS}")
        found = self.luck(study) if finalists is not None else None
        return replace(study, luck=_told(found), results=tuple(to_json(one) for one in self._results(study)))

    def luck(self, study: Summary) -> Optimism | None:
        """The luck in a search's best score."""
        if not self._facts(study).picks_hits:
            return None
        picked = [hits for _, tags in self._tags(study) if (hits := hits_in(tags, "val")) is not None]
        retrained: dict[int, list[Hits]] = {}
        later = self.manifest.find(f"{study.id}-{rows.FINALISTS}")
        for number, tags in self._tags(later) if later else ():
            if (hits := hits_in(tags, "val")) is not None:
                retrained.setdefault(number, []).append(hits)
        return rows.luck(picked, retrained.values())

    def _results(self, study: Summary) -> list[Result]:
        """The finalists of a study, with what its search says of them."""
        facts = self._facts(study)
        if facts.plan != rows.FINALISTS:
            return []
        runs = self.tables.runs(self.manifest, study, state=State.COMPLETE)
        seeds = [rows.Seed(trial=trial_of(run), test=test_of(run), verdict=verdict_of(run)) for run in runs]
        ended = [(number, State(state)) for number, state, _ in self.tables.states(self.manifest, study)]
        lost = Counter(number for number, state in ended if state.final and state is not State.COMPLETE)
        found = rows.finalists(facts, seeds, lost)
        return [self._with_search(_with_hits(one, [run for run in runs if _number(run) == one.trial])) for one in found]

    def _with_search(self, result: Result) -> Result:
        search = self.manifest.find(result.search)
        if search is None:
            return result
        luck = search.luck["luck"] if search.luck else None
        found = rows.searched(result, self._picked(search, result.source))
        return replace(result, counts=dict(search.row["counts"]), searched=found, luck=luck)

    def _picked(self, search: Summary, source: str) -> Trial | None:
        """The trial that a finalist retrains."""
        number = source.rpartition("/")[2]
        runs = self.tables.runs(self.manifest, search, trial=int(number)) if number.isdecimal() else []
        return next((trial_of(run) for run in runs), None)

    def _complete(self, study: Summary) -> list[Trial]:
        """The COMPLETE trials with what can be an objective."""
        return [
            Trial(
                number=number,
                replicate=replicate,
                state=State.COMPLETE,
                parameters=int(metrics.get("parameters", (0, 0))[0]),
                flops=metrics.get("flops", (0.0, 0))[0],
                memory=int(metrics.get("memory", (0, 0))[0]),
                latency=metrics["latency"][0] if "latency" in metrics else None,
                records=last_of(metrics),
            )
            for number, replicate, metrics in self.tables.last(self.manifest, study)
        ]

    def _facts(self, study: Summary) -> rows.Facts:
        return facts_of(self.tables.known(self.manifest, study, [study.run])[study.run])

    def _tags(self, study: Summary) -> Sequence[tuple[int, Any]]:
        return self.tables.tags(self.manifest, study)


def _with_hits(result: Result, runs: Sequence[Run]) -> Result:
    """A finalist with the hits that all its seeds left, and with what is wrong with others."""
    hits: dict[str, Hits] = {}
    faults = []
    for split in SPLITS:
        found = [hits_in(run.tags, split) for run in runs]
        stored = [one for one in found if one is not None]
        if len(stored) == len(runs) and len({len(one) for one in stored}) == 1:
            hits[split] = np.stack(stored)
        elif all(f"isoflop.{split}_predictions_sha256" in run.tags for run in runs):
            faults.append(next((run.tags[fault_name(split)] for run in runs if fault_name(split) in run.tags), ""))
    return replace(result, hits=hits, faults=tuple(fault for fault in faults if fault))


def _number(run: Run) -> int:
    return run.key.trial if run.key else -1


def _told(luck: Optimism | None) -> dict[str, Any] | None:
    return luck.to_dict() if luck else None
