"""The ledger of test openings: which test set was opened, by whom, when and why, and what must not be opened again.

Validation picks; a test set is opened for finalists alone, once for each version of a study. What is to be read is
written to the journal first, so an opening stands in the ledger even where the process ends before it has an answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from isoflop.errors import Fault, InputError, UnknownError, did_you_mean
from isoflop.journal.history import History
from isoflop.records import Key
from isoflop.tracking.rows import FINALISTS
from isoflop.tracking.store import Store

FREE = frozenset({"name", "data", "resources", "finalists"})
"""Parts of a spec's `study:` that make no new version: the names, where it runs, and what may look at the test set."""
DIGITS = 8
"""Hexadecimal digits of a version."""
PACKING = ("fused.", "train.micro_batch")
"""What the keys begin with that say how trainings share a machine."""
USUAL = "finalists of the study"
"""Why a test set is opened, where nobody says more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A test set was opened for one training, or was about to be."""

    study: str
    version: str
    """Of the study, see `version_of`."""
    key: Key
    seed: int
    source: str
    """The trial that the training retrains."""
    recipe: str
    """Hash of its configuration, without how seeds share the machine: trainings of one recipe differ in the seed."""
    data: str
    digest: str
    why: str
    again: bool
    """Whether it was a further opening for the same version, which somebody asked for."""
    opening: int
    """Which opening of its study this was, counted from 0."""
    time: float
    """Unix seconds."""
    read: bool
    """Whether its answers stand; where not, it was broken off, and the images may have been read."""

    @property
    def run(self) -> str:
        """The training, as `STUDY/NUMBER.REPLICATE`."""
        return f"{self.study}/{self.key}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        names = ("study", "version", "run", "seed", "source", "recipe", "data", "digest", "why", "again", "opening")
        return {name: getattr(self, name) for name in names} | {"time": self.time, "read": self.read}


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """How often a test set has been opened."""

    data: str
    digest: str
    openings: int
    trainings: int
    recipes: int
    studies: int

    def __str__(self) -> str:
        """In a line."""
        return (
            f"test set of {self.data} ({self.digest}): opened {_times(self.openings)}, for {self.trainings} "
            f"training{'s' * (self.trainings != 1)} of {self.recipes} recipe{'s' * (self.recipes != 1)} "
            f"in {self.studies} stud{'ies' if self.studies != 1 else 'y'}"
        )


