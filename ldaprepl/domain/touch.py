"""What to write on the provider so that native syncrepl heals the consumer by itself: writes that change nothing.

Found with slapd 2.5.13, refreshAndPersist, refreshOnly and delta-syncrepl:
- A Modify that replaces values by themselves gives a new entryCSN. Plain syncrepl then sends the whole entry: missing,
  differing, renamed (with all below) and exchanged entries are healed by any such write. Delta-syncrepl sends the
  Modify itself: so it names every attribute that differs, the operational ones by the Relax control.
- An entry that only the consumer has goes away when the provider gets one of that name, with that entryUUID, for a
  moment: the delete is what is sent. The moment's entry carries a mark, so that one which was left can be found.
- A name that another entry holds on the consumer: syncrepl fails to rename, goes on, and writes the values into the
  wrong entry. A refresh sends children before their parents: then a glue entry takes the name of a renamed parent. An
  entry that is deleted above others becomes glue. So whatever stands in a place, above or below one, is touched in an
  earlier round, or not at all.
- A consumer's entry with an entryCSN from the future ignores plain syncrepl.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ldaprepl.domain import dn as names
from ldaprepl.domain.change import Add, Change, Delete, Mod, Modify
from ldaprepl.domain.compare import SERVER_LOCAL
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.mend import Case
from ldaprepl.domain.secretnames import is_secret
from ldaprepl.domain.verdict import Finding, Kind

MARK = "ldaprepl-box"  # the cn of a moment's entry
MARKED = f"(&(objectClass=extensibleObject)(cn={MARK}))"
_OWN = frozenset(("entrycsn", "modifytimestamp", "modifiersname", "structuralobjectclass"))  # nobody writes them
_PASSWORDS = frozenset(("userpassword",))


@dataclass(frozen=True, slots=True)
class Touch:
    """A Modify of one entry that changes nothing. `relaxed` are the parts that need Relax, left out where that is
    refused. It holds only for the entry with this entryCSN: who wrote meanwhile has touched it already.

    `absent` are attributes that only the consumer has: to replace them by nothing changes nothing, if the provider
    has none indeed, and does not only hide them from us. So that is asserted too, and no LDIF has them."""

    finding: Finding
    dn: str
    csn: str
    mods: tuple[Mod, ...]
    relaxed: tuple[Mod, ...] = ()
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """An entry that is there for a moment only."""

    finding: Finding
    dn: str
    uuid: str
    attributes: Mapping[str, tuple[bytes, ...]]


def touch(case: Case, schema: Schema) -> Touch:
    """The touch of one entry of the provider."""
    entry = case.ours
    assert entry is not None
    mods = {"objectclass": Mod("replace", "objectClass", entry.values("objectClass"))}
    relaxed: list[Mod] = []
    absent: list[str] = []
    different = [each.name for each in case.finding.attributes]
    if case.finding.kind is Kind.IDENTITY:
        different.append("entryUUID")
    for name in dict.fromkeys(different):
        canonical = schema.canonical(name)
        base = canonical.partition(";")[0]
        if base in _OWN or base in SERVER_LOCAL or schema.is_server_local(name):
            continue
        if base in _PASSWORDS and entry.first("pwdChangedTime"):
            continue  # a password policy would take it for a new password
        mod = Mod("replace", name, entry.values(name))
        attribute = schema.attribute(name)
        operational = attribute is not None and attribute.usage.lower() not in ("", "userapplications")
        if not mod.values:
            absent += [] if operational or is_secret(name) else [name]
        elif operational:
            relaxed.append(mod)
        else:
            mods[canonical] = mod
    return Touch(case.finding, entry.dn, entry.csn or "", tuple(mods.values()), tuple(relaxed), tuple(absent))


def moment(finding: Finding, dn: str) -> Moment:
    """The entry for a moment, under the name that the provider would have for it; it holds nothing of anybody."""
    attributes: dict[str, tuple[bytes, ...]] = {
        "objectClass": (b"top", b"organizationalRole", b"extensibleObject"),
        "cn": (MARK.encode(),),
    }
    for name, value in names.parse(names.split(dn)[0])[0]:
        own = next((each for each in attributes if each.lower() == name.lower()), name)
        if own != "objectClass":
            attributes[own] = (*attributes.get(own, ()), value)
    return Moment(finding, dn, finding.uuid, attributes)


@dataclass(frozen=True, slots=True)
class Round:
    """What can be touched now. `waiting`: findings that need another one to be healed first, by what they wait for."""

    touches: tuple[Touch, ...]
    moments: tuple[Moment, ...]
    waiting: tuple[tuple[Finding, str], ...]


def next_round(cases: Sequence[Case], consumer: Seen, schema: Schema, places: Places) -> Round:
    """What can be touched while everything else is as it is."""
    key = places.key
    renamed = [case.finding for case in cases if case.finding.kind is Kind.RENAMED]
    moving = {key(finding.dn) for finding in renamed}
    left = [places.from_consumer(finding.consumer_dn) for finding in renamed]
    leaving = {key(name) for name in left}
    over_leaving = {key(name) for dn in left for name in places.above(dn)}
    over_staying = {key(name) for dn in consumer.staying for name in places.above(dn)}
    touches: list[Touch] = []
    moments: list[Moment] = []
    waiting: list[tuple[Finding, str]] = []
    for case in cases:
        finding = case.finding
        there = places.from_consumer(finding.consumer_dn) if finding.consumer_dn else finding.dn
        where = there if finding.kind is Kind.EXTRA else finding.dn
        holder = consumer.occupants.get(key(where)) if finding.kind is Kind.RENAMED else None
        if any(key(name) in moving for name in places.above(where)) or any(
            key(name) in leaving for name in places.above(there)
        ):
            waiting.append((finding, "an entry above it has another name on the consumer"))
        elif holder is not None and holder != finding.uuid:
            waiting.append((finding, "another entry has its name on the consumer"))
        elif finding.kind is not Kind.EXTRA:
            touches.append(touch(case, schema))
        elif key(where) in over_staying:
            waiting.append((finding, "an entry below it stays"))
        elif key(where) in over_leaving:
            waiting.append((finding, "an entry below it has its place elsewhere"))
        else:
            moments.append(moment(finding, where))
    touches.sort(key=lambda each: names.depth(each.dn))
    moments.sort(key=lambda each: names.depth(each.dn))
    return Round(tuple(touches), tuple(moments), tuple(waiting))


@dataclass(frozen=True, slots=True)
class Seen:
    """The consumer around the findings. `occupants`: entryUUIDs by the normal form of the DN; `staying`: DNs of what
    hangs below extra entries and is no extra entry. Both as the provider would write them."""

    occupants: Mapping[bytes, str]
    staying: Sequence[str]


@dataclass(frozen=True, slots=True)
class Places:
    """How DNs are compared: the normal form of a provider's DN, the entries above one, and a consumer's DN as the
    provider would write it."""

    key: Callable[[str], bytes]
    above: Callable[[str], Iterable[str]]
    from_consumer: Callable[[str], str]


def as_changes(round_: Round) -> list[Change]:
    """The same as change records for the provider."""
    changes: list[Change] = []
    for each in round_.touches:
        mods = (*each.mods, *each.relaxed)
        changes.append(Modify(each.finding.uuid, "", each.dn, mods, Entry(each.dn, {})))
    changes += [Add(each.uuid, "", each.dn, moment_attributes(each)) for each in round_.moments]
    changes += [Delete(each.uuid, "", each.dn) for each in reversed(round_.moments)]
    return changes


def moment_attributes(each: Moment, identity: bool = True) -> dict[str, tuple[bytes, ...]]:
    """What is added; with the identity that the consumer's entry has, so that syncrepl takes it for the same."""
    held = dict(each.attributes)
    if identity and each.uuid:
        held["entryUUID"] = (each.uuid.encode("ascii", "replace"),)
    return held


def why_not_healed(case: Case) -> str:
    """Why a touched entry still is not as it should be, as far as both sides tell."""
    ours, theirs = case.ours, case.theirs
    if case.finding.kind is Kind.EXTRA:
        return "it was added and deleted on the provider, and the consumer has kept it: repair it there"
    if ours and theirs and (theirs.csn or "") > (ours.csn or ""):
        return (
            f"touched, but the consumer's entryCSN {theirs.csn} is from the future, so it ignores what comes: repair it"
            " there"
        )
    if ours and b"subentry" in [value.lower() for value in ours.values("objectClass")]:
        return "touched, but a refresh never sends a subentry, only refreshAndPersist does: repair it there"
    if any(is_secret(each.name) for each in case.finding.attributes):
        return "touched, but not healed: the replicating identity may not see all of it, or a password policy keeps it"
    return "touched, but not healed: the replicating identity may not see all of it, or its stanza leaves it out"
