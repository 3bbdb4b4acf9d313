"""A schema from where it may lie: a server, a subschema entry or cn=schema as LDIF, a *.schema file, a folder of those.

What is not defined there is taken from the standard types, so that a file with the site's own attributes is enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ldaprepl.domain import ldif
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.standardschema import DESCRIPTIONS
from ldaprepl.errors import UsageError

_DIRECTIVE: Final = re.compile(
    r"(?P<kind>attributetypes?|objectclass(?:es)?)\s+(?P<text>\(.*)", re.IGNORECASE | re.DOTALL
)
_NUMBERED: Final = re.compile(r"^\{-?\d+\}")
_KINDS: Final = {"attributetypes": 0, "olcattributetypes": 0, "objectclasses": 1, "olcobjectclasses": 1}
_CURE: Final = (
    "Give a *.schema file, LDIF of a subschema entry or of cn=schema, a folder with such files, or a server's URI."
)


def read_schema(place: str) -> Schema:
    """The schema in a file or folder. Raises `UsageError` when there is none in it."""
    path = Path(place)
    try:
        files = (
            sorted(held for held in path.iterdir() if held.suffix in (".schema", ".ldif")) if path.is_dir() else [path]
        )
        texts = [file.read_text("utf-8", "surrogateescape") for file in files]
    except OSError as error:
        raise UsageError(f"the schema {place} cannot be read ({error.strerror})", _CURE) from None
    types: list[str] = []
    classes: list[str] = []
    for file, text in zip(files, texts, strict=True):
        try:
            for kind, description in _descriptions(text):
                (classes if kind else types).append(description)
        except ValueError as error:
            raise UsageError(f"{file}: {error}", _CURE) from None
    if not types:
        raise UsageError(f"{place} defines no attribute type", _CURE)
    return Schema.parse([*types, *DESCRIPTIONS], classes)


def _descriptions(text: str) -> Iterator[tuple[int, str]]:
    """0 and an attribute type, or 1 and an object class, one after the other."""
    if re.search(r"^dn::? ", text, re.MULTILINE):
        for record in ldif.records(text.split("\n")):
            for name, value in record.pairs:
                kind = _KINDS.get(name.lower())
                if kind is not None:
                    yield kind, _NUMBERED.sub("", value.decode("utf-8", "surrogateescape"))
        return
    unfolded = re.sub(r"\n(?=[ \t])", " ", re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE))
    for line in unfolded.split("\n"):
        if found := _DIRECTIVE.match(line):
            yield int(found["kind"].lower().startswith("o")), found["text"]