def version_of(facts: Mapping[str, Any]) -> str:
    """Which version of a study a STUDY event describes: a hash of what was searched, how, and for how long.

    `isoflop extend` makes a new version. How many finalists on how many seeds there are, and where it runs, does not.
    """
    spec = facts.get("spec", {})
    study = {name: value for name, value in spec.get("study", {}).items() if name not in FREE}
    text = json.dumps({"space": spec.get("space"), "study": study}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def due(study: str, history: History, wanted: Collection[Key], *, again: str = "") -> dict[str, Any] | None:
    """The payload of the OPENING event that must come before the test set is read for these trainings.

    None where there is nothing to read, or all of it was announced by an opening that was broken off. Raises
    `InputError` where the test set was opened for this version of the study already and `again`, why it should be
    nevertheless, is empty.
    """
    facts, version = history.study, version_of(history.study)
    fresh = sorted(set(wanted) - set(history.opened) - _announced(history))
    if not fresh:
        return None
    digest = facts["data"]["digest"]
    before = [entry for entry in entries(study, history) if (entry.version, entry.digest) == (version, digest)]
    if before and not again:
        raise InputError(_refusal(study, facts, before, len(fresh)))
    return {
        "version": version,
        "data_digest": digest,
        "why": again or USUAL,
        "again": bool(before),
        "trainings": [{"trial": key.trial, "replicate": key.replicate} for key in fresh],
    }


def entries(study: str, history: History) -> Iterator[Entry]:
    """A study's part of the ledger, in the order of its openings."""
    for place, opening in enumerate(_openings(history)):
        for key in (Key(**one) for one in opening["trainings"]):
            trial = history.trials[key]
            yield Entry(
                study=study,
                version=opening["version"],
                key=key,
                seed=trial.seed,
                source=trial.source,
                recipe=_recipe(trial.config),
                data=str(history.study.get("data", {}).get("name", "")),
                digest=opening["data_digest"],
                why=opening["why"],
                again=opening["again"],
                opening=place,
                time=history.opened.get(key, opening)["time"],
                read=key in history.opened,
            )


def ledger(store: Store, data: str | None = None) -> list[Entry]:
    """Every opening of every test set, the oldest first; with `data`, a name or the first digits of a digest, of that.

    Raises `UnknownError` where no study stands on such data.
    """
    histories = {study: store.history(study) for study in store.journal.studies()}
    found = [entry for study, history in histories.items() for entry in entries(study, history)]
    if data is not None:
        sets = [history.study.get("data", {}) for history in histories.values()]
        if not any(_is(data, str(one.get("name", "")), str(one.get("digest", ""))) for one in sets):
            names = sorted({str(one["name"]) for one in sets if "name" in one})
            remedy = did_you_mean(data, names) if names else "there is no study yet: run isoflop search SPEC"
            raise UnknownError(Fault("data", f"no study stands on data {data!r}", remedy))
        found = [entry for entry in found if _is(data, entry.data, entry.digest)]
    return sorted(found, key=lambda entry: (entry.time, entry.study, entry.key))


def counts(found: Iterable[Entry]) -> list[Count]:
    """How often each test set was opened, by digest."""
    sets: dict[str, list[Entry]] = {}
    for entry in found:
        sets.setdefault(entry.digest, []).append(entry)
    return [
        Count(
            data=many[0].data,
            digest=digest,
            openings=len({(one.study, one.opening) for one in many}),
            trainings=len(many),
            recipes=len({one.recipe for one in many}),
            studies=len({one.study for one in many}),
        )
        for digest, many in sorted(sets.items())
    ]


def _openings(history: History) -> list[Mapping[str, Any]]:
    """The openings; one without announcement is that of a journal from before there were any."""
    announced = _announced(history)
    older = [key for key in history.opened if key not in announced]
    if not older:
        return list(history.openings)
    first = {
        "version": version_of(history.study),
        "data_digest": history.opened[older[0]]["data_digest"],
        "why": USUAL,
        "again": False,
        "trainings": [{"trial": key.trial, "replicate": key.replicate} for key in older],
        "time": history.opened[older[0]]["time"],
    }
    return [first, *history.openings]


def _announced(history: History) -> set[Key]:
    return {Key(**one) for opening in history.openings for one in opening["trainings"]}


def _recipe(config: Mapping[str, Any]) -> str:
    own = {key: value for key, value in config.items() if not key.startswith(PACKING)}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:DIGITS]


def _refusal(study: str, facts: Mapping[str, Any], before: Sequence[Entry], more: int) -> Fault:
    """Why a test set stays shut, and what can be done."""
    when = datetime.fromtimestamp(min(entry.time for entry in before), UTC).strftime("%Y-%m-%d")
    digest, version = before[0].digest, before[0].version
    what = (
        f"its version {version} has opened the test set of {before[0].data} ({digest}) on {when} "
        f"for {len(before)} trainings, and {more} more would open it again"
    )
    search = facts.get("parent") or study.removesuffix(f"-{FINALISTS}")
    remedy = (
        f"compare on validation, or go further with the search, which makes a new version: isoflop extend {search}; "
        f'or have it recorded: isoflop finalists {search} --open-again "WHY"'
    )
    return Fault(f"study {study}", what, remedy)


def _is(asked: str, name: str, digest: str) -> bool:
    return asked == name or bool(digest and digest.startswith(asked))


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")
