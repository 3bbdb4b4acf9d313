"""Changes as values: what is to be done on the consumer, in words of LDAP; the smallest Modify; the brake on deletes.

A change carries the entry's key as well as the DN it has at that moment, so that a failure can be put down to the
entry, and so that independence can be seen: only independent operations may be under way on one connection at once,
because slapd works on them in parallel and in any order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ldaprepl.domain import dn as names
from ldaprepl.domain.compare import COMPUTED, SERVER_LOCAL
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.scope import ReplicationScope

BOX = "ldaprepl-box-"  # the name of parking places begins so
STAMPS = (
    "structuralObjectClass", "entryUUID", "creatorsName", "createTimestamp", "entryCSN", "modifiersName",
    "modifyTimestamp",
)  # fmt: skip
_DN_SYNTAX = "1.3.6.1.4.1.1466.115.121.1.12"
_MANY_VALUES = 40  # from here on a few changed values are worth naming one by one
SMALL_TREE = 5


@dataclass(frozen=True, slots=True)
class Add:
    """A new entry. `key` is its identity, `parent` that of the entry above."""

    key: str
    parent: str
    dn: str
    attributes: Mapping[str, tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Delete:
    """An entry goes; nothing is below it any more."""

    key: str
    parent: str
    dn: str


@dataclass(frozen=True, slots=True)
class Rename:
    """An entry, with all below it, gets another name. `superior` is the new parent's DN; empty: the parent stays."""

    key: str
    parent: str
    dn: str
    rdn: str
    superior: str = ""
    delete_old: bool = True

    @property
    def new_dn(self) -> str:
        """The DN afterwards."""
        above = self.superior or names.parent(self.dn)
        return f"{self.rdn},{above}" if above else self.rdn


@dataclass(frozen=True, slots=True)
class Mod:
    """One part of a Modify. `how`: add, delete or replace; a delete without values takes the whole attribute."""

    how: str
    name: str
    values: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Modify:
    """Attributes change. `entry` is the whole of what the entry shall be, should it have to be made anew."""

    key: str
    parent: str
    dn: str
    mods: tuple[Mod, ...]
    entry: Entry


Change = Add | Delete | Rename | Modify


