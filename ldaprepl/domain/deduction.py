"""From evidence to cause: pure rules over the two traces of a finding, both contextCSNs, and a few extra looks.

A rule fires only on what the stamps prove (RFC 4533; slapd's CSNs): a contextCSN that covers a change says that the
change has arrived; within one server ID the newer stamp is the newer change; a server ID that the provider's contextCSN
does not hold has written elsewhere. Where two stories fit, the sentence tells both or says `probably`; where none is
proven, there is no cause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from ldaprepl.domain import dn as names
from ldaprepl.domain.cause import Code, told
from ldaprepl.domain.compare import SERVER_LOCAL
from ldaprepl.domain.csn import Csn, CsnSet, sid_list
from ldaprepl.domain.scope import BOOKKEEPING, MATCH_ALL, ReplicationScope, Scope
from ldaprepl.domain.verdict import Cause, Finding, Kind, State, Trace

_CLOCKS_DIFFER = timedelta(minutes=5)
_NEWER = "the consumer holds a newer version"
_LOST_THERE = "the consumer holds what the provider lost"
_BACK_AGAIN = "the provider has again what the consumer saw deleted"
_LIMITS = 100  # administrators write round numbers


class Place(StrEnum):
    """What a server answers when asked for one entry without any filter."""

    THERE = "there"
    GONE = "gone"
    HIDDEN = "hidden"
    BELOW_HIDDEN = "below something hidden"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Setting:
    """What holds for all findings of one consumer. The CSNs are the contextCSNs, `now` is UTC. `image`: the provider is
    a dump, whose stamps show less than it had (a delete leaves none) and nothing of what came later."""

    provider: CsnSet
    consumer: CsnSet
    scope: ReplicationScope
    now: datetime
    consumer_entries: int = 0
    image: bool = False

    @property
    def everything(self) -> bool:
        """Nothing below the base is out of scope."""
        return self.scope.scope is Scope.SUB and self.scope.filter == MATCH_ALL

    @property
    def blind(self) -> bool:
        """Only the consumer shows no contextCSN."""
        return bool(self.provider) and not self.consumer

    def future(self, csn: Csn) -> bool:
        return csn.time > self.now + _CLOCKS_DIFFER


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was looked up for one finding. `place`: a missing entry on the consumer, an extra one on the provider.
    `unknown`: classes and attributes of the provider's entry that the consumer's schema has not."""

    place: Place = Place.UNKNOWN
    unknown: tuple[str, ...] = ()


NOTHING = Evidence()
_HIDDEN = (Place.HIDDEN, Place.BELOW_HIDDEN)


def causes(findings: Sequence[Finding], evidence: Sequence[Evidence], setting: Setting) -> list[Finding]:
    """All findings of one consumer, each with its cause where there is one. What waits for a schema that will not come
    is no lag: such findings become lasting."""
    renamed = {(_key(f.dn), _key(f.consumer_dn)) for f in findings if f.kind is Kind.RENAMED}
    withheld = _withheld(findings)
    found = []
    for finding, known in zip(findings, evidence, strict=True):
        cause = _along(finding, renamed) or _without(finding, withheld) or deduce(finding, known, setting)
        state = State.LASTING if known.unknown else finding.state
        found.append(replace(finding, cause=cause, state=state))
    found = _gone_back(found)
    if any(known.unknown for known in evidence):
        waiting = (Code.LAG, Code.UNFINISHED, Code.CUT_BY_LIMIT)
        held_up = told(Code.HELD_UP)
        found = [replace(f, cause=held_up) if f.cause and f.cause.code in waiting else f for f in found]
    return found


def deduce(finding: Finding, known: Evidence, setting: Setting) -> Cause | None:
    """The cause of one finding by itself; None where nothing is proven."""
    if known.unknown:
        return told(Code.SCHEMA_GAP, names=", ".join(known.unknown))
    if finding.state is State.BEHIND:
        return told(Code.LAG, side=f"the {finding.late.value}")
    if finding.kind is Kind.MISSING:
        return _missing(finding, known, setting)
    if finding.kind is Kind.EXTRA:
        return _extra(finding, known, setting)
    return _unequal(finding, setting)


