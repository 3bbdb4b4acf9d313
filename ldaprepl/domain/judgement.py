"""The rules by which `check` judges: from what was seen to findings with a status.

Order of reading is part of the rules. The providers are read before and after the consumer: it is behind only in what a
provider had before it was asked, and ahead only in what no provider has afterwards, so a busy provider is neither.

What a consumer owes. The provider's entries show the changes that are lacking, but an entry changed again and again
always looks young, and a delete leaves no entry. So the oldest stamp known to be lacking is remembered from run to run
(`Debt`) until the consumer's contextCSN covers it. Without a memory the age is a lower bound, and called so.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ldaprepl.domain.csn import Csn, CsnSet
from ldaprepl.domain.duration import words
from ldaprepl.domain.health import (
    Criterion,
    Finding,
    Lacking,
    Policy,
    ServerHealth,
    SidHealth,
    Sight,
    Standing,
    Trouble,
    Vitals,
)
from ldaprepl.domain.plural import counted

Key = tuple[str, int]  # URI and server ID
_UNSEEN = "the provider did not show what is lacking"


class Debt(NamedTuple):
    """The oldest change known to be lacking, and since when (UTC) it is known."""

    csn: Csn
    since: datetime


class Reference(NamedTuple):
    """What the providers have. `whole` False: not every provider could be read, so more may be true than is known."""

    before: Mapping[int, tuple[Csn, str]]
    after: CsnSet
    whole: bool = True

    @classmethod
    def of(cls, before: Mapping[str, Sight], after: Mapping[str, Sight]) -> "Reference":
        """From the sights of the providers by URI, taken before and after the consumers were read."""
        newest: dict[int, tuple[Csn, str]] = {}
        for uri, sight in before.items():
            for sid, csn in sight.csns.items():
                if sid not in newest or newest[sid][0] < csn:
                    newest[sid] = (csn, uri)
        together = CsnSet(csn for sight in (*before.values(), *after.values()) for csn in sight.csns.values())
        readable = all(sight.csns for sight in (*before.values(), *after.values()))
        return cls(newest, together, readable)

    def standing(self, sid: int, held: CsnSet) -> Standing:
        """Where a server with these stamps stands with one server ID."""
        ours = held.get(sid)
        if ours is None:
            return Standing.MISSING
        if sid not in self.after:
            return Standing.EXTRA if self.whole else Standing.UNKNOWN
        if sid in self.before and ours < self.before[sid][0]:
            return Standing.BEHIND
        if ours > self.after[sid]:
            return Standing.AHEAD if self.whole else Standing.UNKNOWN
        return Standing.EQUAL

    def sids(self, held: CsnSet) -> list[int]:
        """Every server ID that is to be judged."""
        return sorted({*self.before, *held})


class Evidence(NamedTuple):
    """All that is known of one server when it is judged. `lacking` and `debts` are by server ID.

    `partial`: only a part of the provider's tree is replicated, so a stamp may stand for a change that does not concern
    this consumer; 2.4 and 2.5 do not pass on the stamp of a delete that a filter leaves out.
    """

    uri: str
    provider: bool
    sight: Sight
    lacking: Mapping[int, Lacking] = {}
    debts: Mapping[int, Debt] = {}
    partial: bool = False


def settle(evidence: Evidence, reference: Reference, now: datetime) -> dict[int, Debt]:
    """What the server owes now, by server ID: older debts stay until they are covered."""
    debts: dict[int, Debt] = {}
    held = evidence.sight.csns
    for sid, (newest, _) in reference.before.items():
        if not held or held.covers(newest):
            continue
        lacking = evidence.lacking.get(sid, Lacking())
        known = evidence.debts.get(sid)
        if known is not None and held.covers(known.csn):
            known = None
        if evidence.partial and lacking.oldest is None:
            if known is not None and not lacking.complete:
                debts[sid] = known
            continue  # nothing in its scope is lacking, as far as the provider's entries show
        found = min([newest, *([lacking.oldest] if lacking.oldest else [])])
        if known is None:
            debts[sid] = Debt(found, now)
        else:
            debts[sid] = Debt(min(known.csn, found), min(known.since, now))
    return debts


def unpaid(evidence: Evidence) -> dict[int, Debt]:
    """What it owed before and has not got since, whoever could be read this time."""
    held = evidence.sight.csns
    return {sid: debt for sid, debt in evidence.debts.items() if not held.covers(debt.csn)}


def judge(
    evidence: Evidence, reference: Reference, debts: Mapping[int, Debt], policy: Policy, now: datetime
) -> ServerHealth:
    """Compare one server with the providers. `debts` is what `settle` gave."""
    held = evidence.sight.csns
    if not held:
        return ServerHealth(evidence.uri, evidence.provider, True, findings=_troubles(evidence.sight.trouble, policy))
    sids = tuple(_sid(sid, evidence, reference, debts.get(sid), now) for sid in reference.sids(held))
    notes = []
    findings = _lag(sids, policy)
    if reference.whole and not evidence.provider:
        findings += _foreign(sids, policy)
    elif not reference.before and not evidence.provider:
        notes.append("no provider could be read, so nothing can be said of lag")
    outside = [sid for sid in sids if sid.standing in (Standing.BEHIND, Standing.MISSING) and sid.lag is None]
    if any(sid.changes is None for sid in outside):
        notes.append(f"the provider is ahead, but whether in its scope cannot be told: {_UNSEEN}")
    elif outside:
        notes.append("nothing in its scope is lacking; what the provider is ahead are deletes or changes outside")
    return ServerHealth(evidence.uri, evidence.provider, True, held, sids, tuple(findings), notes=tuple(notes))


def bystander(uri: str, sight: Sight, policy: Policy) -> ServerHealth:
    """A provider that there is nothing to compare with."""
    return ServerHealth(uri, True, False, sight.csns, findings=_troubles(sight.trouble, policy))


def vital_findings(vitals: Vitals, csns: CsnSet, policy: Policy, now: datetime) -> tuple[Finding, ...]:
    """What certificate, clock and cn=monitor give reason to say."""
    findings = []
    if vitals.certificate_end is not None:
        left = (vitals.certificate_end - now).total_seconds()
        text = f"its certificate ends in {words(left)}" if left > 0 else "its certificate has expired"
        findings += _below(left, text, policy)
    skew = vitals.skew if vitals.skew is not None else _ahead_of_time(csns, now)
    if abs(skew) > policy.skew:
        direction = "ahead of" if skew > 0 else "behind"
        text = f"its clock is {words(abs(skew))} {direction} ours"
        findings.append(_finding(Criterion.CLOCK, policy, text, "Stamps order changes by clock: synchronise clocks."))
    for state in vitals.syncrepl:
        if state.quit:
            text = f"syncrepl rid={state.rid} is not connected and will not try again"
            findings.append(_finding(Criterion.SYNCREPL, policy, text, "Its log says why; restart it after the cure."))
    return tuple(findings)


def _below(left: float, text: str, policy: Policy) -> list[Finding]:
    thresholds = Policy(-policy.certificate_warning, -policy.certificate_critical)
    status = thresholds.of_lag(-left)
    return [Finding(Criterion.CERTIFICATE, status, text, "Renew it.")] if status else []


def _ahead_of_time(csns: CsnSet, now: datetime) -> float:
    """A stamp from the future shows a fast clock, also where the server does not tell the time."""
    newest = max((csn.time for csn in csns.values()), default=now)
    return max(0.0, (newest - now).total_seconds())


def _sid(sid: int, evidence: Evidence, reference: Reference, debt: Debt | None, now: datetime) -> SidHealth:
    newest, holder = reference.before.get(sid, (reference.after.get(sid), ""))
    standing = reference.standing(sid, evidence.sight.csns)
    lacking = evidence.lacking.get(sid, Lacking())
    lag = None if debt is None else max(0.0, (now - min(debt.csn.time, debt.since)).total_seconds())
    exact = debt is not None and lacking.complete and lacking.oldest is not None and lacking.oldest <= debt.csn
    held = evidence.sight.csns.get(sid)
    late = debt is not None or standing in (Standing.BEHIND, Standing.MISSING)
    changes = (lacking.entries or (0 if lacking.complete else None)) if late else 0
    every = lacking.complete or not late
    return SidHealth(sid, standing, newest, held, holder, lag, changes, exact or debt is None, every)


def _lag(sids: Sequence[SidHealth], policy: Policy) -> list[Finding]:
    late = [sid for sid in sids if sid.lag is not None]
    if not late:
        return []
    worst = max(late, key=lambda sid: sid.lag or 0.0)
    seconds = worst.lag or 0.0
    changes = sum(sid.changes or 0 for sid in late)
    bound = "" if worst.exact else "at least "
    if changes:
        least = "" if all(sid.every for sid in late) else "at least "
        what = f"{least}{counted(changes, 'change')} behind, the oldest {bound}{words(seconds)} old"
    elif any(sid.changes is None for sid in late):
        what = f"behind for {bound}{words(seconds)}; {_UNSEEN}"
    else:
        what = f"behind by deletes only, for {bound}{words(seconds)}"
    names = ", ".join(sid.name for sid in late)
    text = f"{what} (server ID{'s' * (len(late) > 1)} {names})"
    cure = "Look at the consumer's log for its syncrepl stanza; verify shows which entries are concerned."
    return [Finding(Criterion.LAG, policy.of_lag(seconds), text, cure)]


def _foreign(sids: Sequence[SidHealth], policy: Policy) -> list[Finding]:
    findings = []
    for sid in sids:
        if sid.standing is Standing.AHEAD and sid.newest and sid.held:
            distance = words((sid.held.time - sid.newest.time).total_seconds())
            text = f"ahead of the provider in server ID {sid.name}, by {distance}"
            cure = (
                "The provider went back (crash, restored backup), or something writes here under its server ID. Until"
                " the provider's next write the consumer is refused; what it has beyond stays different: run verify."
            )
            findings.append(_finding(Criterion.AHEAD, policy, text, cure))
        elif sid.standing is Standing.EXTRA:
            text = f"has server ID {sid.name}, which no provider knows"
            cure = "Something writes here and never reaches the provider, or a retired server left its stamp."
            findings.append(_finding(Criterion.EXTRA, policy, text, cure))
    return findings


def _troubles(trouble: Trouble | None, policy: Policy) -> tuple[Finding, ...]:
    return () if trouble is None else (_finding(trouble.criterion, policy, trouble.text, trouble.cure),)


def _finding(criterion: Criterion, policy: Policy, text: str, cure: str = "") -> Finding:
    return Finding(criterion, policy.status(criterion), text, cure)
