"""Attribute types and object class names out of a subschema entry (RFC 4512, section 4.1).

What a server publishes is not always what the RFC says: 389 Directory Server quotes OIDs, old servers hide their
operational attributes, vendors add keywords and forget names, and a supertype may be missing or name itself. Nothing
here raises or loops for such input: what can be understood is taken, the first definition of a name wins, and each
oddity is a sentence in the list of problems.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

USER_APPLICATIONS = "userApplications"

# A quote ends a string only before a space, a bracket or the end: some vendors leave apostrophes in descriptions
# unescaped.
_TOKEN = re.compile(r"'(?P<string>[^']*(?:'(?![\s)]|$)[^']*)*)'|(?P<word>[()]|[^\s()']+)|(?P<odd>')")
_FLAGS = frozenset(
    {"OBSOLETE", "SINGLE-VALUE", "COLLECTIVE", "NO-USER-MODIFICATION", "ABSTRACT", "STRUCTURAL", "AUXILIARY"}
)
_KEYWORDS = _FLAGS | {"NAME", "DESC", "SUP", "EQUALITY", "ORDERING", "SUBSTR", "SYNTAX", "USAGE", "MUST", "MAY"}
_LENGTH = re.compile(r"\{\d*\}$")
_ESCAPED = re.compile(r"\\(27|5[cC])")  # the two escapes of a quoted string (RFC 4512, section 4.1)

Parts = dict[str, tuple[str, ...]]  # keyword -> its words; the OID is under "OID"


@dataclass(frozen=True, slots=True)
class AttributeType:
    """One attribute type. `equality` and `syntax` are inherited where the type itself has none; "" is none at all.

    `equality` is the name or OID of the matching rule as published, `syntax` an OID without its length, `usage` one
    of the words of RFC 4512, section 4.1.2.
    """

    oid: str
    names: tuple[str, ...] = ()
    sup: str = ""
    equality: str = ""
    syntax: str = ""
    usage: str = USER_APPLICATIONS
    single_value: bool = False
    no_user_modification: bool = False
    collective: bool = False

    @property
    def name(self) -> str:
        """The first name, or the OID of a nameless type."""
        return self.names[0] if self.names else self.oid


def read_attribute_types(descriptions: Iterable[str | bytes], problems: list[str]) -> dict[str, AttributeType]:
    """Every attribute type under each of its names and its OID, in lower case. Oddities are appended to `problems`."""
    published: dict[str, AttributeType] = {}
    for description in descriptions:
        parts = read_description(description, problems)
        attribute = AttributeType(
            oid=_one(parts, "OID"),
            names=parts.get("NAME", ()),
            sup=_one(parts, "SUP"),
            equality=_one(parts, "EQUALITY"),
            syntax=_LENGTH.sub("", _one(parts, "SYNTAX")),
            usage=_one(parts, "USAGE") or USER_APPLICATIONS,
            single_value="SINGLE-VALUE" in parts,
            no_user_modification="NO-USER-MODIFICATION" in parts,
            collective="COLLECTIVE" in parts,
        )
        for key in _keys(parts):
            if published.setdefault(key, attribute) is not attribute:
                problems.append(f"attribute type {key!r} is defined twice; the first definition counts")
    return {key: _inherit(attribute, published, problems) for key, attribute in published.items()}


def read_class_names(descriptions: Iterable[str | bytes], problems: list[str]) -> dict[str, str]:
    """The OID of every object class under each of its names and the OID itself, in lower case."""
    oids: dict[str, str] = {}
    for description in descriptions:
        parts = read_description(description, problems)
        keys = _keys(parts)
        for key in keys:
            if oids.setdefault(key, keys[0]) != keys[0]:
                problems.append(f"object class {key!r} is defined twice; the first definition counts")
    return oids


def read_description(description: str | bytes, problems: list[str]) -> Parts:
    """One description in brackets as keyword -> words. Never raises; a keyword that comes twice keeps its first
    words."""
    text = description.decode("utf-8", "replace") if isinstance(description, bytes) else description
    tokens = _tokens(text, problems)
    parts: Parts = {}
    at = 0
    if tokens and tokens[0] not in _KEYWORDS:
        parts["OID"] = (tokens[0].removeprefix("'"),)
        at = 1
    while at < len(tokens):
        keyword = tokens[at].upper()
        at += 1
        words: list[str] = []
        if keyword not in _FLAGS and at < len(tokens):
            if tokens[at] == "(":
                end = tokens.index(")", at) if ")" in tokens[at:] else len(tokens)
                words = [word for word in tokens[at + 1 : end] if word not in ("$", "(")]
                at = end + 1
            elif tokens[at].startswith("'"):
                while at < len(tokens) and tokens[at].startswith("'"):  # two names without brackets have been seen
                    words.append(tokens[at])
                    at += 1
            elif keyword in _KEYWORDS or tokens[at] not in _KEYWORDS:  # `SUP name` is no mistake, `X-ODD NAME` is
                words = [tokens[at]]
                at += 1
        parts.setdefault(keyword, tuple(word.removeprefix("'") for word in words))
    if not _keys(parts):
        problems.append(f"description without OID and name: {text[:80]!r}")
    return parts


def is_operational(parts: Parts) -> bool:
    """Whether an attribute type is for the server's own use (RFC 4512, section 4.1.2)."""
    return _one(parts, "USAGE").lower() not in ("", USER_APPLICATIONS.lower())


def _tokens(text: str, problems: list[str]) -> list[str]:
    """Words, brackets, and the contents of quoted strings with a quote before them, without the outer brackets."""
    tokens: list[str] = []
    for match in _TOKEN.finditer(text):
        string = match["string"]
        if string is not None:
            tokens.append("'" + _ESCAPED.sub(lambda escape: "'" if escape[1] == "27" else "\\", string))
        elif match["word"]:
            tokens.append(match["word"])
        else:
            problems.append(f"description with a quote that never ends: {text[:80]!r}")
    if tokens[:1] != ["("] or tokens[-1:] != [")"]:
        problems.append(f"description without its brackets: {text[:80]!r}")
    start = 1 if tokens[:1] == ["("] else 0
    return tokens[start:-1] if tokens[-1:] == [")"] else tokens[start:]


def _one(parts: Parts, keyword: str) -> str:
    words = parts.get(keyword, ())
    return words[0] if words else ""


def _keys(parts: Parts) -> list[str]:
    """The OID and the names, in lower case, each once."""
    return list(dict.fromkeys(word.lower() for word in (*parts.get("OID", ()), *parts.get("NAME", ())) if word))


def _inherit(attribute: AttributeType, published: dict[str, AttributeType], problems: list[str]) -> AttributeType:
    """The type with EQUALITY and SYNTAX of the nearest supertype that has them (RFC 4512, section 2.5.1)."""
    equality, syntax = attribute.equality, attribute.syntax
    above = attribute
    seen = {id(above)}
    while above.sup and not (equality and syntax):
        found = published.get(above.sup.lower())
        if found is None or id(found) in seen:
            trouble = "is not published" if found is None else "leads back to itself"
            problem = f"supertype {above.sup!r} of attribute type {above.name!r} {trouble}"
            if problem not in problems:
                problems.append(problem)
            break
        above = found
        seen.add(id(above))
        equality, syntax = equality or above.equality, syntax or above.syntax
    return replace(attribute, equality=equality, syntax=syntax)
