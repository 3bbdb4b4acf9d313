"""From findings to the changes that make the consumer equal: what `plan` needs to know, and the plan as records.

`remedy` turns findings, with both sides' entries as they are now, into a small tree of the consumer (the entries
concerned, what is above them, what stands in their places) and the wanted states; `plan` has the legal order. What
cannot be repaired is set aside with its reason: nothing is taken away on the word of somebody who may not see it, and
no identity is promised to a server that does not let us write it.
`records` are all changes at once, for LDIF: there a rename's own effect on the entry is foreseen, because nobody can
read the entry in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ldaprepl.domain import dn as names
from ldaprepl.domain.change import Change, Modify, Rename, Translation, difference
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.plan import LOCAL, Plan
from ldaprepl.domain.planner import plan
from ldaprepl.domain.repair import Unrepaired
from ldaprepl.domain.secretnames import is_secret
from ldaprepl.domain.tree import ROOT, Memory, Naming, Tree, grow
from ldaprepl.domain.verdict import Finding, Kind

_STAMPED = frozenset(("entrycsn", "modifiersname", "modifytimestamp"))  # what a rename writes


@dataclass(frozen=True, slots=True)
class Case:
    """A finding, and the entry on each side as it is now."""

    finding: Finding
    ours: Entry | None = None
    theirs: Entry | None = None


@dataclass(slots=True)
class Part(Memory):
    """A part of the consumer's tree; `held` are the entries of all of it."""

    held: int = 0

    def count(self) -> int:
        return self.held


@dataclass(slots=True)
class Remedy:
    """What shall become of the consumer. Keys are identities; `wanted` entries are as the consumer shall hold them."""

    tree: Tree
    wanted: dict[str, Entry] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    held: dict[str, Entry] = field(default_factory=dict)  # as it is now, of all keys that the consumer has
    cases: dict[str, Case] = field(default_factory=dict)
    refused: list[Unrepaired] = field(default_factory=list)


def remedy(
    cases: Iterable[Case], around: Iterable[Entry], translation: Translation, naming: Naming, held: int
) -> Remedy:
    """`around`: entries of the consumer above, below and in the place of those that change, in any order; `held`: how
    many entries it has in all."""
    cases = list(cases)
    by_dn: dict[bytes, str] = {}
    entries: dict[str, Entry] = {}
    for entry in [*(case.theirs for case in cases if case.theirs), *around]:
        dn_key = naming.key(entry.dn)
        if dn_key not in by_dn:
            key = entry.uuid or ""
            key = key if key and key not in entries else f"{LOCAL}{entry.dn}"
            by_dn[dn_key], entries[key] = key, entry
    memory, orphans = grow(((key, entry.dn, "") for key, entry in entries.items()), naming)
    made = Remedy(Tree(Part(memory.nodes, held=held)), held=entries)
    lost = {naming.key(dn) for dn in orphans}
    identity = translation.writes("entryUUID") or any(name.lower() == "entryuuid" for name in translation.scope.exattrs)
    for case in cases:
        reason = ""
        if case.theirs and naming.key(case.theirs.dn) in lost:
            reason = "the consumer does not show the entry above it"
        elif case.finding.kind is Kind.IDENTITY and not identity:
            reason = "its entryUUID is another, and this way of writing cannot carry one"
        if reason:
            made.refused.append(Unrepaired(case.finding.dn, reason))
            continue
        _want(made, case, by_dn[naming.key(case.theirs.dn)] if case.theirs else "", translation)
    return made


def _want(made: Remedy, case: Case, held: str, translation: Translation) -> None:
    """One case as wanted and gone; `held` is the key of the consumer's entry, where there is one. Another identity
    under the same name is changed where it stands, so that what is below need not know."""
    if case.ours is None:
        made.gone.add(held)
        made.cases[held] = case
        return
    key = held or case.ours.uuid or ""
    if not key or (not held and (key in made.held or key in made.wanted)):  # two entries with one identity happen
        key = f"{LOCAL}new:{case.ours.dn}"
    made.wanted[key] = translation.entry(case.ours)
    made.cases[key] = case


def shown_secrets(entries: Iterable[Entry]) -> frozenset[str]:
    """The secret attributes (lower case, without options) of which the provider showed a value at least once."""
    names_seen = {name for entry in entries for name, values in entry.attributes.items() if values}
    return frozenset(_base(name) for name in names_seen if is_secret(name))


def writable(translation: Translation, seen: frozenset[str]) -> Callable[[str], bool]:
    """Which attributes may be changed: secrets only where the provider has shown any of that name."""
    return lambda name: translation.writes(name) and (not is_secret(name) or _base(name) in seen)


