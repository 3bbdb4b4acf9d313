"""What the consumer holds, as a tree keyed by identity (entryUUID, or whatever stands for it) and not by DN.

A renamed container moves everything below it without a word about the children, so a DN that was noted down is stale;
a parent's key is not. The tree is an overlay: it reads nodes from a source (the state file, or a dict) when they are
needed, so that a run costs what has changed and not what there is, and `changes` is what the source has to learn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from ldaprepl.domain import dn as names
from ldaprepl.domain.matching import Schema

ROOT = ""  # the parent of the topmost entries


@dataclass(frozen=True, slots=True)
class Node:
    """One entry's place. `slot` is the normal form of its RDN, `rdn` its text; topmost nodes hold their whole DN.

    `csn` is the provider's entryCSN (or other stamp) of the content that was written; empty: unknown.
    """

    parent: str
    slot: bytes
    rdn: str
    csn: str = ""


class Source(Protocol):
    """Where nodes come from."""

    def node(self, key: str) -> Node | None: ...

    def child(self, parent: str, slot: bytes) -> str | None: ...

    def children(self, parent: str) -> Iterable[str]: ...

    def keys(self) -> Iterable[str]: ...

    def count(self) -> int: ...


class Tree:
    """The overlay. ROOT exists always."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.changes: dict[str, Node | None] = {}
        self._added: dict[str, dict[bytes, str]] = {}
        self._count = source.count()

    def __contains__(self, key: str) -> bool:
        return key == ROOT or self.get(key) is not None

    def __len__(self) -> int:
        return self._count

    def get(self, key: str) -> Node | None:
        """The node, or None."""
        return self.changes[key] if key in self.changes else self._source.node(key)

    def keys(self) -> Iterator[str]:
        """All keys."""
        for key in self._source.keys():  # noqa: SIM118
            if key not in self.changes:
                yield key
        yield from (key for key, node in self.changes.items() if node is not None)

    def at(self, parent: str, slot: bytes) -> str | None:
        """Who is in this place."""
        found = self._added.get(parent, {}).get(slot)
        if found is not None:
            return found
        held = self._source.child(parent, slot)
        return None if held is None or held in self.changes else held

    def children(self, key: str) -> list[str]:
        """The keys right below."""
        held = [child for child in self._source.children(key) if child not in self.changes]
        return [*held, *self._added.get(key, {}).values()]

    def has_children(self, key: str) -> bool:
        """Whether there is anything below."""
        return bool(self._added.get(key)) or any(child not in self.changes for child in self._source.children(key))

    def put(self, key: str, node: Node) -> None:
        """Place or move an entry."""
        self._take_out(key)
        self.changes[key] = node
        self._added.setdefault(node.parent, {})[node.slot] = key
        self._count += 1

    def remove(self, key: str) -> None:
        """Take an entry out; its children must be gone."""
        self._take_out(key)
        self.changes[key] = None

    def rekey(self, old: str, new: str) -> None:
        """The entry `old` is known as `new` from now on; its children stay below it."""
        node = self.get(old)
        assert node is not None
        below = [(child, self.get(child)) for child in self.children(old)]
        self.remove(old)
        self.put(new, node)
        for child, held in below:
            if held is not None:
                self.put(child, replace(held, parent=new))

    def _take_out(self, key: str) -> None:
        node = self.get(key)
        if node is None:
            return
        self._count -= 1
        if self._added.get(node.parent, {}).get(node.slot) == key:
            del self._added[node.parent][node.slot]

    def dn(self, key: str) -> str:
        """The DN by which the consumer knows the entry now."""
        parts = []
        node = self.get(key)
        while node is not None:
            parts.append(node.rdn)
            node = self.get(node.parent) if node.parent != ROOT else None
        return ",".join(parts)

    def depth(self, key: str) -> int:
        """Steps to the top."""
        steps, node = 0, self.get(key)
        while node is not None and node.parent != ROOT:
            steps, node = steps + 1, self.get(node.parent)
        return steps

    def is_inside(self, key: str, other: str) -> bool:
        """Whether `key` is `other` or below it."""
        while key != ROOT:
            if key == other:
                return True
            node = self.get(key)
            if node is None:
                return False
            key = node.parent
        return False


