"""What a replica identity may do at a provider, read from its configuration: limits and access rules.

Only as much of slapd.conf(5) `limits` and slapd.access(5) as can be decided from the text for one DN. Where a clause
depends on more (a group, a regular expression, an address, a set) the answer is None: not known, and no rule may speak.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final

from ldaprepl.domain.config import Setting
from ldaprepl.domain.lint_source import Database, below, dn_key

UNLIMITED: Final = -1
DEFAULT_SIZE: Final = 500  # slapd.conf(5), sizelimit
_READ: Final = frozenset(("read", "write", "add", "delete", "manage"))
_LEVELS: Final = frozenset(("none", "disclose", "auth", "compare", "search")) | _READ
_EXACT: Final = ("dn", "dn.exact", "dn.base", "dn.baseobject")
_BRANCH: Final = ("dn.subtree", "dn.sub", "dn.subordinate")


class Match(Enum):
    """Whether a pattern means an identity."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


def is_root(database: Database, identity: str) -> bool:
    """Whether the identity is the database's rootdn, for which there are neither limits nor access rules."""
    rootdn = database.section.first("rootdn")
    return bool(rootdn and identity) and dn_key(rootdn) == dn_key(identity)


def size_limit(database: Database, identity: str) -> tuple[int | None, Setting | None]:
    """How many entries a search that asks for no limit gives this identity, and the setting that says so.

    UNLIMITED for all, None when it cannot be told. The first matching `limits` counts, then `sizelimit`, then 500.
    """
    if is_root(database, identity):
        return UNLIMITED, None
    for setting in database.section.all("limits"):
        match _who(setting.words[0] if setting.words else "", identity):
            case Match.YES:
                size = soft_size(setting.words[1:])
                if size is not None:
                    return size, setting
                break
            case Match.UNKNOWN:
                return None, setting
    for section in (database.section, database.source.top):
        for setting in reversed(section.all("sizelimit")):
            size = soft_size([word if word.lower().startswith("size") else f"size={word}" for word in setting.words])
            if size is not None:
                return size, setting
    return DEFAULT_SIZE, None


def soft_size(words: Sequence[str]) -> int | None:
    """The size that counts for a search without a limit of its own; None when the words do not set it."""
    found: int | None = None
    for word in words:
        key, _, value = word.lower().partition("=")
        if key in ("size", "size.soft"):
            found = UNLIMITED if value in ("unlimited", "none", "-1") else int(value) if value.isdecimal() else found
    return found


def may_read(database: Database, identity: str, attribute: str) -> bool | None:
    """Whether this identity may read the attribute all over the database; None when it cannot be told.

    Without any access rule everybody may read everything.
    """
    if is_root(database, identity):
        return True
    rules = list(_rules(database))
    if not rules:
        return True
    for setting in rules:
        target, clauses = _parts(setting.words)
        match _covers(database, target, attribute):
            case Match.NO:
                continue
            case Match.UNKNOWN:
                return None
        return _granted(clauses, identity)
    return False


def _rules(database: Database) -> Iterator[Setting]:
    """Rules of the database, then the global ones (those of the frontend in cn=config)."""
    yield from database.section.all("access")
    yield from database.source.top.all("access")
    for other in database.source.databases:
        if other.section.type == "frontend":
            yield from other.section.all("access")


def _parts(words: Sequence[str]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """`to` what, and the `by` clauses."""
    plain = list(words[1:] if words and words[0].lower() == "to" else words)
    groups: list[list[str]] = [[]]
    for word in plain:
        if word.lower() == "by":
            groups.append([])
        else:
            groups[-1].append(word)
    return tuple(groups[0]), tuple(tuple(group) for group in groups[1:])


def _covers(database: Database, target: Sequence[str], attribute: str) -> Match:
    """Whether the `to` part means that attribute of every entry of the database."""
    answer = Match.YES
    for word in target:
        key, equals, value = word.partition("=")
        kind = key.lower()
        if word == "*":
            continue
        if kind in ("attr", "attrs"):
            named = {name.lower() for name in value.split(",")}
            if any(name[:1] in "@!" for name in named):
                answer = Match.UNKNOWN
            elif attribute.lower() not in named:
                return Match.NO
        elif kind.startswith("dn") and equals:
            inside = database.holds(value) if value else False
            whole = kind in _BRANCH and bool(database.suffix) and below(database.suffix, value)
            if kind in (*_EXACT, *_BRANCH) and not inside and not whole:
                return Match.NO
            answer = answer if whole else Match.UNKNOWN
        else:
            answer = Match.UNKNOWN
    return answer


def _granted(clauses: Sequence[Sequence[str]], identity: str) -> bool | None:
    """What the first clause that means the identity gives it; nothing when none does."""
    for clause in clauses:
        who = [word for word in clause if not _is_level(word)]
        levels = [word.lower() for word in clause if _is_level(word)]
        control = [word.lower() for word in who if word.lower() in ("stop", "continue", "break")]
        who = [word for word in who if word.lower() not in ("stop", "continue", "break")]
        if not who:
            return None
        answers = [_who(word, identity) for word in who]
        if Match.NO in answers:
            continue
        if Match.UNKNOWN in answers or control in (["continue"], ["break"]):
            return None
        level = levels[0] if levels else "none"
        return level in _READ or (level[:1] in "=+" and any(right in level for right in "rwm"))
    return False


def _is_level(word: str) -> bool:
    lower = word.lower()
    return lower in _LEVELS or (lower[:1] in "=+-" and not lower[1:].strip("mwazrscdx0"))


def _who(pattern: str, identity: str) -> Match:
    """Whether a `by` or `limits` pattern means this DN (empty: anonymous)."""
    key, equals, value = pattern.partition("=")
    kind = key.lower()
    if pattern == "*":
        return Match.YES
    if kind in ("anonymous", "users", "dn.anonymous", "dn.users") and not equals:
        return Match.YES if (kind.endswith("users")) == bool(identity) else Match.NO
    if kind == "self" or kind.startswith(("self.", "dn.self")):
        return Match.NO
    if kind.startswith("dn") and equals and not identity:
        return Match.NO if value not in ("*", ".*") else Match.YES
    if kind in _EXACT and value != "*":
        return Match.YES if dn_key(value) == dn_key(identity) else Match.NO
    if kind in ("dn.subtree", "dn.sub"):
        return Match.YES if below(identity, value) else Match.NO
    if kind in ("dn.children", "dn.subordinate", "dn.one", "dn.onelevel"):
        return Match.UNKNOWN if below(identity, value) else Match.NO
    return Match.UNKNOWN
