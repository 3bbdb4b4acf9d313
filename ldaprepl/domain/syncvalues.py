"""The values of the stanza's keywords: what they mean, and what slapd says to those it does not take.

`complaint` is the strict side: one sentence why a version refuses a value, or takes it and does something else than it
says. Parsers raise ValueError with such a sentence. No sentence repeats a value of a secret keyword.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ldaprepl.domain import dn, ldapfilter
from ldaprepl.domain.keywords import Keyword, Syntax
from ldaprepl.domain.scope import Scope
from ldaprepl.domain.version import Version

SCOPES: Final[Mapping[str, Scope]] = {
    "base": Scope.BASE,
    "one": Scope.ONE,
    "onelevel": Scope.ONE,
    "sub": Scope.SUB,
    "subtree": Scope.SUB,
    "subord": Scope.SUBORD,
    "subordinate": Scope.SUBORD,
    "children": Scope.SUBORD,
}
URI_SCHEMES: Final = ("ldap://", "ldaps://", "ldapi://")
_V22, _V23, _V24 = Version(2, 2), Version(2, 3), Version(2, 4)
_UNITS: Final = re.compile(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]+|\d+")
_LIST_SEPARATORS: Final = re.compile(r"[, \t]+")


@dataclass(frozen=True, slots=True)
class RetryStep:
    """Try again every `seconds`, `count` times; None: for ever."""

    seconds: int
    count: int | None


def interval(text: str) -> timedelta:
    """`dd:hh:mm:ss` (all four), seconds, or `1d2h3m4s`. slapd allows 24 hours, 60 minutes and 60 seconds."""
    if ":" not in text:
        found = _UNITS.fullmatch(text)
        if found is None:
            raise ValueError(f"interval {text!r} is neither dd:hh:mm:ss nor seconds nor like 1d2h3m4s")
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    fields = text.split(":")
    if len(fields) != 4 or not all(field.isascii() and field.isdigit() for field in fields):
        raise ValueError(f"interval {text!r} needs all four fields, days:hours:minutes:seconds")
    days, hours, minutes, seconds = map(int, fields)
    if hours > 24 or minutes > 60 or seconds > 60:
        raise ValueError(f"interval {text!r} has more than 24 hours, 60 minutes or 60 seconds in a field")
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def retry(text: str) -> tuple[RetryStep, ...]:
    """Pairs of seconds and count; the count `+` means for ever and ends the list, whatever follows.

    An empty list (quit at the first failure) is read; so is `undefined`, slapd's own default (3600 +).
    """
    if text.strip() == "undefined":
        return (RetryStep(3600, None),)
    words = [word for word in re.split(r"[ ,\t]+", text) if word]
    if len(words) % 2:
        raise ValueError(f"retry {text!r} is not a list of pairs: each number of seconds needs a count (or +) after it")
    steps: list[RetryStep] = []
    for seconds, count in zip(words[::2], words[1::2], strict=True):
        if not (seconds.isascii() and seconds.isdigit()):
            raise ValueError(f"retry {text!r}: {seconds!r} is not a number of seconds (units are not allowed here)")
        if count == "+":
            return (*steps, RetryStep(int(seconds), None))
        if not (count.isascii() and count.isdigit() and int(count)):
            raise ValueError(f"retry {text!r}: the count {count!r} is neither 1 or more nor +")
        steps.append(RetryStep(int(seconds), int(count)))
    return tuple(steps)


def scope(text: str) -> Scope:
    """The scope words of 2.4 and later; `children`, `subord` and `subordinate` are one."""
    try:
        return SCOPES[text.lower()]
    except KeyError:
        raise ValueError(f"scope {text!r} is none of {', '.join(SCOPES)}") from None


def names(text: str) -> tuple[str, ...]:
    """An attribute list: comma, blank and tab separate."""
    return tuple(name for name in _LIST_SEPARATORS.split(text) if name)


def number(text: str) -> int:
    """A number as slapd's lutil_atou takes it: decimal, 0x hexadecimal, or octal with a leading 0."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a number (units are not allowed here)")
    octal = len(text) > 1 and text.isdigit() and text[0] == "0"
    return int(text, 8) if octal else int(text, 0)


def complaint(keyword: Keyword, value: str | None, version: Version) -> str:
    """Why this version does not take the value as it stands; empty when all is well.

    `value` None means that the word came without `=`. Checked is what can be known without the server's schema.
    """
    if keyword.syntax is Syntax.FLAG:
        if keyword.name == "attrsonly" and version >= Version(2, 4, 0):
            return "attrsonly crashes the consumer of 2.4 to 2.7 at the first entry"
        return "" if value is None else f"{keyword.name} takes no value; whatever is written, it means on"
    if value is None:
        return f"{keyword.name} needs a value"
    check = _CHECKS.get(keyword.syntax)
    try:
        return check(keyword, value, version) if check else ""
    except ValueError as problem:
        text = str(problem)
        return text if text.startswith(keyword.name) else f"{keyword.name}: {text}"


