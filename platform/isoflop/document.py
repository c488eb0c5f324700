"""Reads one YAML document that a person wrote: plain values, no aliases, no key twice, faults with their line."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from isoflop.errors import Fault, SpecError

LARGEST = 1_000_000
"""Bytes of a document; more is no spec."""
DEEPEST = 40
"""Levels of a document; more is no spec."""


def read_yaml(path: Path) -> object:
    """The plain values of a file. Raises `SpecError` where it is not one document of plain YAML."""
    try:
        content = path.read_bytes()
        if len(content) > LARGEST:
            raise SpecError(Fault(str(path), f"is larger than {LARGEST:,} bytes", "a spec is a page of YAML"))
        return yaml.load(content.decode("utf-8"), Loader=Loader)  # noqa: S506 - a safe loader, made stricter
    except UnicodeDecodeError:
        raise SpecError(Fault(str(path), "is no UTF-8 text", "save it as UTF-8")) from None
    except OSError as error:
        raise SpecError(Fault(str(path), f"cannot be read ({error.strerror})", "look at its permissions")) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path.name}:{mark.line + 1}" if mark else path.name
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
        raise SpecError(Fault(place, f"is not a spec's YAML ({problem})", "mend that line")) from None


class Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, aliases (which can blow up a small file) and deep nesting."""

    depth = 0

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """A mapping of unique keys."""
        seen: set[object] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be one word", problem_mark=key_node.start_mark)
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"{key!r} stands twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """A node that is no alias and not too deep."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=event.start_mark)
        if self.depth >= DEEPEST:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {DEEPEST}", problem_mark=event.start_mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node
