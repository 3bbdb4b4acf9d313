"""What the provider has, from plain searches: for masters without a sync service, and as the audit of the others.

A listing of identities and stamps says what is gone, what is new and what moved or changed; only that is fetched. A
stamp is compared for being the same, never for being newer: entries put back by slapadd, clock steps and renamed
parents keep old stamps. Where stamps cannot be trusted (2.0 and 2.1 change neither entryCSN nor modifyTimestamp when an
entry is renamed or its password is set by the extended operation, offline-loaded entries of 2.0 have none) everything
is read each time. Without entryUUID the DN is the identity, and a rename costs a delete and an add.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ldaprepl.domain import dn as names
from ldaprepl.domain.change import Translation
from ldaprepl.domain.csn import Csn
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.glue import is_glue
from ldaprepl.domain.plan import is_made
from ldaprepl.domain.syncrun import Listed
from ldaprepl.domain.tree import ROOT, Naming, Node, Tree, same_rdn
from ldaprepl.syncports import Master

BY_DN = "dn:"  # keys that are DNs
_FETCH_ALL_FROM = 0.2  # part of the entries from which one search for all beats single ones
_ASK_AT_MOST = 1000  # vanished entries that are asked for once more by entryUUID


@dataclass(frozen=True, slots=True)
class Scan:
    """`received` as the provider sent it, by key; `gone` is proven by a complete listing."""

    received: dict[str, Entry]
    gone: frozenset[str]
    listed: frozenset[str]
    why: str = ""


class Scanner:
    """Reads the provider by searches and compares with what the consumer holds."""

    def __init__(self, master: Master, naming: Naming, translation: Translation) -> None:
        self.master, self.naming, self.translation = master, naming, translation

    def key(self, dn: str, uuid: str | None) -> str:
        """The identity of a provider's entry."""
        if uuid:
            return uuid
        return BY_DN + self.naming.key(self.translation.dn(dn)).decode("utf-8", "surrogateescape")

    def scan(self, tree: Tree, *, whole: bool = False) -> Scan:
        """Everything that differs from `tree`; all entries where `whole`, or where nothing less can be trusted."""
        if whole or len(tree) == 0:
            return self._whole(tree, "everything is read")
        listed = list(self.master.listing())
        doubt = distrust(listed)
        if doubt:
            return self._whole(tree, f"everything is read each time: {doubt}")
        wanted = self._wanted(tree, listed)
        if len(wanted) > len(listed) * _FETCH_ALL_FROM:
            return self._whole(tree, "most of it is new or changed")
        received = {
            self.key(entry.dn, entry.uuid): entry
            for entry in self.master.fetch([each.dn for each in wanted])
            if entry is not None
        }
        keys = frozenset(self.key(each.dn, each.uuid) for each in listed)
        return Scan(received, self.vanished(tree, keys | received.keys()), keys, "listed, and what differs is fetched")

    def fetch_missing(self, keys: Collection[str], listed: Iterable[Listed]) -> dict[str, Entry]:
        """The listed entries that are not among `keys`."""
        missing = [each.dn for each in listed if self.key(each.dn, each.uuid) not in keys]
        found = (entry for entry in self.master.fetch(missing) if entry is not None)
        return {self.key(entry.dn, entry.uuid): entry for entry in found}

    def _whole(self, tree: Tree, why: str) -> Scan:
        received = {self.key(entry.dn, entry.uuid): entry for entry in self.master.read_all()}
        keys = frozenset(received)
        return Scan(received, self.vanished(tree, keys), keys, why)

    def _wanted(self, tree: Tree, listed: Sequence[Listed]) -> list[Listed]:
        """New, changed, or moved by itself: another parent or another RDN than the consumer's."""
        place: dict[bytes, str] = {}
        for each in listed:
            place[self.naming.key(self.translation.dn(each.dn))] = self.key(each.dn, each.uuid)
        wanted = []
        for each in listed:
            node = tree.get(self.key(each.dn, each.uuid))
            if node is None or not each.stamp or node.csn != each.stamp:
                wanted.append(each)
                continue
            dn = self.translation.dn(each.dn)
            top = self.naming.is_top(dn)
            above = self.naming.key(dn if top else names.parent(dn))
            parent = ROOT if top else place.get(above)
            if parent is None and self._is_below_glue(tree, node, dn, place):
                continue
            if node.parent != parent or (not top and not same_rdn(node.rdn, names.split(dn)[0])):
                wanted.append(each)
        return wanted

    def _is_below_glue(self, tree: Tree, node: Node, dn: str, place: Mapping[bytes, str]) -> bool:
        """Whether glue with the right name is above it, and above that, at its right place, the first entry that the
        provider shows: below another one, or elsewhere below it, the entry would not stay where it is."""
        above = names.parent(dn)
        if not is_glue(node.parent) or self.naming.key(tree.dn(node.parent)) != self.naming.key(above):
            return False
        while not self.naming.is_top(above) and self.naming.key(above) not in place:
            above = names.parent(above)
        held: Node | None = node
        while held is not None and is_glue(held.parent):
            held = tree.get(held.parent)
        if held is None or held.parent != place.get(self.naming.key(above), ROOT):
            return False
        return held.parent == ROOT or self.naming.key(tree.dn(held.parent)) == self.naming.key(above)

    def vanished(self, tree: Tree, keep: Collection[str]) -> frozenset[str]:
        """What the consumer holds and a complete list lacks, less what is there all the same."""
        gone = [key for key in tree.keys() if key not in keep and not is_made(key)]  # noqa: SIM118
        return frozenset(gone) - self.back(gone)

    def back(self, gone: Collection[str]) -> set[str]:
        """Those that the provider does have. An answer is no snapshot: slapd leaves entries out that are below a
        container which is renamed while the client is slow to read, and ends with success."""
        asked = [key for key in gone if _is_uuid(key)]
        if len(asked) <= _ASK_AT_MOST:
            return self.master.which_exist(asked) if asked else set()
        return {each.uuid for each in self.master.listing() if each.uuid}.intersection(asked)


def distrust(listed: Sequence[Listed]) -> str:
    """Why the stamps of this master cannot be relied on; empty when they can."""
    for each in listed:
        if not each.stamp:
            return "some entries carry no stamp (as in slapd 2.0)"
        if not each.uuid:
            return "entries have no entryUUID, and renames leave no trace"
        if "#0x" in each.stamp:
            return "slapd 2.1 renames entries and sets passwords without a new stamp"
        if "#" not in each.stamp:
            return "there is no entryCSN, and modifyTimestamp has whole seconds only"
        try:
            Csn.parse(each.stamp)
        except ValueError:
            return f"the stamp {each.stamp[:40]!r} is no CSN"
    return ""


def _is_uuid(key: str) -> bool:
    return len(key) == 36 and key.count("-") == 4
