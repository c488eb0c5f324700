"""Spec files: YAML with a `space:` and a `study:` part, checked whole before anything runs."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from isoflop.config import StudySpec, parse
from isoflop.dimension import Reader
from isoflop.errors import Fault, SpecError, UnknownError, did_you_mean
from isoflop.families import families
from isoflop.space import FAMILY, SearchSpace, refuse_strange

LARGEST = 1_000_000
"""Bytes of a spec file; more is no spec."""
PARTS = ("space", "study")


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """A spec that holds together: what may vary, and the study over it."""

    study: StudySpec
    space: SearchSpace
    source: Mapping[str, Any]
    """The `space:` part as it was written."""

    def tree(self) -> dict[str, Any]:
        """The spec as plain values, from which `spec_from_tree` makes it again."""
        return {"space": self.source, "study": self.study.model_dump(mode="json")}


def load_spec(path: Path) -> Spec:
    """Read a spec file. Raises `UnknownError` where there is none, `SpecError` with every fault that it has."""
    if not path.is_file():
        near = sorted(str(file) for file in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        near = near or sorted(map(str, Path("search_spaces").glob("*.yaml")))
        remedy = did_you_mean(str(path), near) if near else "name a YAML file with space: and study:"
        raise UnknownError(Fault(str(path), "there is no such spec", remedy))
    return spec_from_tree(_yaml(path), where=path.name, name=path.stem)


def spec_from_tree(tree: object, *, where: str, name: str | None = None) -> Spec:
    """Make a spec of plain values. Raises `SpecError` with every fault, each under its key."""
    if not isinstance(tree, Mapping):
        raise SpecError(Fault(where, "is no mapping", "write the parts space: and study:"))
    faults = [
        Fault(f"{where}: {key}", "unknown part", did_you_mean(str(key), PARTS)) for key in tree if key not in PARTS
    ]
    faults += [Fault(f"{where}: {part}", "missing", f"add the part {part}:") for part in PARTS if part not in tree]
    reader = Reader(())
    space = reader.read(tree.get("space", {}), "space")
    if "space" in tree and not _names_family(tree["space"]):
        reader.faults.append(Fault(f"space.{FAMILY}", "missing", f"name one of: {', '.join(families())}"))
    study: StudySpec | None = None
    try:
        given = tree.get("study") or {}
        study = parse(StudySpec, {"name": name, **given} if isinstance(given, Mapping) else {"": given}, "study")
    except SpecError as error:
        reader.faults.extend(error.faults)
    if study is not None and not reader.faults:
        for place, row in enumerate(study.enqueue):
            reader.faults.extend(refuse_strange(space, row, f"study.enqueue.{place}"))
    faults += [Fault(f"{where}: {fault.where}", fault.what, fault.remedy) for fault in reader.faults]
    if faults or study is None:
        raise SpecError(*faults)
    return Spec(study=study, space=space, source=dict(tree["space"]))


def _names_family(space: object) -> bool:
    if not isinstance(space, Mapping):
        return True  # another fault says so
    nested = space.get("model")
    return FAMILY in space or (isinstance(nested, Mapping) and "family" in nested)


def _yaml(path: Path) -> object:
    if path.stat().st_size > LARGEST:
        raise SpecError(Fault(str(path), f"is larger than {LARGEST:,} bytes", "a spec is a page of YAML"))
    try:
        text = path.read_text(encoding="utf-8")
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader that refuses duplicate keys
    except UnicodeDecodeError:
        raise SpecError(Fault(str(path), "is no UTF-8 text", "save it as UTF-8")) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"{path.name}:{mark.line + 1}" if mark else path.name
        problem = getattr(error, "problem", None) or "cannot be read"
        raise SpecError(Fault(line, f"is not YAML ({problem})", "mind indentation and colons")) from None


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, and aliases, which can blow up a small file."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """A mapping of unique keys."""
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"{key!r} stands twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """A node that is no alias."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=event.start_mark)
        return super().compose_node(parent, index)
