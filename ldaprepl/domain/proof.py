"""What a comparison proved, and whether the next one may build on it.

A proof says: at that moment, up to these CSNs, every entry of the scope was compared, on servers that had been started
then and then. Later only what has a newer entryCSN on either side has to be looked at, as long as nothing can have been
written with an older one. Whatever makes that doubtful (a restart, after which files may be others; a contextCSN that
went back or has other server IDs; another schema) is a reason to compare everything again, in words for the report.

How many entries went is not in any CSN. The sizes of the two databases tell: they differ by the findings and by an
`offset` (what is outside of the scope, or not shown), which stays the same as long as nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ldaprepl.domain.csn import Csn, CsnSet, sid_list
from ldaprepl.domain.duration import words
from ldaprepl.domain.ldapfilter import bracketed
from ldaprepl.domain.plural import counted
from ldaprepl.domain.verdict import Finding, Kind

MARGIN = timedelta(minutes=10)  # looked back further than necessary: clocks of two servers are never quite the same
_BEGINNING = datetime.min.replace(tzinfo=UTC) + MARGIN
EVERY_CSN = "(entryCSN>=00000101000000.000000Z#000000#000#000000)"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a server says of itself at one moment. `started` is when its process was, `schema` a digest of what it
    publishes; empty: not shown. `by_csn`: it finds entries by entryCSN for this identity."""

    csns: CsnSet = field(default_factory=CsnSet)
    started: str = ""
    schema: str = ""
    by_csn: bool = True


@dataclass(frozen=True, slots=True)
class Proof:
    """A comparison of one pair that came to its end at `at`; `full` is when everything was compared. `offset` None:
    not known. `unstamped` entries showed no entryCSN."""

    provider: Mark
    consumer: Mark
    at: datetime
    full: datetime
    offset: int | None = None
    unstamped: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """Both servers and the time now. `full_every` in seconds, None: never for that reason alone."""

    provider: Mark
    consumer: Mark
    at: datetime
    full_every: float | None = None


def doubt(proof: Proof | None, now: Moment) -> str:
    """Why everything has to be compared; empty when the changes are enough."""
    if proof is None:
        return "nothing proven is remembered of this pair"
    if proof.unstamped:
        return f"{counted(proof.unstamped)} showed no entryCSN, so that such changes cannot be looked for"
    if now.at < proof.at:
        return "the clock of this machine went back"
    age = (now.at - proof.full).total_seconds()
    if now.full_every is not None and age >= now.full_every:
        return f"the last comparison of everything is {words(age)} old"
    provider = _unlike("the provider", proof.provider, now.provider)
    return provider or _unlike("the consumer", proof.consumer, now.consumer)


def _unlike(who: str, then: Mark, now: Mark) -> str:
    """What keeps one server from being trusted to have only changes that its entryCSNs tell."""
    if not now.csns or not then.csns:
        return f"{who} shows no contextCSN"
    if not now.started:
        return f"{who} does not show when it was started"
    if now.started != then.started:
        return f"{who} was restarted, so that its data may have been changed or restored offline"
    if now.schema != then.schema:
        return f"the schema of {who} has changed"
    if not now.by_csn:
        return f"{who} does not find entries by their entryCSN for this identity"
    standing = now.csns.standing(then.csns)
    if standing.behind:
        return f"the contextCSN of {who} went back (server ID {sid_list(standing.behind)})"
    if standing.missing:
        return f"the contextCSN of {who} has lost server ID {sid_list(standing.missing)}"
    if standing.extra:
        return f"the contextCSN of {who} has a new server ID {sid_list(standing.extra)}"
    return ""


def changed_filter(filter: str, proof: Proof, now: Moment) -> str:
    """The filter for whatever may have changed since the proof, on either side.

    CSNs are found by their time, whatever server made them. A server ID that moved, on either side, may have brought
    changes as old as where it stood there; one that did not move brought none.
    """
    news = [*_moved(proof.provider.csns, now.provider.csns), *_moved(proof.consumer.csns, now.consumer.csns)]
    newest = max(csn.time for csn in (*proof.provider.csns.values(), *proof.consumer.csns.values()))
    since = max(min([newest, *(csn.time for csn in news)]), _BEGINNING) - MARGIN
    stamp = f"{since.year:04d}{since:%m%d%H%M%S.%f}Z#000000#000#000000"
    return f"(&{bracketed(filter)}(entryCSN>={stamp}))"


def _moved(then: CsnSet, now: CsnSet) -> Iterable[Csn]:
    """Where the server IDs that moved stood then."""
    return (csn for sid, csn in then.items() if sid in now and now[sid] != csn)


def balance(findings: Iterable[Finding]) -> int:
    """By how many entries the findings make the provider's side larger."""
    worth = {Kind.MISSING: 1, Kind.EXTRA: -1}
    return sum(worth.get(finding.kind, 0) for finding in findings)
