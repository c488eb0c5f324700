"""What the record says of a run: all that is needed to train it again and to hold it against what comes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from isoflop.config import STORED, flatten, nest
from isoflop.errors import Fault, InputError, UnknownError
from isoflop.families import Scalar
from isoflop.journal.event import Event, Kind
from isoflop.journal.history import History
from isoflop.outcome import key_of
from isoflop.records import Key, Record, State, Trial

SCHEMA: Final = 1
ENDED: Final = frozenset({State.COMPLETE, State.PRUNED})
"""States of trials whose records can be compared: they are whole, and reached by training."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """The record of one training."""

    key: Key
    state: State
    seed: int
    config: Mapping[str, Scalar]
    flops: float
    """FLOPs of one image's forward pass."""
    records: tuple[Record, ...]
    answers: Path | None = None
    """Its stored answers on validation, where they are kept."""
    weights: Path | None = None
    """Its stored weights, where they are kept."""
    notes: tuple[str, ...] = ()
    """What may keep it from coming back bit for bit."""

    @property
    def asked(self) -> list[str]:
        """Metrics that every report shall have."""
        return sorted(self.records[0].metrics) if self.records else []

    @property
    def names(self) -> list[str]:
        """Names of the weights that it begins with or learns from."""
        return [str(name) for key in STORED if (name := self.config.get(key))]

    def to_dict(self, base: Mapping[str, Scalar]) -> dict[str, Any]:
        """As JSON values, but for its files; of the configuration what is other than the base's."""
        return {
            "trial": self.key.trial,
            "replicate": self.key.replicate,
            "state": str(self.state),
            "seed": self.seed,
            "changes": {key: value for key, value in self.config.items() if base.get(key) != value},
            "flops": self.flops,
            "records": [record.to_dict() for record in self.records],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """The record of a run: one training, or all seeds of a row."""

    run: str
    study: str
    """Empty where it comes from a file."""
    data: Mapping[str, Any]
    """The data set: name, digest and path, and where known its files and how it was prepared."""
    origin: Mapping[str, Any]
    """Code, packages and machine of the training (`provenance`)."""
    trainings: tuple[Training, ...] = field(default=())

    def write(self, path: Path) -> Path:
        """Leave it as a JSON file, without the paths of the machine that it comes from."""
        base = self.trainings[0].config
        values = {
            "schema": SCHEMA,
            "run": self.run,
            "data": {name: value for name, value in self.data.items() if name != "path"},
            "origin": dict(self.origin),
            "config": nest(base),
            "trainings": [training.to_dict(base) for training in self.trainings],
        }
        path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> Self:
        """What `write` left. Files of a training are looked for in `KEY/` beside it. Raises `InputError`."""
        try:
            values = json.loads(path.read_bytes())
            if values["schema"] != SCHEMA:
                raise InputError(Fault(str(path), f"has schema {values['schema']}, not {SCHEMA}", "upgrade isoflop"))
            base = dict(flatten(values["config"]))
            trainings = tuple(_training(one, base, path.parent) for one in values["trainings"])
            return cls(run=values["run"], study="", data=values["data"], origin=values["origin"], trainings=trainings)
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, InputError):
                raise
            remedy = "write it with: isoflop export-stage RUN"
            raise InputError(Fault(str(path), f"is no record of a run ({error})", remedy)) from None


def recorded(run: str, events: Sequence[Event], home: Path) -> Recorded:
    """What a study's journal says of a run, `STUDY/NUMBER` for all its seeds or `STUDY/NUMBER.REPLICATE`.

    Raises `UnknownError` where it is not there, or did not end by training.
    """
    study, wanted = key_of(run)
    history = History.fold(events)
    found = [trial for key, trial in sorted(history.trials.items()) if key.trial == wanted.trial]
    if "." in run.rpartition("/")[2]:
        found = [trial for trial in found if trial.key == wanted]
    ended = [trial for trial in found if trial.state in ENDED and trial.records]
    if not ended:
        raise UnknownError(Fault(run, _why(found), f"see: isoflop trials {study}"))
    facts = _facts(events, [trial.key for trial in ended])
    return Recorded(
        run=run,
        study=study,
        data=facts[ended[0].key][-1]["data"],
        origin=facts[ended[0].key][-1].get("provenance") or {},
        trainings=tuple(_of_trial(trial, history, home, _notes(trial, events, facts[trial.key])) for trial in ended),
    )


def files_of(folder: Path, key: Key) -> tuple[Path, Path]:
    """Where answers and weights of a training stand below a folder."""
    return folder / str(key) / "val_predictions.npz", folder / str(key) / "weights.safetensors"


def _training(values: Mapping[str, Any], base: Mapping[str, Scalar], folder: Path) -> Training:
    key = Key(trial=values["trial"], replicate=values["replicate"])
    answers, weights = files_of(folder, key)
    return Training(
        key=key,
        state=State(values["state"]),
        seed=values["seed"],
        config={**base, **values["changes"]},
        flops=values["flops"],
        records=tuple(map(Record.from_dict, values["records"])),
        answers=answers if answers.is_file() else None,
        weights=weights if weights.is_file() else None,
        notes=tuple(values["notes"]),
    )


def _of_trial(trial: Trial, history: History, home: Path, notes: Iterable[str]) -> Training:
    kept = {
        kind: path
        for kind in ("val_predictions", "weights")
        if (facts := history.artifacts.get((trial.key, kind))) and (path := home / facts["path"]).is_file()
    }
    return Training(
        key=trial.key,
        state=trial.state,
        seed=trial.seed,
        config=trial.config,
        flops=trial.flops,
        records=trial.records,
        answers=kept.get("val_predictions"),
        weights=kept.get("weights"),
        notes=tuple(notes),
    )


def _facts(events: Iterable[Event], keys: Sequence[Key]) -> dict[Key, list[Mapping[str, Any]]]:
    """What the study said of itself when each training reported, each segment once, the newest last."""
    said: Mapping[str, Any] = {}
    found: dict[Key, list[Mapping[str, Any]]] = {key: [] for key in keys}
    for event in events:
        key = Key(trial=event.trial, replicate=event.replicate)
        if event.kind is Kind.STUDY:
            said = event.payload
        elif event.kind is Kind.RECORD and key in found and said not in found[key][-1:]:
            found[key].append(said)
    return found


def _notes(trial: Trial, events: Iterable[Event], facts: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    codes = list(dict.fromkeys(str((one.get("provenance") or {}).get("code", "")) for one in facts))
    if len(codes) > 1:
        yield f"training {trial.key} was resumed with other code: {' then '.join(codes)}; the last one is taken"
    if trial.attempt:
        own = [event for event in events if (event.trial, event.replicate) == (trial.number, trial.replicate)]
        last = max(place for place, event in enumerate(own) if event.kind is Kind.RETRY)
        before = sum(event.kind is Kind.RECORD for event in own[:last])
        if before:
            what = f"its first {before} reports are those of a larger micro-batch, which may differ in the last bits"
            yield f"training {trial.key} ran out of memory: {what}"


def _why(found: Sequence[Trial]) -> str:
    if not found:
        return "is no run of this study"
    states = ", ".join(sorted({str(trial.state) for trial in found}))
    return f"cannot be compared ({states}): runs that are COMPLETE or PRUNED can"