def notes(setting: Setting) -> list[str]:
    """What the contextCSNs alone tell: signs of trouble, also where all entries are equal."""
    if not setting.provider or not setting.consumer:
        return []
    standing = setting.consumer.standing(setting.provider)
    said = []
    if standing.extra:
        words = f"the consumer's contextCSN has server ID {sid_list(standing.extra)}, which the provider's has not"
        if setting.image:
            words += (
                " in its dump: something writes on the consumer, or the dump is older (that of a running slapd lacks"
                " what came after its last checkpoint)"
            )
        else:
            words += ": something writes on the consumer, and it does not come back"
        said.append(words)
    if standing.ahead and not setting.image:
        said.append(
            f"the consumer's contextCSN is newer than the provider's for server ID {sid_list(standing.ahead)}: the"
            " provider went back (restored, crashed), or the consumer is written under that ID"
        )
    late = [csn.sid for csn in setting.provider.values() if setting.future(csn)]
    if late:
        said.append(f"the provider's contextCSN for server ID {sid_list(late)} lies in the future: a clock is wrong")
    return said


# -- one finding -------------------------------------------------------------------------------------------------------


def _missing(finding: Finding, known: Evidence, setting: Setting) -> Cause | None:
    if known.place in _HIDDEN:
        return told(Code.HIDDEN, likely=known.place is Place.BELOW_HIDDEN, side="the consumer")
    if finding.provider and finding.provider.subentry:
        return told(Code.SUBENTRY)
    if setting.blind:
        return _unfinished(setting)
    csn = _csn(finding.provider)
    if csn is None or known.place is Place.THERE or not setting.consumer.covers(csn):
        return None
    return told(Code.LOST_ADD, likely=known.place is not Place.GONE)


def _extra(finding: Finding, known: Evidence, setting: Setting) -> Cause | None:
    if known.place in _HIDDEN:
        return told(Code.HIDDEN, likely=known.place is Place.BELOW_HIDDEN, side="the provider")
    if known.place is Place.THERE:
        return None if setting.everything else told(Code.OUT_OF_SCOPE)
    if finding.consumer and finding.consumer.glue:
        return told(Code.GLUE)
    csn = _csn(finding.consumer)
    if csn is None or not setting.provider:
        return None
    if setting.future(csn):
        return told(Code.FUTURE)
    if csn.sid not in setting.provider:
        return _written(finding, csn, setting)
    if setting.provider.covers(csn):
        return told(Code.LOST_DELETE, likely=known.place is not Place.GONE)
    return _overwritten(finding, csn, setting) or told(Code.WENT_BACK, sign=_LOST_THERE)


def _unequal(finding: Finding, setting: Setting) -> Cause | None:
    """Both sides have it: as it is, under another name, or as another entry."""
    ours, theirs = finding.provider, finding.consumer
    if ours is None or theirs is None:
        return None
    if theirs.glue and not ours.glue:
        return told(Code.GLUE)
    local = [name for name in (each.name for each in finding.attributes) if _is_local(name)]
    if local and all(_is_local(each.name) or _is_stamp(each.name) for each in finding.attributes):
        return told(Code.SERVER_LOCAL, names=", ".join(sorted(local)))
    here, there = _csn(ours), _csn(theirs)
    if here is None or there is None:
        return None
    if setting.future(there) and there != here:
        return told(Code.FUTURE)
    if finding.kind is Kind.DIFFERS and all(_is_stamp(each.name) for each in finding.attributes):
        return told(Code.STAMPS_ONLY)
    if there.sid not in setting.provider and setting.provider:
        return _written(finding, there, setting)
    if finding.kind is Kind.IDENTITY:
        return _identity(finding, ours, theirs, setting)
    if here == there:
        return told(Code.SAME_STAMP)
    if (here.time, here.count) < (there.time, there.count):
        if here.sid != there.sid:
            return None
        return _overwritten(finding, there, setting) or told(Code.WENT_BACK, sign=_NEWER)
    if setting.blind:
        return _unfinished(setting)
    if not setting.consumer.covers(here):
        return None
    return told(Code.LOST_RENAME if finding.kind is Kind.RENAMED else Code.LOST_UPDATE)


def _unfinished(setting: Setting) -> Cause:
    """No contextCSN on the consumer, and something of the provider's is not there."""
    if _round(setting.consumer_entries):
        return told(Code.CUT_BY_LIMIT, likely=True, entries=str(setting.consumer_entries))
    return told(Code.UNFINISHED)


def _identity(finding: Finding, ours: Trace, theirs: Trace, setting: Setting) -> Cause | None:
    if not ours.created or not theirs.created:
        return None
    if ours.created > theirs.created:
        return told(Code.RECREATED)
    there = _csn(theirs)
    overwritten = _overwritten(finding, there, setting) if there else None
    if overwritten or ours.created == theirs.created:
        return overwritten
    return told(Code.WENT_BACK, likely=True, sign=_NEWER)


def _written(finding: Finding, csn: Csn, setting: Setting) -> Cause:
    """A server ID that the provider's contextCSN does not hold. Where the consumer's own does, that settles it."""
    if finding.consumer and finding.consumer.odd:
        return told(Code.FOREIGN_STAMP)
    why = f"server ID {csn.sid:03x} in its entryCSN is none of the provider's"
    return told(Code.WRITTEN, likely=csn.sid not in setting.consumer, why=why, who=_writer(finding))


