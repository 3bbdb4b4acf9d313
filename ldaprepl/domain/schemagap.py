"""What one server's schema has and another's has not (RFC 4512): found by OID, asked for by a filter.

Operational attributes are left out: overlays define them, each server its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_DEFINITION: Final = re.compile(r"\(\s*([\w.-]+).*?\bNAME\s+\(?\s*'([^']+)'", re.DOTALL)
Published = tuple[Sequence[bytes], Sequence[bytes]]  # attributeTypes, objectClasses


@dataclass(frozen=True, slots=True)
class Definition:
    """An attribute type or object class, by its first name."""

    name: str
    object_class: bool


def lacking(provided: Published, held: Published) -> list[Definition]:
    """The user definitions of `provided` that `held` has not. Nothing when `held` could not be read."""
    there = {oid for oid, _ in (*_named(held[0]), *_named(held[1]))}
    if not there:
        return []
    classes = [Definition(name, True) for oid, name in _named(provided[1]) if oid not in there]
    types = [value for value in provided[0] if b"USAGE" not in value]
    return classes + [Definition(name, False) for oid, name in _named(types) if oid not in there]


def user_filter(definitions: Iterable[Definition]) -> str:
    """A filter for entries that use one of them."""
    parts = (f"(objectClass={each.name})" if each.object_class else f"({each.name}=*)" for each in definitions)
    return f"(|{''.join(parts)})"


def _named(definitions: Iterable[bytes]) -> list[tuple[str, str]]:
    found = (_DEFINITION.match(value.decode("utf-8", "replace")) for value in definitions)
    return [(match[1], match[2]) for match in found if match and not match[2].lower().startswith("olc")]
