"""Whether the provider's tree is still the tree that it was, before anything of it is carried over.

The brake on deletes counts entries; it does not see that a provider was loaded anew without its entryUUIDs (every name
is taken over, nothing is deleted), that an ACL took one small branch away, that the base became a referral, or that a
branch went into a database of its own, which a search from above does not show. Each of these is an ordinary answer on
the wire. A few entries (as many as the brake lets go from any tree) may always leave a branch, also as the last ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ldaprepl.domain.change import SMALL_TREE
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.glue import is_glue
from ldaprepl.domain.plan import LOCAL, is_made
from ldaprepl.domain.plural import counted
from ldaprepl.domain.tree import ROOT, Naming, Tree

_ELSEWHERE = {"referral": ("a referral", "ref"), "alias": ("an alias", "aliasedObjectName")}  # and what it points with


@dataclass(frozen=True, slots=True)
class Shape:
    """The consumer's tree before a plan: who its base is, and how many entries each topmost branch is about to lose.

    `dns` are the branches' names; `inside` is a name and a count for each part that the provider keeps elsewhere.
    """

    base: str
    losses: Mapping[str, int]
    dns: Mapping[str, str]
    inside: Sequence[tuple[str, int]] = ()


def shape(tree: Tree, gone: Collection[str], naming: Naming, contexts: Sequence[str] = (), known: str = "") -> Shape:
    """Before the plan. `contexts` are the provider's naming contexts below the base, as the consumer would name them;
    `known` is the identity of the base where it is known better than from the consumer."""
    base = tree.at(ROOT, naming.base_key) or ""
    losses = Counter(_branch(tree, key, base) for key in gone if key in tree and not is_made(key))
    losses.pop("", None)
    keys = [(dn, naming.key(dn)) for dn in contexts]
    inside: Counter[str] = Counter()
    for key in gone if keys else ():
        if key in tree and not is_made(key):
            own = naming.key(tree.dn(key))
            inside.update(dn for dn, above in keys if own == above or own.endswith(b"," + above))
    return Shape(known or base, losses, {key: tree.dn(key) for key in losses}, list(inside.items()))


def objections(
    before: Shape, tree: Tree, naming: Naming, taken: Mapping[str, str], received: Mapping[str, Entry]
) -> Iterator[str]:
    """After the plan, which changed `tree`: why this should not be followed unasked. `taken`: as in `Plan`."""
    base = tree.at(ROOT, naming.base_key) or ""
    if pointer := _pointer(received.get(base)):
        yield f"the provider's base {naming.base!r} is {pointer}: its tree is elsewhere"
        return
    known = before.base and not (is_glue(before.base) or before.base.startswith(LOCAL))
    if known and base and base != before.base and not is_glue(base):
        yield (
            f"the base {naming.base!r} is not the entry that it was (entryUUID {base}, before {before.base}): the"
            " provider was loaded anew, or is another one"
        )
    for dn, count in before.inside:
        yield (
            f"{counted(count)} of {dn!r} would be deleted, which the provider keeps in a database of its own: a search"
            " from the base does not show it"
        )
    for branch, count in before.losses.items():
        now = taken.get(branch, branch)
        if count <= SMALL_TREE or (now in tree and tree.has_children(now)):
            continue
        left = "its entry alone would be left" if now in tree else "nothing would be left of it"
        yield f"the branch {before.dns[branch]!r} would lose all of its last {count} entries, {left}"


def _pointer(base: Entry | None) -> str:
    """What the base entry is, and to what, when it only stands for a tree somewhere else; else empty."""
    if base is None:
        return ""
    classes = {value.lower() for value in base.texts("objectClass")}
    found = [(what, base.texts(name)) for word, (what, name) in _ELSEWHERE.items() if word in classes]
    return next((f"{what} now, to {' '.join(targets)!r}" for what, targets in found), "")


def _branch(tree: Tree, key: str, base: str) -> str:
    """The topmost entry above `key`, or itself: a child of the base, where that is in scope. Empty for the base."""
    while key not in (ROOT, base) and (node := tree.get(key)) is not None:
        if node.parent in (ROOT, base):
            return key
        key = node.parent
    return ""
