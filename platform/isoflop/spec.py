"""Spec files: YAML with a `space:` and a `study:` part, checked whole before anything runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from isoflop.config import WEIGHTS, flatten, known_keys, parse
from isoflop.dimension import Reader
from isoflop.document import read_yaml
from isoflop.errors import Fault, SpecError, UnknownError, did_you_mean
from isoflop.families import Scalar, families
from isoflop.scaling import unfit
from isoflop.setting import take
from isoflop.space import FAMILY, RESOLUTION, SearchSpace
from isoflop.study_spec import StudySpec

PARTS = ("space", "study")


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """A spec that holds together: what may vary, and the study over it."""

    study: StudySpec
    space: SearchSpace
    source: Mapping[str, Any]
    """The `space:` part as it was written, in JSON values."""

    def tree(self) -> dict[str, Any]:
        """The spec as plain values, from which `spec_from_tree` makes it again."""
        return {"space": self.source, "study": self.study.model_dump(mode="json")}


def load_spec(path: Path) -> Spec:
    """Read a spec file. Raises `UnknownError` where there is none, `SpecError` with every fault that it has."""
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such spec"
        raise UnknownError(Fault(str(path), what, _nearest(path)))
    return spec_from_tree(read_yaml(path), where=path.name, name=path.stem)


def spec_from_tree(tree: object, *, where: str, name: str | None = None) -> Spec:
    """Make a spec of plain values. Raises `SpecError` with every fault, each under its key."""
    if not isinstance(tree, Mapping):
        raise SpecError(Fault(where, "is not a mapping", "write the parts space: and study:"))
    faults = [Fault(str(key), "unknown part", did_you_mean(str(key), PARTS)) for key in tree if key not in PARTS]
    faults += [Fault(part, "missing", f"add the part {part}:") for part in PARTS if part not in tree]
    reader = Reader((), faults=faults)
    space = reader.read(tree.get("space"), "space")
    if "space" in tree and not _names_family(tree["space"]):
        faults.append(Fault(f"space.{FAMILY}", "missing", f"name one of: {', '.join(families())}"))
    study: StudySpec | None = None
    try:
        given = {} if tree.get("study") is None else tree["study"]
        study = parse(StudySpec, {"name": name, **given} if isinstance(given, Mapping) else given, "study")
        if not faults:
            faults.extend([*_unfit(study, space), *_unequal(study, space)])
        if not faults:
            study = study.model_copy(update={"enqueue": _enqueued(study, space)})
    except SpecError as error:
        faults.extend(error.faults)
    if faults or study is None:
        raise SpecError(*(Fault(f"{where}: {fault.where}", fault.what, fault.remedy) for fault in faults))
    # Through JSON, as the journal keeps it: a spec compares equal to the one that a study was started with.
    return Spec(study=study, space=space, source=json.loads(json.dumps(tree["space"])))


def _unfit(study: StudySpec, space: SearchSpace) -> Iterator[Fault]:
    """Faults of pretrained weights in the families' defaults, which are the nearest to the published nets.

    What else is drawn and does not fit is INFEASIBLE, as any shape is that cannot be.
    """
    if any(space.values(WEIGHTS)):
        for name in space.families():
            config = space.config(space.default(name), study=study, data_digest="")
            yield from (Fault(f"space.{fault.where}", fault.what, fault.remedy) for fault in unfit(config.model))


def _unequal(study: StudySpec, space: SearchSpace) -> Iterator[Fault]:
    """Faults of what does not go with equal FLOPs."""
    if (equal := study.equal) is None:
        return
    names = space.families()
    for name in equal.families:
        if name not in names:
            yield Fault(f"study.equal.families.{name}", "is not in this space", f"it has: {', '.join(names)}")
    for key in sorted(set(map(equal.key, names))):
        taken = [name for name in names if equal.key(name) == key and key in space.keys(name)]
        if taken:
            remedy = "leave it out, or let study.equal solve another dimension"
            yield Fault(f"space.{key}", f"is solved for {', '.join(taken)} by study.equal", remedy)
        if key != RESOLUTION and any(space.values(WEIGHTS)):
            what = f"fit one net alone, and study.equal solves {key}"
            yield Fault(f"space.{WEIGHTS}", what, "leave them out, or solve resolution")
    for place, constraint in enumerate(study.constraints):
        if constraint.quantity == "flops" and all(
            constraint.excess({"flops": equal.flops * (1 + off)}) > 0 for off in (-equal.tolerance, equal.tolerance)
        ):
            what = f"{constraint} holds for none of {equal.flops:g} (study.equal)"
            yield Fault(f"study.constraints.{place}", what, "leave it out")


def _enqueued(study: StudySpec, space: SearchSpace) -> tuple[dict[str, Scalar], ...]:
    """The known configurations, each value as the space has it. Raises `SpecError` with every fault."""
    faults: list[Fault] = []
    rows = [_known(row, study, space, f"study.enqueue.{place}", faults) for place, row in enumerate(study.enqueue)]
    if faults:
        raise SpecError(*faults)
    return tuple(rows)


def _known(
    row: Mapping[str, object], study: StudySpec, space: SearchSpace, where: str, faults: list[Fault]
) -> dict[str, Scalar]:
    """One known configuration; what the space does not have stands among the faults."""
    written = dict(flatten(row))
    name = str(written.get(FAMILY, space.families()[0]))
    known, found = _typed(written, (name,) if name in families() else ())
    if name in families() and name not in space.families():
        found.append(Fault(FAMILY, f"{name!r} is not in this space", f"it has: {', '.join(space.families())}"))
    elif study.equal and study.equal.key(name) in known:
        found.append(Fault(study.equal.key(name), "is solved by study.equal", "leave it out"))
    elif not found:
        found.extend(_strange(known, space))
    faults.extend(Fault(f"{where}.{fault.where}", fault.what, fault.remedy) for fault in found)
    return known


def _typed(written: Mapping[str, Any], names: tuple[str, ...]) -> tuple[dict[str, Scalar], list[Fault]]:
    """Values as a configuration of these families holds them, and the faults of those that it does not take."""
    known: dict[str, Scalar] = {}
    faults: list[Fault] = []
    for key, value in written.items():
        try:
            known[key] = take(key, value, names) if key in known_keys() else value
        except SpecError as error:
            faults.extend(Fault(key, fault.what, fault.remedy) for fault in error.faults)
    return known, faults


def _strange(known: Mapping[str, Scalar], space: SearchSpace) -> Iterator[Fault]:
    """Faults of what the space cannot draw; a fixed value may be said again."""
    whole = space.complete(known)
    fixed = space.fixed_by(whole)
    for key, (what, remedy) in space.strange({**whole, **known}).items():
        if key not in fixed:
            yield Fault(key, what, remedy)
        elif fixed[key] != known[key]:
            yield Fault(key, f"is fixed at {fixed[key]!r} in this space", "leave it out")


def _nearest(path: Path) -> str:
    """The remedy for a spec that is not there: the nearest one of its folder or of `search_spaces/`, by its name."""
    near = [*path.parent.glob("*.yaml"), *path.glob("*.yaml"), *Path("search_spaces").glob("*.yaml")]
    specs = {file.stem: str(file) for file in near if file.name not in {"dvc.yaml", "params.yaml"}}
    if not specs:
        return "name a YAML file with space: and study:"
    found = get_close_matches(path.stem, specs, n=1)
    return f"did you mean {specs[found[0]]!r}?" if found else f"known: {', '.join(sorted(specs.values()))}"


def _names_family(space: object) -> bool:
    if not isinstance(space, Mapping):
        return space is not None  # another fault says what it is
    nested = space.get("model")
    return FAMILY in space or (isinstance(nested, Mapping) and "family" in nested)
