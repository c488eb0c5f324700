"""Register finalists as challengers, and promote a challenger to champion through the gates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from isoflop.bench import Bench
from isoflop.errors import Fault, InputError, UnknownError, did_you_mean
from isoflop.portable.finalist import Finalist
from isoflop.portable.shelf import Shelf, Version
from isoflop.registry.gates import Contestant, Gate, better_gate, reload_gate
from isoflop.registry.reload import answered_again
from isoflop.tracking.store import Store

CHAMPION: Final = "champion"
"""The alias of the version that is in use."""
CHALLENGER: Final = "challenger"
"""The alias of the version that wants to be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Promotion:
    """What came of a challenge."""

    challenger: Version
    champion: Version | None
    """The version that was champion before, none where there was none."""
    gates: tuple[Gate, ...]

    @property
    def promoted(self) -> bool:
        """Whether every gate opened."""
        return all(gate.passed for gate in self.gates)

    def lines(self) -> Iterator[str]:
        """What a person wants to know."""
        yield from map(str, self.gates)
        if self.promoted:
            before = f", after {self.champion} ({self.champion.run})" if self.champion else ", the first"
            yield f"{self.challenger} ({self.challenger.run}) is the champion now{before}"
        else:
            stays = f"; {self.champion} stays the champion" if self.champion else ""
            yield f"{self.challenger} ({self.challenger.run}) was refused{stays}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "name": self.challenger.name,
            "promoted": self.promoted,
            "challenger": {"version": self.challenger.number, "run": self.challenger.run},
            "champion": self.champion and {"version": self.champion.number, "run": self.champion.run},
            "gates": [{"name": gate.name, "passed": gate.passed, "why": gate.why} for gate in self.gates],
        }


def register(run: str, *, name: str | None = None, bench: Bench | None = None) -> Version:
    """Log a finalist to MLflow's store and make it the challenger of a registered model, by default its data set's.

    `run` is `STUDY/NUMBER` or `STUDY/NUMBER.REPLICATE`; of several seeds, the first. Weights that are registered under
    the name already get no second version, and the champion does not become its own challenger. Raises `UnknownError`
    for an unknown run or one that left no weights, `InputError` for a name that MLflow does not take.
    """
    bench = bench or Bench.here()
    finalist = Finalist.find(run, Store(bench.journal, bench.home.path))
    shelf = shelf_of(bench)
    version = shelf.register(name or finalist.data, finalist)
    if CHAMPION not in version.aliases:
        shelf.give(version, CHALLENGER)
    return _now(shelf, version)


def promote(name: str, *, bench: Bench | None = None) -> Promotion:
    """Make the challenger of a registered model the champion, if it passes the gates; else nothing changes.

    It must answer as stored once it was reloaded from the store, and beat the champion in a paired test on the stored
    test answers; the first champion needs the first alone. What the gates said stands in the version's tags. Raises
    `InputError` where there is no challenger, and `UnknownError` for a name that nobody registered.
    """
    bench = bench or Bench.here()
    shelf, store = shelf_of(bench), Store(bench.journal, bench.home.path)
    challenger, champion = _pair(shelf, name)
    finalist = Finalist.find(challenger.run, store)
    gates = [reload_gate(str(challenger), answered_again(shelf.load(challenger).model, finalist))]
    if champion is not None:
        other = Finalist.find(champion.run, store)
        gates.append(better_gate(_contestant(challenger, finalist), _contestant(champion, other)))
    done = Promotion(challenger=challenger, champion=champion, gates=tuple(gates))
    shelf.tag(challenger, {f"isoflop.gate.{gate.name}": str(gate) for gate in gates})
    if done.promoted:
        shelf.give(challenger, CHAMPION)
        shelf.take(name, CHALLENGER)
    return done


def registered(name: str | None = None, *, bench: Bench | None = None) -> list[dict[str, Any]]:
    """The versions of all registered models, or of one, as JSON values. Raises `UnknownError` for an unknown name."""
    shelf = shelf_of(bench or Bench.here())
    names = shelf.names()
    if name is not None:
        _check(name, names)
    return [_row(version) for one in ([name] if name else names) for version in shelf.versions(one)]


def shelf_of(bench: Bench) -> Shelf:
    """The models of a bench's tracking server or database."""
    return Shelf(bench.mlflow, artifacts=bench.home.mlflow_artifacts)


def _pair(shelf: Shelf, name: str) -> tuple[Version, Version | None]:
    """Challenger and champion of a registered model."""
    _check(name, shelf.names())
    challenger, champion = shelf.holder(name, CHALLENGER), shelf.holder(name, CHAMPION)
    if challenger is None or challenger == champion:
        what = f"has no challenger{f'; {champion} is the champion' if champion else ''}"
        raise InputError(Fault(f"model {name}", what, f"make one: isoflop register RUN --name {name}"))
    return challenger, champion


def _check(name: str, names: list[str]) -> None:
    if name not in names:
        remedy = did_you_mean(name, names) if names else "nothing is registered yet: isoflop register RUN"
        raise UnknownError(Fault("model", f"there is no registered model {name!r}", remedy))


def _contestant(version: Version, finalist: Finalist) -> Contestant:
    return Contestant(
        name=str(version),
        run=finalist.run,
        data_digest=finalist.data_digest,
        test=finalist.predictions("test"),
    )


def _now(shelf: Shelf, version: Version) -> Version:
    """A version with the aliases that it has now."""
    return next(one for one in shelf.versions(version.name) if one.number == version.number)


def _row(version: Version) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": version.number,
        "aliases": list(version.aliases),
        "run": version.run,
        "created": version.created,
        "tags": dict(version.tags),
    }
