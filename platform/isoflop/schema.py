"""The JSON schema of spec files, for editors that complete and check YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isoflop.config import known_keys
from isoflop.families import families
from isoflop.space import FAMILY
from isoflop.study_spec import StudySpec

SCALAR = {"type": ["string", "number", "boolean", "null"]}


def json_schema() -> dict[str, Any]:
    """The schema of a whole spec file."""
    study = StudySpec.model_json_schema(ref_template="#/$defs/{model}")
    definitions = study.pop("$defs", {})
    definitions["Objective"] = {"anyOf": [definitions["Objective"]["properties"]["metric"], definitions["Objective"]]}
    quantities = "|".join(definitions["Constraint"]["properties"]["quantity"]["enum"])
    pattern = {"type": "string", "pattern": rf"^\s*({quantities})\s*(<=|>=)\s*\S+\s*$"}
    definitions["Constraint"] = {"anyOf": [pattern, definitions["Constraint"]]}
    study["required"] = [key for key in study.get("required", []) if key != "name"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Isoflop spec",
        "type": "object",
        "required": ["space", "study"],
        "additionalProperties": False,
        "properties": {"space": {"$ref": "#/$defs/space"}, "study": study},
        "$defs": definitions | {"space": _space(), "dimension": _dimension(), "family": _family()},
    }


def _space() -> dict[str, Any]:
    keys = sorted(known_keys() - {FAMILY})
    sections = sorted({key.split(".", 1)[0] for key in keys})
    dotted = {key: {"$ref": "#/$defs/dimension"} for key in keys}
    nested = {section: _section(section, dotted) for section in sections}
    return {
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {FAMILY: {"$ref": "#/$defs/family"}, **nested, **dotted},
    }


def _section(section: str, dotted: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of one section, each without its first word."""
    inside = {key.partition(".")[2]: value for key, value in dotted.items() if key.startswith(f"{section}.")}
    if FAMILY.startswith(f"{section}."):
        inside[FAMILY.partition(".")[2]] = {"$ref": "#/$defs/family"}
    return {"type": "object", "additionalProperties": False, "properties": inside}


def _family() -> dict[str, Any]:
    names = sorted(families())
    branches = {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(names, _branch())}
    listed = {"type": "array", "items": {"enum": names}, "minItems": 1}
    choice = {"type": "object", "required": ["choice"], "properties": {"choice": {"anyOf": [listed, branches]}}}
    return {"anyOf": [{"enum": names}, choice]}


def _branch() -> dict[str, Any]:
    return {"$ref": "#/$defs/space"}


def _dimension() -> dict[str, Any]:
    bounds = {"type": "array", "items": {"type": ["number", "string"]}, "minItems": 2, "maxItems": 2}
    numeric = [
        {
            "type": "object",
            "required": [kind],
            "additionalProperties": False,
            "properties": {kind: bounds, "log": {"type": "boolean"}, "step": {"type": "number", "exclusiveMinimum": 0}},
        }
        for kind in ("float", "int")
    ]
    options = {"anyOf": [{"type": "array", "minItems": 1, "items": SCALAR}, {"type": "object", "minProperties": 1}]}
    choice = {
        "type": "object",
        "required": ["choice"],
        "additionalProperties": False,
        "properties": {"choice": options},
    }
    return {"anyOf": [SCALAR, *numeric, choice]}