def _base(name: str) -> str:
    return name.partition(";")[0].lower()


def lay_out(made: Remedy, naming: Naming) -> Plan:
    """The plan; the remedy's tree then is as the consumer will be."""
    return plan(made.tree, made.wanted, made.gone, naming)


def records(
    made: Remedy, laid: Plan, schema: Schema, writes: Callable[[str], bool]
) -> tuple[list[Change], dict[str, Modify]]:
    """All changes in order: the plan's, then the Modifies of entries that are there already; and those by key."""
    old_keys = {new: old for old, new in laid.taken.items()}
    renames: dict[str, list[Rename]] = {}
    for change in laid.changes:
        if isinstance(change, Rename):
            renames.setdefault(change.key, []).append(change)
    modifies: dict[str, Modify] = {}
    for key in laid.updates:
        before = made.held[old_keys.get(key, key)]
        dn = made.tree.dn(key)
        after = _renamed(Entry(dn, before.attributes), renames.get(old_keys.get(key, key), []), schema)
        modify = modification(made, key, after, schema, writes)
        if modify is not None:
            modifies[key] = modify
    return [*laid.changes, *modifies.values()], modifies


def modification(made: Remedy, key: str, held: Entry, schema: Schema, writes: Callable[[str], bool]) -> Modify | None:
    """What makes an entry of the consumer as it shall be; None when it is."""
    mods = difference(made.wanted[key], held, schema, writes)
    node = made.tree.get(key)
    if not mods:
        return None
    return Modify(key, node.parent if node else ROOT, held.dn, mods, Entry(held.dn, made.wanted[key].attributes))


def _renamed(entry: Entry, renames: Iterable[Rename], schema: Schema) -> Entry:
    """The entry after these renames: naming values come and go, and the server stamps it."""
    attributes = dict(entry.attributes)
    for rename in renames:
        attributes = {name: values for name, values in attributes.items() if name.lower() not in _STAMPED}
        if rename.delete_old:
            for name, value in names.parse(names.split(rename.dn)[0])[0]:
                attributes = _without(attributes, name, value, schema)
        for name, value in names.parse(rename.rdn)[0]:
            attributes = _without(attributes, name, value, schema)
            own = _own_name(attributes, name, schema)
            attributes[own] = (*attributes.get(own, ()), value)
    return Entry(entry.dn, attributes)


def _without(
    attributes: Mapping[str, tuple[bytes, ...]], name: str, value: bytes, schema: Schema
) -> dict[str, tuple[bytes, ...]]:
    own, normal = _own_name(attributes, name, schema), schema.normal(name)
    left = tuple(each for each in attributes.get(own, ()) if normal(each) != normal(value))
    return {**{each: values for each, values in attributes.items() if each != own}, **({own: left} if left else {})}


def _own_name(attributes: Mapping[str, tuple[bytes, ...]], name: str, schema: Schema) -> str:
    """How the entry itself spells this attribute."""
    wanted = schema.canonical(name)
    return next((each for each in attributes if schema.canonical(each) == wanted), name)


def changes_class(made: Remedy, laid: Plan, modifies: Mapping[str, Modify]) -> bool:
    """Whether some entry becomes one of another structural class: slapd takes that with Relax only."""
    old_keys = {new: old for old, new in laid.taken.items()}
    for key, modify in modifies.items():
        wanted = modify.entry.first("structuralObjectClass")
        if wanted and made.held[old_keys.get(key, key)].first("structuralObjectClass") not in (None, wanted):
            return True
    return False


def unrepairable(made: Remedy, laid: Plan, modifies: Mapping[str, Modify], naming: Naming) -> dict[str, Unrepaired]:
    """By key: what the plan refused, and the findings for which it has nothing."""
    refused = {each.key: each.reason for each in laid.refusals if each.key in made.cases}
    acted = {change.key for change in laid.changes} | set(modifies) | set(laid.taken)
    for key, case in made.cases.items():
        held = made.held.get(key)
        carried = held is not None and key in made.tree and naming.key(held.dn) != naming.key(made.tree.dn(key))
        if key not in acted and not carried:  # what is below a renamed entry is carried along
            refused.setdefault(key, _why_not(case))
    return {key: Unrepaired(made.cases[key].finding.dn, reason) for key, reason in refused.items()}


def _why_not(case: Case) -> str:
    different = ", ".join(each.name for each in case.finding.attributes)
    if any(is_secret(each.name) and not each.provider for each in case.finding.attributes):
        return f"the provider shows no value of {different} to this identity, and nothing is taken away for that"
    if different:
        return f"only {different} differs, which cannot be written there this way"
    return "it is as it shall be by now, or it changed meanwhile: verify again"
