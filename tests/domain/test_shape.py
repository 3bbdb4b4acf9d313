"""The guard on the shape of the tree: what must be asked about, and above all what must not."""

from __future__ import annotations

import pytest

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.planner import plan
from ldaprepl.domain.shape import objections, shape
from ldaprepl.domain.tree import Naming, Tree, grow

BASE = "dc=lab"
NAMING = Naming(Schema.EMPTY, BASE)
Rows = dict[str, str]
HELD: Rows = {
    "base": BASE, "a": f"ou=a,{BASE}", "b": f"ou=b,{BASE}", "in": f"ou=in,ou=a,{BASE}",
    **{f"a{n}": f"cn={n},ou=in,ou=a,{BASE}" for n in range(6)},
    **{f"b{n}": f"cn={n},ou=b,{BASE}" for n in range(4)},
}  # fmt: skip


def words(
    received: Rows, gone: set[str], naming: Naming = NAMING, contexts: tuple[str, ...] = (), base: str = "base"
) -> list[str]:
    held = {base if key == "base" else key: dn for key, dn in HELD.items() if naming.holds_base or key != "base"}
    tree = Tree(grow(((key, dn, "") for key, dn in held.items()), naming)[0])
    entries = {key: Entry(dn, {}) for key, dn in received.items()}
    before = shape(tree, gone - set(received), naming, contexts)
    made = plan(tree, entries, gone, naming)
    return list(objections(before, tree, naming, made.taken, entries))


@pytest.mark.parametrize(
    ("received", "gone"),
    [
        ({}, {f"a{n}" for n in range(5)}),  # one is left
        ({}, {"b", *(f"b{n}" for n in range(4))}),  # a small branch may go
        ({"a": f"ou=z,{BASE}"}, set()),  # renamed
        ({"in": f"ou=in,ou=b,{BASE}"}, {"a"}),  # moved away, then deleted
        ({"new": f"ou=a,{BASE}"}, {"a"}),  # made anew, with all below it
        ({"x": f"cn=x,ou=in,ou=a,{BASE}"}, {f"a{n}" for n in range(6)}),  # others came
        ({"base": BASE}, set()),
    ],
)
def test_a_tree_that_merely_changes(received: Rows, gone: set[str]) -> None:
    assert words(received, gone) == []


def test_a_branch_that_loses_all_with_its_inner_containers() -> None:
    (text,) = words({}, {"a", "in", *(f"a{n}" for n in range(6))})
    assert "'ou=a,dc=lab' would lose all of its last 8 entries, nothing" in text
    (text,) = words({}, {"in", *(f"a{n}" for n in range(6))})
    assert "its entry alone would be left" in text


def test_without_the_base_in_scope_the_topmost_entries_are_the_branches() -> None:
    (text,) = words({}, {"a", "in", *(f"a{n}" for n in range(6))}, Naming(Schema.EMPTY, BASE, holds_base=False))
    assert "'ou=a,dc=lab' would lose" in text


def test_the_base_is_somebody_else() -> None:
    (text,) = words({"other": BASE}, {"base"})
    assert "entryUUID other, before base" in text


def test_a_base_that_nobody_knows_by_its_identity_may_become_the_providers() -> None:
    """The first run onto a consumer that somebody filled by hand, written plainly: its identities are its own."""
    assert words({"other": BASE}, {"local:base"}, base="local:base") == []


@pytest.mark.parametrize(
    ("word", "attribute", "said"), [("Referral", "ref", "a referral"), ("ALIAS", "aliasedObjectName", "an alias")]
)
def test_a_base_that_only_says_where_the_tree_is(word: str, attribute: str, said: str) -> None:
    """Nothing else is said: what follows from an empty tree would be one long list."""
    received = {"base": Entry(BASE, {"objectClass": (b"top", word.encode()), attribute: (b"dc=new",)})}
    tree = Tree(grow(((key, dn, "") for key, dn in HELD.items()), NAMING)[0])
    before = shape(tree, set(HELD) - {"base"}, NAMING)
    (text,) = objections(before, tree, NAMING, {}, received)
    assert f"the provider's base 'dc=lab' is {said} now, to 'dc=new'" in text


def test_a_part_that_the_provider_keeps_elsewhere() -> None:
    (text,) = words({}, {"b1"}, contexts=(f"OU=B,{BASE}".lower(), f"ou=c,{BASE}"))
    assert text.startswith("1 entry of 'ou=b,dc=lab'")
    (text,) = words({}, {"b1", "b2"}, contexts=(f"ou=b,{BASE}",))
    assert text.startswith("2 entries of 'ou=b,dc=lab'")
