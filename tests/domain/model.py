"""A server in memory that enforces LDAP's rules on the shape of the tree (RFC 4511, 4.7 to 4.9), for tests of plans.

Deliberately simple and deliberately another way of thinking than the planner: entries by DN in a dict.
"""

from __future__ import annotations

from ldaprepl.domain import dn as names
from ldaprepl.domain.change import Add, Change, Delete, Rename


class Refused(Exception):
    """What a real server would answer with a result code."""


class Model:
    """Entries: DN (lower case) -> [DN as written, key, csn]."""

    def __init__(self, base: str) -> None:
        self.base = base.lower()
        self.held: dict[str, list[str]] = {}

    def copy(self) -> Model:
        other = Model(self.base)
        other.held = {dn: list(value) for dn, value in self.held.items()}
        return other

    def below(self, dn: str) -> list[str]:
        return [other for other in self.held if other.endswith("," + dn.lower())]

    def add(self, dn: str, key: str, csn: str = "") -> None:
        if dn.lower() in self.held:
            raise Refused(f"68 {dn}")
        if dn.lower() != self.base and names.parent(dn).lower() not in self.held:
            raise Refused(f"32 {dn}")
        above = self.held.get(names.parent(dn).lower())
        written = f"{names.split(dn)[0]},{above[0]}" if above else dn  # as back-mdb does: from the parent's own name
        self.held[dn.lower()] = [written, key, csn]

    def delete(self, dn: str) -> None:
        if dn.lower() not in self.held:
            raise Refused(f"32 {dn}")
        if self.below(dn):
            raise Refused(f"66 {dn}")
        del self.held[dn.lower()]

    def rename(self, dn: str, rdn: str, superior: str = "") -> None:
        if dn.lower() not in self.held:
            raise Refused(f"32 {dn}")
        above = superior or names.parent(dn)
        if above.lower() not in self.held:
            raise Refused(f"32 {above}")
        new = f"{rdn},{self.held[above.lower()][0]}"
        if above.lower() == dn.lower() or above.lower().endswith("," + dn.lower()):
            raise Refused(f"53 {dn} below itself")
        if new.lower() in self.held and new.lower() != dn.lower():
            raise Refused(f"68 {new}")
        for old in [dn.lower(), *self.below(dn)]:
            value = self.held.pop(old)
            value[0] = new if old == dn.lower() else value[0][: -len(dn)] + new
            self.held[value[0].lower()] = value

    def apply(self, change: Change) -> None:
        match change:
            case Add():
                self.add(change.dn, change.key)
            case Delete():
                self.delete(change.dn)
            case Rename():
                self.rename(change.dn, change.rdn, change.superior)
            case _:
                raise AssertionError(change)

    def by_key(self) -> dict[str, str]:
        return {key: dn for dn, key, _ in self.held.values()}
