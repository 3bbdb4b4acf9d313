"""Search filters as text: is this a filter at all, and if not, where does it break (RFC 4515)?

A consumer of 2.4 takes a stanza with a broken filter, prints an error, and runs without replication; so filters are
judged here before they are written. Exactly as tolerant as libldap, by which slapd reads a stanza: blanks before and
between the parts of `&` and `|`, no outer parentheses around a single item, `\\(` beside `\\28`; but no blanks around
the whole or before an operator, and no asterisk that means nothing. Building filters from values is `escape`'s job.
"""

from __future__ import annotations

import re
from typing import Final

_OID: Final = r"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)"
_NAME: Final = rf"{_OID}(?:;[A-Za-z0-9-]+)*"
_DN: Final = ":[Dd][Nn]"
_SIMPLE: Final = re.compile(rf"{_NAME}(~=|>=|<=|=)")
_EXTENDED: Final = re.compile(rf"(?:{_NAME}(?:{_DN})?(?::{_OID})?|{_DN}:{_OID}|(?!{_DN}:=):{_OID}):=")
_CHAR: Final = r"(?:[^()*\\\0]|\\(?:[0-9A-Fa-f]{2}|[()*\\]))"
# No possessive quantifiers: Python 3.11 before 3.11.5 gets them wrong behind an alternative (Debian 12 has 3.11.2).
_VALUE: Final = re.compile(rf"{_CHAR}*")
_SUBSTRINGS: Final = re.compile(rf"\*?(?:{_CHAR}+\*)*{_CHAR}*")
_BLANKS: Final = re.compile(r"[ \t\n]*")
_DEPTH: Final = 100  # deeper than any filter that a person writes; slapd has a limit too (olcMaxFilterDepth)


def escape(value: str) -> str:
    """An assertion value for use inside a filter (RFC 4515, section 3)."""
    return re.sub(r"[()*\\\0]", lambda found: f"\\{ord(found[0]):02x}", value)


def bracketed(text: str) -> str:
    """A filter as it may stand inside another: a single item may come without parentheses."""
    return text if text.lstrip().startswith("(") else f"({text})"


def problem(text: str) -> str:
    """What is wrong, with the position counted from 1; empty when the text is a filter."""
    try:
        end = _filter(text, 0, 0) if text.startswith("(") else _item(text, 0)
        if end != len(text):
            return f"there is more after the end of the filter, at {end + 1}"
    except ValueError as found:
        return str(found)
    return ""


def _filter(text: str, at: int, depth: int) -> int:
    """Position after the filter that begins at `at`."""
    if depth > _DEPTH:
        raise ValueError(f"nested more than {_DEPTH} deep")
    at = _blanks(text, _expect(text, at, "("))
    kind = text[at : at + 1]
    if kind in ("&", "|"):
        at = _blanks(text, at + 1)
        while text[at : at + 1] == "(":
            at = _blanks(text, _filter(text, at, depth + 1))
    elif kind == "!":
        at = _filter(text, _blanks(text, at + 1), depth + 1)
    else:
        at = _item(text, at)
    return _expect(text, at, ")")


def _item(text: str, at: int) -> int:
    head = _SIMPLE.match(text, at) or _EXTENDED.match(text, at)
    if head is None:
        raise ValueError(f"no attribute and operator at {at + 1}")
    value = (_SUBSTRINGS if head.lastindex and head[1] == "=" else _VALUE).match(text, head.end())
    end = value.end() if value else head.end()
    if text[end : end + 1] == "\\":
        raise ValueError(f"a backslash without two hexadecimal digits at {end + 1}")
    if text[end : end + 1] == "*":
        raise ValueError(f"an asterisk that means nothing here (as a character it is \\2a) at {end + 1}")
    return end


def _expect(text: str, at: int, char: str) -> int:
    if text[at : at + 1] != char:
        raise ValueError(f"expected {char} at {at + 1}" if at < len(text) else f"missing {char} at the end")
    return at + 1


def _blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at