def holder(tree: Tree, naming: Naming, dn: str) -> str | None:
    """Who has this DN. Raises ValueError for one that does not parse."""
    if naming.is_top(dn):
        return tree.at(ROOT, naming.key(dn))
    parent = holder(tree, naming, names.parent(dn)) if naming.covers(dn) else None
    return None if parent is None else tree.at(parent, naming.key(names.split(dn)[0]))


def same_rdn(one: str, two: str) -> bool:
    """Whether two RDNs are written alike, but for escapes and the case of types: servers spell those differently."""
    if one == two:
        return True
    try:
        return [[(name.lower(), value) for name, value in rdn] for rdn in names.parse(one)] == [
            [(name.lower(), value) for name, value in rdn] for rdn in names.parse(two)
        ]
    except ValueError:
        return False


@dataclass(slots=True)
class Memory:
    """A source in memory."""

    nodes: dict[str, Node] = field(default_factory=dict)
    _below: dict[str, dict[bytes, str]] | None = None

    def _index(self) -> dict[str, dict[bytes, str]]:
        if self._below is None:
            self._below = {}
            for key, node in self.nodes.items():
                self._below.setdefault(node.parent, {})[node.slot] = key
        return self._below

    def node(self, key: str) -> Node | None:
        return self.nodes.get(key)

    def child(self, parent: str, slot: bytes) -> str | None:
        return self._index().get(parent, {}).get(slot)

    def children(self, parent: str) -> Iterable[str]:
        return self._index().get(parent, {}).values()

    def keys(self) -> Iterable[str]:
        return self.nodes

    def count(self) -> int:
        return len(self.nodes)


@dataclass(frozen=True, slots=True)
class Naming:
    """How DNs are taken apart: by the schema's rules, from `base` down. `holds_base` False: the base entry itself is
    not part of the scope (one level, subordinate) and its children are the topmost."""

    schema: Schema
    base: str
    holds_base: bool = True
    base_key: bytes = field(init=False, default=b"")  # the normal form of the base

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_key", self.schema.dn_key(self.base))

    def key(self, dn: str) -> bytes:
        """The normal form of a DN."""
        return self.schema.dn_key(dn)

    def is_top(self, dn: str) -> bool:
        """Whether the entry has no parent in the tree. Raises ValueError for a DN that does not parse."""
        if self.holds_base:
            return self.key(dn) == self.base_key
        return self.key(names.parent(dn)) == self.base_key

    def covers(self, dn: str) -> bool:
        """Whether this name can be part of the tree."""
        key = self.key(dn)
        return self.schema.is_below(dn, self.base) and (self.holds_base or key != self.base_key)

    def place(self, dn: str, parent: str, csn: str = "") -> Node:
        """The node of an entry below the entry `parent` (a key; ROOT for the topmost)."""
        if parent == ROOT:
            return Node(ROOT, self.key(dn), dn, csn)
        rdn = names.split(dn)[0]
        return Node(parent, self.key(rdn), rdn, csn)


def grow(entries: Iterable[tuple[str, str, str]], naming: Naming) -> tuple[Memory, list[str]]:
    """A source from (key, DN, csn) of all entries, in any order; and the DNs whose parents are not among them."""
    listed = list(entries)
    keys: Mapping[bytes, str] = {naming.key(dn): key for key, dn, _ in listed}
    memory, orphans = Memory(), []
    parents: dict[str, str | None] = {}
    for key, dn, csn in listed:
        try:
            if naming.is_top(dn):
                memory.nodes[key] = naming.place(dn, ROOT, csn)
                continue
            above = names.parent(dn)
            if above not in parents:
                parents[above] = keys.get(naming.key(above))
        except ValueError:
            orphans.append(dn)
            continue
        parent = parents[above]
        if parent is None:
            orphans.append(dn)
        else:
            memory.nodes[key] = naming.place(dn, parent, csn)
    return memory, orphans