def _overwritten(finding: Finding, csn: Csn, setting: Setting) -> Cause | None:
    """A stamp under the provider's server ID that is newer than what the consumer itself says it has received."""
    if csn.sid not in setting.consumer or setting.consumer.covers(csn) or setting.provider.covers(csn):
        return None
    why = "its entryCSN is newer than both contextCSNs, so no provider has sent it"
    return told(Code.WRITTEN, why=why, who=_writer(finding))


def _writer(finding: Finding) -> str:
    who = finding.consumer.modifier if finding.consumer else ""
    if _key(who) == _key(finding.consumer_dn):
        who = "the entry itself"  # many may change themselves, and are one group all the same
    return who or "not shown"


# -- what only shows in many findings ----------------------------------------------------------------------------------


def _along(finding: Finding, renamed: set[tuple[str, str]]) -> Cause | None:
    """An entry that only hangs below another renamed one."""
    if finding.kind is not Kind.RENAMED or finding.state is State.BEHIND:
        return None
    try:
        above = names.parent(finding.dn), names.parent(finding.consumer_dn)
        same = names.split(finding.dn)[0].lower() == names.split(finding.consumer_dn)[0].lower()
    except (ValueError, IndexError):
        return None
    return told(Code.MOVED_ALONG) if same and (_key(above[0]), _key(above[1])) in renamed else None


def _withheld(findings: Sequence[Finding]) -> frozenset[str]:
    """Attributes that several findings lack on the consumer altogether, under equal stamps, and that no finding has
    there with other values."""
    lacking: Counter[str] = Counter()
    held: set[str] = set()
    for finding in findings:
        if finding.kind is Kind.DIFFERS and finding.provider and finding.consumer:
            lacks = {name.lower() for name in finding.consumer.lacks}
            differing = {each.name.lower() for each in finding.attributes}
            held |= differing - lacks
            if finding.provider.csn == finding.consumer.csn:
                lacking.update(lacks)
    return frozenset(name for name, count in lacking.items() if count > 1 and name not in held)


def _without(finding: Finding, withheld: frozenset[str]) -> Cause | None:
    """A finding that consists of withheld attributes only."""
    if finding.kind is not Kind.DIFFERS or finding.state is State.BEHIND or not withheld:
        return None
    differing = sorted({each.name for each in finding.attributes}, key=str.lower)
    if not finding.provider or not finding.consumer or finding.provider.csn != finding.consumer.csn:
        return None
    if any(name.lower() not in withheld or _is_local(name) for name in differing):
        return None
    return told(Code.WITHHELD, likely=True, names=", ".join([n for n in differing if not _is_stamp(n)] or differing))


def _gone_back(findings: list[Finding]) -> list[Finding]:
    """Where some entries prove that the provider went back, what it lost and what came back with the old copy belong to
    the same story: a missing entry that is older than a lost version, an extra one that is not older."""
    proven = [finding for finding in findings if _has(finding, Code.WENT_BACK)]
    lost = [csn for csn in (_csn(finding.consumer) for finding in proven) if csn]
    if not lost:
        return findings
    first = {sid: min(csn for csn in lost if csn.sid == sid) for sid in {csn.sid for csn in lost}}
    last = CsnSet(lost)
    return [_in_that_story(finding, first, last) for finding in findings]


def _in_that_story(finding: Finding, first: Mapping[int, Csn], last: CsnSet) -> Finding:
    here, there = _csn(finding.provider), _csn(finding.consumer)
    if _has(finding, Code.LOST_ADD) and here and last.covers(here):
        return replace(finding, cause=told(Code.WENT_BACK, likely=True, sign=_BACK_AGAIN))
    if _has(finding, Code.LOST_DELETE) and there and there.sid in first and there >= first[there.sid]:
        return replace(finding, cause=told(Code.WENT_BACK, likely=True, sign=_LOST_THERE))
    return finding


def _has(finding: Finding, code: Code) -> bool:
    return finding.cause is not None and finding.cause.code == code


def _is_local(name: str) -> bool:
    base = name.partition(";")[0].lower()
    return base in SERVER_LOCAL


def _is_stamp(name: str) -> bool:
    return name.lower() in BOOKKEEPING


def _round(entries: int) -> bool:
    return entries >= _LIMITS and entries % _LIMITS == 0


def _csn(trace: Trace | None) -> Csn | None:
    try:
        return Csn.parse(trace.csn) if trace else None
    except ValueError:
        return None


def _key(dn: str) -> str:
    return dn.lower()
