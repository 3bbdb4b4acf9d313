"""Where everything that a provider sends shall be: the first half of a plan.

A place is a parent's identity and a name below it, the provider sends DNs. Who will have the parent's DN in the end is
an entry that was sent as well, or one that stays, seen from *its* final parent. A new entry takes over the place, and
what is below it, of one that goes, or of glue. Where neither is there nor will come, glue stands (`domain.glue`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ldaprepl.domain import dn as names
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.glue import entry_at, is_glue, key_at
from ldaprepl.domain.plan import Refusal
from ldaprepl.domain.tree import ROOT, Naming, Node, Tree


class Aim:
    """`target`: the place of each received entry, and of the glue it needs; both are in `received` then."""

    def __init__(
        self, tree: Tree, received: Mapping[str, Entry], gone: Collection[str], naming: Naming, *, glue: bool
    ) -> None:
        self.tree, self.received, self.gone, self.naming = tree, dict(received), gone, naming
        self.target: dict[str, Node] = {}
        self.by_dn: dict[bytes, str] = {}
        self.glue: dict[str, Entry] = {}
        self.refusals: list[Refusal] = []
        self._with_glue = glue
        self._resolved: dict[bytes, str | None] = {}
        self._above: dict[str, str | None] = {}  # by the DN of the parent, as it is written

    def take(self, stamps: Mapping[str, str]) -> None:
        """Find the place of each. Two entries under one name: the second is refused."""
        for key, entry in self.received.items():
            if self.by_dn.setdefault(self.naming.key(entry.dn), key) != key:
                self.refuse(key, entry.dn, "the provider gave two entries with this DN")
        for dn_key, key in list(self.by_dn.items()):
            entry = self.received[key]
            self._aim_at(key, entry.dn, dn_key, stamps.get(key, entry.csn or ""))
        while lost := [key for key, node in self.target.items() if not self._will_be_there(node.parent)]:
            for key in lost:
                self.refuse(key, self.received[key].dn, "the entry above it could not be brought over")
                del self.target[key]

    def _will_be_there(self, key: str) -> bool:
        return key == ROOT or key in self.tree or key in self.target

    def _aim_at(self, key: str, dn: str, dn_key: bytes, csn: str) -> None:
        try:
            top = dn_key == self.naming.base_key if self.naming.holds_base else self.naming.is_top(dn)
            above = names.parent(dn)
            if not top and above not in self._above:
                self._above[above] = self._parent(above)
            parent = ROOT if top else self._above[above]
        except ValueError as error:
            self.refuse(key, dn, str(error))
            return
        if parent is None:
            self.refuse(key, dn, f"the entry above it, {names.parent(dn)!r}, is not there or not in scope")
            return
        self.target[key] = self.naming.place(dn, parent, csn)

    def _parent(self, dn: str) -> str | None:
        """Who will have this DN: an entry, or glue, with more of it above where that is needed. None: out of scope."""
        found = self._holder(dn)
        if found is not None or not self._with_glue or not self.naming.covers(dn):
            return found
        parent = ROOT if self.naming.is_top(dn) else self._parent(names.parent(dn))
        if parent is None:
            return None
        dn_key = self.naming.key(dn)
        self._resolved.pop(dn_key, None)
        found = self._holder(dn)  # once more: what stands above may be glue since then, over what was there
        if found is not None:
            return found
        key = self.by_dn[dn_key] = self.make_glue(dn)
        self.target[key] = self.naming.place(dn, parent)
        return key

    def make_glue(self, dn: str) -> str:
        """The key of new glue, which will have this DN."""
        key = key_at(self.naming.key(dn))
        while key in self.tree:  # glue that has moved away with what is above it
            key += "+"
        self.received[key] = self.glue[key] = entry_at(dn)
        return key

    def refuse(self, key: str, dn: str, reason: str) -> None:
        """Say that this entry cannot be where it shall be."""
        self.refusals.append(Refusal(key, dn, reason))

    # -- who has a DN ------------------------------------------------------------------------------------------------

    def _holder(self, dn: str) -> str | None:
        """Who will have this DN in the end, as far as it is known."""
        dn_key = self.naming.key(dn)
        if dn_key in self.by_dn:
            return self.by_dn[dn_key]
        if dn_key not in self._resolved:
            self._resolved[dn_key] = None  # while we look
            held = self._standing(dn) if self.naming.covers(dn) else None
            stays = held is not None and held not in self.received and held not in self.gone
            self._resolved[dn_key] = held if stays else None
        return self._resolved[dn_key]

    def _standing(self, dn: str) -> str | None:
        """Who stands there now, seen from who will be above it."""
        if self.naming.is_top(dn):
            return self.tree.at(ROOT, self.naming.key(dn))
        above = names.parent(dn)
        parent = self._holder(above)
        return None if parent is None else self._below(parent, above, self.naming.key(names.split(dn)[0]))

    def _below(self, parent: str, dn: str, slot: bytes) -> str | None:
        """The child of `parent`, which will have this DN: one that it has, or that it finds in its new place."""
        held = self.tree.at(parent, slot)
        old = self._predecessor(parent, dn) if held is None else None
        if old is None:
            return held
        found = self.tree.at(old, slot)
        if found is None or parent not in self.tree:
            return found
        return None if is_glue(found) or found in self.gone else found  # an entry that moves there leaves those behind

    def _predecessor(self, key: str, dn: str) -> str | None:
        """Who stands now where `key` will: glue, or, if `key` is new, one that goes."""
        old = self._standing(dn)
        if old is None or old == key:
            return None
        return old if is_glue(old) or (old in self.gone and key not in self.tree) else None
