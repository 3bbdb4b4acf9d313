"""Are two entries the same? By the provider's schema, within the replication scope.

Two stages, from cheap to exact. `same_frames` takes two undecoded entries whose bytes differ and looks only at the
attributes whose encoded values differ. `differences` names what differs between two decoded entries. Both leave out
what belongs to the server and not to the entry, and never care about the order of values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from sys import intern

from ldaprepl.domain.dn import moved, parent
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.join import fingerprint
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.schema import USER_APPLICATIONS
from ldaprepl.domain.scope import STAMPS, ReplicationScope
from ldaprepl.domain.verdict import AttributeDifference, Finding, Kind, State, Trace

# What slapd makes up when it is asked; slapcat does not write it, and slapadd must not get it.
COMPUTED = frozenset(
    ("contextcsn", "subschemasubentry", "hassubordinates", "numsubordinates", "entrydn", "auditcontext")
)
# Kept by each server for itself, or computed when asked for (slapd, its overlays, 389 DS). Schema usage dSAOperation
# comes on top. Whoever names one of these with --attrs gets it compared.
SERVER_LOCAL = COMPUTED | frozenset(
    name.lower()
    for name in (
        "memberOf", "pwdFailureTime", "pwdAccountLockedTime", "pwdGraceUseTime", "pwdLastSuccess",
        "pwdAccountTmpLockoutEnd", "authTimestamp", "entryTtl", "entryExpireTimestamp", "monitorContext",
        "configContext", "entryid", "parentid", "dsEntryDN", "nscpEntryDN", "nsUniqueId", "nsds5ReplConflict",
        "tombstoneNumSubordinates", "passwordRetryCount", "retryCountResetTime", "accountUnlockTime", "lastLoginTime",
    )
)  # fmt: skip

Attributes = Sequence[tuple[bytes, bytes]]
SplitFrame = Callable[[bytes], tuple[bytes, Attributes]]
SplitValues = Callable[[bytes], tuple[bytes, ...]]


@dataclass(frozen=True)
class Comparer:
    """Equality of entries within a scope. `split` and `values` take frames and encoded values apart (protocol)."""

    schema: Schema
    scope: ReplicationScope
    split: SplitFrame
    values: SplitValues
    selective: bool = False  # entries may hold more than --attrs asked for: dumps do
    _ignored: dict[str, bool] = field(default_factory=dict)
    _kept: dict[bytes, bytes] = field(default_factory=dict)

    def same_frames(self, provider: bytes, consumer: bytes) -> bool:
        """Whether two frames with different bytes hold the same entry. Raises what `split` and `values` raise."""
        provider_dn, ours = self.split(provider)
        consumer_dn, theirs = self.split(consumer)
        if provider_dn != consumer_dn and self.dn_key(_text(provider_dn)) != self.consumer_key(_text(consumer_dn)):
            return False
        if len({name for name, _ in theirs}) != len(theirs):  # one attribute in two parts: for the decoded comparison
            return False
        left = self._unequal(ours, theirs)
        return all(self._same(name, *pair) for name, pair in left.items())

    def more_in_second(self, first: bytes, second: bytes) -> list[str] | None:
        """Two frames of one entry from one server, which changed in no stamp between them: the attributes of which the
        second has more values. None where the first has more, or the entry may have changed. Raises as `split` does."""
        ours, theirs = self.split(first)[1], self.split(second)[1]
        left, right = dict(ours), dict(theirs)
        stamp = next((name for name in (b"entryCSN", b"modifyTimestamp") if name in left), None)
        if stamp is None or left[stamp] != right.get(stamp):
            return None
        more = []
        for name, pair in self._unequal(ours, theirs).items():
            only_first, only_second = self._only(name, *pair)
            if only_first:
                return None
            more += [name] if only_second else []
        return more

    def print_of(self, frame: bytes) -> bytes:
        """16 bytes that stand for what is compared of a frame: the same for frames that differ in nothing but the order
        of attributes and what is ignored. Raises what `split` raises."""
        kept = self._kept
        held = []
        for name, encoded in self.split(frame)[1]:
            if name not in kept:
                kept[name] = b"" if self.ignored(_text(name)) else name.lower()
            if kept[name]:
                held.append(b"%b %d %b" % (kept[name], len(encoded), encoded))
        held.sort()
        return fingerprint(b"\n".join(held))

    def _unequal(self, ours: Attributes, theirs: Attributes) -> dict[str, tuple[tuple[bytes, ...], tuple[bytes, ...]]]:
        """Attributes whose encoded values are not the same on both sides, by canonical name."""
        rest = dict(theirs)
        unequal: dict[str, tuple[tuple[bytes, ...], tuple[bytes, ...]]] = {}
        for name, encoded in ours:
            if rest.get(name) == encoded:
                del rest[name]
                continue
            self._collect(unequal, 0, name, encoded)
        for name, encoded in rest.items():
            self._collect(unequal, 1, name, encoded)
        return unequal

    def _collect(
        self,
        into: dict[str, tuple[tuple[bytes, ...], tuple[bytes, ...]]],
        side: int,
        name: bytes,
        encoded: bytes,
    ) -> None:
        description = _text(name)
        if self.ignored(description):
            return
        canonical = self.schema.canonical(description)
        provider, consumer = into.get(canonical, ((), ()))
        values = self.values(encoded)
        into[canonical] = (provider + values, consumer) if side == 0 else (provider, consumer + values)

    def differences(self, provider: Entry, consumer: Entry) -> tuple[AttributeDifference, ...]:
        """The attributes that differ, by name, each with the values that the other side lacks."""
        ours, theirs = self._by_name(provider), self._by_name(consumer)
        found = []
        for canonical in sorted(ours.keys() | theirs.keys()):
            name, left = ours.get(canonical, ("", ()))
            other, right = theirs.get(canonical, ("", ()))
            if left == right:
                continue
            only_left, only_right = self._only(canonical, left, right)
            if only_left or only_right:
                found.append(AttributeDifference(name or other, only_left, only_right))
        return tuple(found)

    def _by_name(self, entry: Entry) -> dict[str, tuple[str, tuple[bytes, ...]]]:
        held: dict[str, tuple[str, tuple[bytes, ...]]] = {}
        for name, values in entry.attributes.items():
            if not self.ignored(name):
                canonical = self.schema.canonical(name)
                held[canonical] = (name, held.get(canonical, ("", ()))[1] + values)
        return held

    def _same(self, name: str, left: tuple[bytes, ...], right: tuple[bytes, ...]) -> bool:
        only_left, only_right = self._only(name, left, right)
        return not only_left and not only_right

    def _only(
        self, name: str, left: tuple[bytes, ...], right: tuple[bytes, ...]
    ) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        normal = self.schema.normal(name)
        massaged = self._massaged(name)
        left_keys = [normal(value) for value in left]
        right_keys = [normal(massaged(value)) for value in right]
        return _missing(left, left_keys, right_keys), _missing(right, right_keys, left_keys)

    def ignored(self, description: str) -> bool:
        """Whether this attribute is no part of the comparison."""
        known = self._ignored.get(description)
        if known is None:
            known = self._ignored[description] = self._is_ignored(description)
        return known

    def _is_ignored(self, description: str) -> bool:
        canonical = self.schema.canonical(description)
        base = canonical.partition(";")[0]
        if self._excluded(canonical) or self._excluded(base):
            return True
        named = {self.schema.canonical(name) for name in self.scope.attrs if name not in ("*", "+")}
        if canonical in named or base in named:
            return False
        if self.selective and not self._asked(base, named):
            return True
        local = base in SERVER_LOCAL or self.schema.is_server_local(description)
        return local or (base in _STAMPS and "+" not in self.scope.attrs)

    def _asked(self, base: str, named: set[str]) -> bool:
        """Whether a server would have sent this attribute: by `*`, by `+`, or as a subtype of one that is named."""
        attribute = self.schema.attribute(base)
        operational = attribute is not None and attribute.usage != USER_APPLICATIONS
        if ("+" if operational else "*") in self.scope.attrs:
            return True
        return not named.isdisjoint(self.schema.supertypes(base))

    def _excluded(self, canonical: str) -> bool:
        return any(self.schema.canonical(name) == canonical for name in self.scope.exattrs)

    # -- DNs: the consumer may hold the tree under another suffix --------------------------------------------------

    def dn_key(self, dn: str) -> bytes:
        """The normal form of a DN of the provider."""
        return self.schema.dn_key(dn)

    def consumer_key(self, dn: str) -> bytes:
        """The normal form of a consumer's DN, as the provider would name it."""
        return self.schema.dn_key(self.provider_dn(dn))

    def provider_dn(self, dn: str) -> str:
        """A consumer's DN under the provider's base; unchanged where it lies elsewhere."""
        return moved(dn, self.scope.suffixmassage, self.scope.base) if self.scope.suffixmassage else dn

    def consumer_dn(self, dn: str) -> str:
        """A provider's DN under the consumer's base."""
        return moved(dn, self.scope.base, self.scope.suffixmassage) if self.scope.suffixmassage else dn

    def above(self, dn: str) -> list[str]:
        """The entries above a provider's DN, up to the base; none for the base itself or without one."""
        base = self.dn_key(self.scope.base)
        names: list[str] = []
        try:
            while base and self.dn_key(dn).endswith(b"," + base):
                dn = parent(dn)
                names.append(dn)
        except ValueError:
            pass
        return names

    @property
    def rename(self) -> Callable[[bytes], bytes] | None:
        """How a consumer's DN bytes become the provider's; None where they are the same."""
        if not self.scope.suffixmassage:
            return None
        return lambda dn: self.provider_dn(_text(dn)).encode("utf-8", "surrogateescape")

    def tree_order(self, dn: str) -> list[bytes]:
        """Sort key: parents before their children, branches together."""
        return self.dn_key(dn).split(b",")[::-1]

    def _massaged(self, name: str) -> Callable[[bytes], bytes]:
        attribute = self.schema.attribute(name) if self.scope.suffixmassage else None
        if attribute is None or attribute.syntax != _DN_SYNTAX:
            return _unchanged
        return lambda value: self.provider_dn(_text(value)).encode("utf-8", "surrogateescape")

    # -- which finding ---------------------------------------------------------------------------------------------

    def classify(self, provider: Iterable[Entry], consumer: Iterable[Entry]) -> list[Divergence]:
        """What is wrong between two sets of entries: paired by entryUUID first, then by DN.

        The sets are the suspects of one comparison, so an entry of one side that has its like on the other is in both.
        """
        ours, theirs = _keyed(provider, self.dn_key), _keyed(consumer, self.consumer_key)
        judge_identity = not self._excluded("entryuuid")
        found: list[Divergence | None] = []
        if judge_identity:
            for key in [key for key, entry in ours.items() if _uuid(entry) and _uuid(entry) == _uuid(theirs.get(key))]:
                found.append(self._judged(Kind.DIFFERS, ours.pop(key), theirs.pop(key)))
        # One entry may have been read under two names while it was moved: each is a partner only once.
        by_uuid = {entry.uuid: key for key, entry in theirs.items() if entry.uuid} if judge_identity else {}
        unpaired: dict[bytes, Entry] = {}
        for key, entry in ours.items():
            partner = by_uuid.pop(entry.uuid, None) if entry.uuid else None
            if partner is None:
                unpaired[key] = entry
            else:
                found.append(self._judged(Kind.RENAMED, entry, theirs.pop(partner)))
        for key, entry in unpaired.items():
            other = theirs.pop(key, None)
            if other is None:
                finding = Finding(Kind.MISSING, entry.dn, uuid=entry.uuid or "", provider=_trace(entry))
                found.append(Divergence(finding, entry.csn, None))
            else:
                # Same DN, and no entry of the consumer has this entryUUID. Without entryUUIDs the DN is the identity.
                both = judge_identity and entry.uuid and other.uuid
                found.append(self._judged(Kind.IDENTITY if both else Kind.DIFFERS, entry, other))
        for entry in theirs.values():
            finding = Finding(Kind.EXTRA, entry.dn, entry.dn, entry.uuid or "", consumer=_trace(entry))
            found.append(Divergence(finding, None, entry.csn))
        return [divergence for divergence in found if divergence is not None]

    def _judged(self, kind: Kind, ours: Entry, theirs: Entry) -> Divergence | None:
        attributes = self.differences(ours, theirs)
        if kind is Kind.DIFFERS and not attributes:
            return None
        traces = (_trace(ours, kind, attributes), _trace(theirs, kind, attributes))
        uuid = ours.uuid or ""
        finding = Finding(kind, ours.dn, theirs.dn, uuid, State.LASTING, attributes, None, traces[0], traces[1])
        return Divergence(finding, ours.csn, theirs.csn)


