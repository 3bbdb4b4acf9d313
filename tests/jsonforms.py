"""Judges a document by one of docs/schema/*.json: the few words of JSON Schema that are used there, and stricter: a key
that the schema does not know is an error, so that no key can be added without being written down.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "docs/schema"
_TYPES: Mapping[str, Any] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None), "array": list,
    "object": dict,
}  # fmt: skip
_KNOWN = {"$schema", "$defs", "$ref", "title", "description", "type", "properties", "required", "items", "enum",
          "const", "anyOf"}  # fmt: skip


def schema_of(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return schema


def complaints(name: str, document: Any) -> list[str]:
    """Everything in which the document is not what docs/schema/NAME.json says."""
    schema = schema_of(name)
    return list(_judge(document, schema, schema, name))


def _judge(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[str]:
    assert set(schema) <= _KNOWN, f"{path}: words that this judge does not know: {set(schema) - _KNOWN}"
    if "$ref" in schema:
        yield from _judge(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, path)
        return
    if "anyOf" in schema:
        tried = [list(_judge(value, each, root, path)) for each in schema["anyOf"]]
        if all(tried):
            yield from min(tried, key=len)
        return
    if "const" in schema and value != schema["const"]:
        yield f"{path} is {value!r}, not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path} is {value!r}, none of {schema['enum']}"
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(_is(value, kind) for kind in kinds):
            yield f"{path} is {value!r}, not {' or '.join(kinds)}"
            return
    if isinstance(value, dict) and "properties" in schema:
        yield from (f"{path} lacks {name!r}" for name in schema.get("required", ()) if name not in value)
        for name, held in value.items():
            if name not in schema["properties"]:
                yield f"{path} has {name!r}, which the schema does not know"
            else:
                yield from _judge(held, schema["properties"][name], root, f"{path}.{name}")
    if isinstance(value, list) and "items" in schema:
        for place, held in enumerate(value):
            yield from _judge(held, schema["items"], root, f"{path}[{place}]")


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def keys_of(name: str) -> set[str]:
    """Every key that the schema names."""

    def below(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            properties = node.get("properties", {})
            yield from properties
            for held in node.values():
                yield from below(held)
        elif isinstance(node, list):
            for held in node:
                yield from below(held)

    return {key for key in below(schema_of(name)) if isinstance(key, str)}
