"""What one server's schema has and another's has not (RFC 4512): found by OID, asked for by a filter.

Operational attributes are left out: overlays define them, each server its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ldaprepl.domain.schema import Parts, is_operational, read_description

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # what may stand in a filter as it is
Published = tuple[Sequence[bytes], Sequence[bytes]]  # attributeTypes, objectClasses


@dataclass(frozen=True, slots=True)
class Definition:
    """An attribute type or object class, by its first name."""

    name: str
    object_class: bool


def lacking(provided: Published, held: Published) -> list[Definition]:
    """The user definitions of `provided` that `held` has not. Nothing when `held` could not be read."""
    there = {oid for parts in map(_read, (*held[0], *held[1])) for oid in parts.get("OID", ())}
    if not there:
        return []
    classes = (parts for parts in map(_read, provided[1]) if there.isdisjoint(parts.get("OID", ())))
    types = (parts for parts in map(_read, provided[0]) if there.isdisjoint(parts.get("OID", ())))
    return [Definition(name, True) for parts in classes for name in _name(parts)] + [
        Definition(name, False) for parts in types if not is_operational(parts) for name in _name(parts)
    ]


def user_filter(definitions: Iterable[Definition]) -> str:
    """A filter for entries that use one of them."""
    parts = (f"(objectClass={each.name})" if each.object_class else f"({each.name}=*)" for each in definitions)
    return f"(|{''.join(parts)})"


def _read(definition: bytes) -> Parts:
    return read_description(definition, [])


def _name(parts: Parts) -> tuple[str, ...]:
    """The first name, where it is one that entries of a directory may have: those of cn=config are not copied."""
    names = parts.get("NAME", ())[:1] if parts.get("OID") else ()
    return tuple(name for name in names if _NAME.fullmatch(name) and not name.lower().startswith("olc"))