@dataclass(frozen=True, slots=True)
class Divergence:
    """What might become a finding, with the entryCSNs it was made from; `above`: those of the entries above it, on the
    side that holds it (None: not shown). Not `stable`: the provider's side has changed while it was looked at, so that
    nothing follows yet."""

    finding: Finding
    provider_csn: str | None
    consumer_csn: str | None
    above: tuple[str | None, ...] = ()
    stable: bool = True


_STAMPS = frozenset(name.lower() for name in STAMPS)
_DN_SYNTAX = "1.3.6.1.4.1.1466.115.121.1.12"


def _keyed(entries: Iterable[Entry], key_of: Callable[[str], bytes]) -> dict[bytes, Entry]:
    """Entries by normalized DN. Where one server holds two entries under one key, neither may hide the other."""
    keyed: dict[bytes, Entry] = {}
    for entry in entries:
        key = key_of(entry.dn)
        while key in keyed:
            key += b"\0" + entry.dn.encode("utf-8", "surrogateescape")
        keyed[key] = entry
    return keyed


def _trace(entry: Entry, kind: Kind = Kind.MISSING, attributes: Iterable[AttributeDifference] = ()) -> Trace:
    """What there is to be known of why this entry is as it is. Short: there may be very many."""
    csn, modified = entry.csn or "", _text(entry.first("modifyTimestamp") or b"")
    classes = [value.lower() for value in entry.values("objectClass")]
    return Trace(
        csn,
        intern(_text(entry.first("modifiersName") or b"")),
        _text(entry.first("createTimestamp") or b"") if kind is Kind.IDENTITY else "",
        b"glue" in classes,
        bool(modified) and csn[:14].isdigit() and csn[:14] > modified[:14],
        tuple(each.name for each in attributes if not entry.values(each.name)),
        b"subentry" in classes,
    )


def _uuid(entry: Entry | None) -> str | None:
    return None if entry is None else entry.uuid


def _missing(values: tuple[bytes, ...], keys: list[bytes], others: list[bytes]) -> tuple[bytes, ...]:
    """The values whose normal form the other side does not have, or has fewer times."""
    left = Counter(others)
    only = []
    for value, key in zip(values, keys, strict=True):
        if left[key] > 0:
            left[key] -= 1
        else:
            only.append(value)
    return tuple(only)


def _unchanged(value: bytes) -> bytes:
    return value


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