def _rid(keyword: Keyword, value: str, version: Version) -> str:
    if value.isascii() and value.isdigit() and int(value) <= 999:
        return ""
    return f"rid {value!r} is not a decimal number from 0 to 999"


def _uri(keyword: Keyword, value: str, version: Version) -> str:
    if not value.lower().startswith(URI_SCHEMES):
        return f"provider {value!r} does not begin with {', '.join(URI_SCHEMES[:-1])} or {URI_SCHEMES[-1]}"
    if any(char in " \t," for char in value):
        return f"provider {value!r} is more than one URI; write one stanza for each provider"
    return ""


def _dn(keyword: Keyword, value: str, version: Version) -> str:
    dn.parse(value)
    return f"{keyword.name} is empty" if not value.strip() and keyword.name != "searchbase" else ""


def _word(keyword: Keyword, value: str, version: Version) -> str:
    known = _words_of(keyword, version)
    if value.lower() in (word.lower() for word in known):
        return ""
    meaning = ""
    if keyword.name == "schemachecking":
        meaning = "; any other word means on"
    elif keyword.name == "starttls" and version <= _V22:
        meaning = "; every word but critical means yes, even no"
    return f"{keyword.name} {value!r} is none of {', '.join(known)} in {version.branch}{meaning}"


def _words_of(keyword: Keyword, version: Version) -> tuple[str, ...]:
    """The words that this version takes and that mean what they say."""
    old: tuple[str, ...] = ()
    match keyword.name:
        case "starttls" if version <= _V22:
            return ("yes", "critical")
        case "scope" if version <= _V22:
            return ("base", "one", "sub")
        case "scope" if version <= _V23:
            old = ("subord",)
        case "bindmethod" if version <= _V22:
            old = ("none",)
        case "type" if version <= _V24:
            old = ("dirSync",)
    return tuple(word for word in keyword.words if word not in old)


def _interval(keyword: Keyword, value: str, version: Version) -> str:
    every = interval(value)
    if version <= _V22 and ":" not in value:
        return f"interval {value!r} must be days:hours:minutes:seconds in 2.2"
    return "" if every else "interval 0 polls the provider without a pause"


def _retry(keyword: Keyword, value: str, version: Version) -> str:
    if value.strip() == "undefined":
        return f"retry 'undefined' is not taken by {version.branch}" if version <= _V23 else ""
    steps = retry(value)
    if not steps:
        return "retry is empty: replication would end at the first failure"
    return "retry with 0 seconds is a busy loop" if any(step.seconds == 0 for step in steps) else ""


def _filter(keyword: Keyword, value: str, version: Version) -> str:
    problem = ldapfilter.problem(value)
    return f"{keyword.name} {value!r}: {problem}" if problem else ""


def _limit(keyword: Keyword, value: str, version: Version) -> str:
    if value.lower() != "unlimited":
        number(value)
    return ""


def _number(keyword: Keyword, value: str, version: Version) -> str:
    number(value)
    return ""


def _keepalive(keyword: Keyword, value: str, version: Version) -> str:
    parts = value.split(":")
    if len(parts) != 3 or not all(part == "" or (part.isascii() and part.isdigit()) for part in parts):
        return f"keepalive {value!r} is not idle:probes:interval (parts may be empty, both colons are needed)"
    return ""


def _tls_version(keyword: Keyword, value: str, version: Version) -> str:
    if value in ("3.1", "3.2", "3.3", "3.4"):
        return ""
    return f"{keyword.name} {value!r} is not one of 3.1 (TLS 1.0), 3.2, 3.3 (TLS 1.2), 3.4 (TLS 1.3)"


def _authzid(keyword: Keyword, value: str, version: Version) -> str:
    if version < Version(2, 4, 0) or value.lower().startswith(("dn:", "u:")):
        return ""
    return f"authzid {value!r} begins neither with dn: nor with u:"


_CHECKS: Final[Mapping[Syntax, Callable[[Keyword, str, Version], str]]] = {
    Syntax.RID: _rid,
    Syntax.URI: _uri,
    Syntax.DN: _dn,
    Syntax.WORD: _word,
    Syntax.INTERVAL: _interval,
    Syntax.RETRY: _retry,
    Syntax.FILTER: _filter,
    Syntax.LIMIT: _limit,
    Syntax.NUMBER: _number,
    Syntax.KEEPALIVE: _keepalive,
    Syntax.TLS_VERSION: _tls_version,
    Syntax.AUTHZID: _authzid,
}