@dataclass(frozen=True, slots=True)
class Translation:
    """From the provider's entries to what may be written on the consumer: the scope's attributes without those that a
    server keeps for itself, and every DN under the consumer's base.

    `native`: for a consumer that goes on with slapd's own syncrepl, to which memberOf and its kin are attributes like
    others.
    """

    scope: ReplicationScope
    schema: Schema
    refused: frozenset[str] = frozenset()  # canonical names that this consumer does not let us write
    native: bool = False
    _known: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    def dn(self, dn: str) -> str:
        """A provider's DN as the consumer names it; unchanged outside of the base."""
        if not self.scope.suffixmassage:
            return dn
        try:
            return names.move(dn, self.scope.base, self.scope.suffixmassage)
        except ValueError:
            return dn

    def entry(self, entry: Entry) -> Entry:
        """The entry as it shall be on the consumer."""
        kept = {name: values for name, values in entry.attributes.items() if values and self.writes(name)}
        if self.scope.suffixmassage:
            kept = {name: self._values(name, values) for name, values in kept.items()}
        return Entry(self.dn(entry.dn), kept)

    def glue(self, entry: Entry) -> Entry:
        """An entry of our own making, as far as this consumer lets us write it."""
        kept = {name: v for name, v in entry.attributes.items() if self.schema.canonical(name) not in self.refused}
        return Entry(entry.dn, kept)

    def writes(self, name: str) -> bool:
        """Whether this attribute is ours to write (and, on the consumer, ours to take away)."""
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._is_ours(name)
        return known

    def _is_ours(self, name: str) -> bool:
        canonical = self.schema.canonical(name)
        base = canonical.partition(";")[0]
        if base in self.refused or any(self.schema.canonical(out) in (canonical, base) for out in self.scope.exattrs):
            return False
        named = {self.schema.canonical(attr) for attr in self.scope.attrs if attr not in ("*", "+")}
        if canonical in named or base in named or base in _STAMP_KEYS or base == "objectclass":
            return True
        if not named.isdisjoint(self.schema.supertypes(base)):  # a server sends them for `name` too
            return True
        if base in (COMPUTED if self.native else SERVER_LOCAL) or self.schema.is_server_local(name):
            return False
        attribute = self.schema.attribute(name)
        operational = attribute is not None and attribute.usage.lower() not in ("", "userapplications")
        classes = any(attr.startswith("@") for attr in self.scope.attrs)
        return ("+" if operational else "*") in self.scope.attrs or classes

    def _values(self, name: str, values: tuple[bytes, ...]) -> tuple[bytes, ...]:
        attribute = self.schema.attribute(name)
        if attribute is None or attribute.syntax.partition("{")[0] != _DN_SYNTAX:
            return values
        return tuple(
            self.dn(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape") for value in values
        )


_STAMP_KEYS = frozenset(name.lower() for name in STAMPS)


def difference(wanted: Entry, held: Entry, schema: Schema, writes: Callable[[str], bool]) -> tuple[Mod, ...]:
    """The smallest Modify that makes `held` the same as `wanted`, byte for byte but for the order of values.

    Attributes for which `writes` is false are left alone. `wanted` holds none of them.
    """
    ours = {schema.canonical(name): (name, values) for name, values in wanted.attributes.items()}
    theirs = {schema.canonical(name): (name, values) for name, values in held.attributes.items() if writes(name)}
    mods: list[Mod] = []
    for canonical, (name, values) in ours.items():
        old = theirs.get(canonical, ("", ()))[1]
        if set(old) == set(values):
            continue
        mods += _value_mods(name, values, old, schema)
    # stamps that an old provider does not give are the consumer's own, and nobody can take them away
    mods += [Mod("delete", name) for key, (name, _) in theirs.items() if key not in ours and key not in _STAMP_KEYS]
    if mods and not any(mod.name.lower() == "entrycsn" for mod in mods):
        # what changes an entry stamps it: the stamps go together, or the server makes its own
        mods += [Mod("replace", name, values) for name, values in wanted.attributes.items() if name.lower() in _RESTAMP]
    elif mods:
        have = {mod.name.lower() for mod in mods}
        mods += [
            Mod("replace", name, values)
            for name, values in wanted.attributes.items()
            if name.lower() in _RESTAMP and name.lower() not in have
        ]
    return tuple(mods)


_RESTAMP = ("entrycsn", "modifytimestamp", "modifiersname")


def _value_mods(name: str, values: tuple[bytes, ...], old: tuple[bytes, ...], schema: Schema) -> list[Mod]:
    attribute = schema.attribute(name)
    new = set(values)
    gone = tuple(value for value in old if value not in new)
    come = tuple(value for value in values if value not in set(old))
    few = len(gone) + len(come) < len(values) // 2
    if len(values) >= _MANY_VALUES and few and attribute is not None and attribute.equality:
        # naming a value needs an equality rule on the server (code 18 without one)
        return [Mod(how, name, part) for how, part in (("delete", gone), ("add", come)) if part]
    return [Mod("replace", name, values)]


@dataclass(frozen=True, slots=True)
class MaxDelete:
    """The brake. A percentage lets a small tree lose a few entries (5, but never more than half); a number is exact.

    Losing everything is never allowed.
    """

    percent: float | None = 10.0
    number: int = 0

    @classmethod
    def parse(cls, text: str) -> MaxDelete:
        """`100` or `10%`. Raises ValueError."""
        word = text.strip()
        try:
            if word.endswith("%"):
                percent = float(word[:-1])
                if 0 <= percent <= 100:
                    return cls(percent)
            elif word.isascii() and word.isdigit():
                return cls(None, int(word))
        except ValueError:
            pass
        raise ValueError(f"{text!r} is neither a number of entries nor a percentage like 10%")

    def allowed(self, held: int) -> int:
        """How many of `held` entries may go in one run."""
        if self.percent is None:
            return self.number
        return max(math.floor(held * self.percent / 100), min(SMALL_TREE, held // 2) if self.percent else 0)
