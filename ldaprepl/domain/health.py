"""How well replication is: values only, what `check` observes and what it concludes.

Per server ID a consumer is equal, behind, ahead, missing (it has no stamp of that ID) or extra (only it has one).
Behind is measured in what matters: how many changes the consumer lacks, and the age of the oldest of them. The distance
between two contextCSN values is no lag: after a quiet weekend one write makes it two days. `judgement` has the rules.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple

from ldaprepl.domain.csn import Csn, CsnSet


class Status(IntEnum):
    """Service states of the Nagios plugin guidelines; the number is the exit code of `check`."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


_RANK = (Status.OK, Status.UNKNOWN, Status.WARNING, Status.CRITICAL)


def worst(statuses: Iterable[Status]) -> Status:
    """The worst wins. An alarm outweighs what could not be told, as in the guidelines' own `max_state_alt`."""
    return max(statuses, key=_RANK.index, default=Status.OK)


class Criterion(StrEnum):
    """What can be found. The names are those of `--severity` and of the JSON report."""

    LAG = "lag"  # thresholds decide
    AHEAD = "ahead"
    EXTRA = "extra"
    UNFINISHED = "unfinished"  # the consumer has no contextCSN: its first refresh has not ended
    NO_CSN = "no-csn"  # the provider has none: nothing to compare with
    UNREACHABLE = "unreachable"
    REFUSED = "refused"  # TLS or bind
    UNREADABLE = "unreadable"  # an answer that is none
    CERTIFICATE = "certificate"  # thresholds decide
    SYNCREPL = "syncrepl"  # cn=monitor says that the consumer has given up
    CLOCK = "clock"
    SAMPLE = "sample"
    CANARY = "canary"  # thresholds decide


SEVERITY: Mapping[Criterion, Status] = {
    Criterion.AHEAD: Status.CRITICAL,
    Criterion.EXTRA: Status.WARNING,
    Criterion.UNFINISHED: Status.CRITICAL,
    Criterion.NO_CSN: Status.UNKNOWN,
    Criterion.UNREACHABLE: Status.CRITICAL,
    Criterion.REFUSED: Status.UNKNOWN,
    Criterion.UNREADABLE: Status.UNKNOWN,
    Criterion.SYNCREPL: Status.CRITICAL,
    Criterion.CLOCK: Status.WARNING,
    Criterion.SAMPLE: Status.CRITICAL,
    Criterion.CANARY: Status.UNKNOWN,  # it could not be let go; one that is late has thresholds
}


class Policy(NamedTuple):
    """Thresholds in seconds. `severity` replaces what SEVERITY says."""

    warning: float = 60.0
    critical: float = 300.0
    certificate_warning: float = 14 * 86400.0
    certificate_critical: float = 3 * 86400.0
    skew: float = 30.0
    severity: Mapping[Criterion, Status] = {}

    def status(self, criterion: Criterion) -> Status:
        """How bad a criterion without thresholds is."""
        return self.severity.get(criterion, SEVERITY.get(criterion, Status.CRITICAL))

    def of_lag(self, seconds: float) -> Status:
        """How bad a lag is."""
        if seconds >= self.critical:
            return Status.CRITICAL
        return Status.WARNING if seconds >= self.warning else Status.OK


class Trouble(NamedTuple):
    """Why a server could not be asked, or gave no contextCSN."""

    criterion: Criterion
    text: str
    cure: str = ""


class SyncState(NamedTuple):
    """What cn=monitor of 2.5 and later says of one syncrepl stanza (class olmSyncReplInstance)."""

    rid: str
    phase: str
    connected: bool
    next_connect: datetime | None
    last_contact: datetime | None

    @property
    def quit(self) -> bool:
        """Neither connected nor going to be: it has given up for good."""
        return not self.connected and self.next_connect is None


class Vitals(NamedTuple):
    """What else a server tells. `skew` is its clock minus ours in seconds, None where it does not say."""

    certificate_end: datetime | None = None
    skew: float | None = None
    syncrepl: tuple[SyncState, ...] = ()


class Sight(NamedTuple):
    """One server as it was seen: its contextCSN and the DN where it stands, or the trouble."""

    csns: CsnSet = CsnSet()
    suffix: str = ""
    trouble: Trouble | None = None


class Lacking(NamedTuple):
    """The changes of one server ID that a consumer lacks, as the provider's entries show them. Deletes leave no entry.

    `entries` of them, the oldest stamp among them; not `complete`: there may be more, because the answer was cut, or
    the query failed, or the identity is not shown what it asks by.
    """

    entries: int = 0
    oldest: Csn | None = None
    complete: bool = True


class Standing(StrEnum):
    """Where a consumer stands with one server ID."""

    EQUAL = "equal"
    BEHIND = "behind"
    AHEAD = "ahead"
    MISSING = "missing"
    EXTRA = "extra"
    UNKNOWN = "unknown"  # a provider could not be read, and without it this would be ahead or extra


class SidHealth(NamedTuple):
    """One server ID on one server.

    `newest` is the newest stamp that a provider (`holder`) has, `held` ours. `lag` is the age in seconds of the oldest
    change known to be lacking, None where nothing is; `exact` False: it may be older. `changes` are entries; None
    where none were seen, which proves nothing; `every` False: more may be lacking than were seen.
    """

    sid: int
    standing: Standing
    newest: Csn | None = None
    held: Csn | None = None
    holder: str = ""
    lag: float | None = None
    changes: int | None = 0
    exact: bool = True
    every: bool = True

    @property
    def name(self) -> str:
        """As in a CSN: three hexadecimal digits."""
        return f"{self.sid:03x}"


class Finding(NamedTuple):
    """One thing to say about a server. Texts are sentences without a final full stop."""

    criterion: Criterion
    status: Status
    text: str
    cure: str = ""


class ServerHealth(NamedTuple):
    """One server. `judged`: its state of replication was compared, which is not so for a single provider."""

    uri: str
    provider: bool
    judged: bool
    csns: CsnSet = CsnSet()
    sids: tuple[SidHealth, ...] = ()
    findings: tuple[Finding, ...] = ()
    vitals: Vitals = Vitals()
    notes: tuple[str, ...] = ()
    canary: float | None = None  # seconds from the provider's answer to the change's arrival

    @property
    def status(self) -> Status:
        return worst(finding.status for finding in self.findings)

    @property
    def reached(self) -> bool:
        """Whether its contextCSN could be read."""
        return bool(self.csns)

    @property
    def lag(self) -> float | None:
        """Seconds; 0 when nothing is lacking, None when that is not known: nobody was there to compare with."""
        if not self.reached or (self.sids and all(sid.newest is None for sid in self.sids)):
            return None
        return max((sid.lag for sid in self.sids if sid.lag is not None), default=0.0)

    @property
    def changes(self) -> int | None:
        """Entries that are lacking, as far as they were seen; None when that is not known."""
        seen = sum(sid.changes or 0 for sid in self.sids)
        unknown = self.lag is None or (not seen and any(sid.changes is None for sid in self.sids))
        return None if unknown else seen


class Health(NamedTuple):
    """All servers of one base at one moment (UTC). `seconds` is how long the look took."""

    base: str
    at: datetime
    servers: tuple[ServerHealth, ...]
    seconds: float = 0.0

    @property
    def status(self) -> Status:
        return worst(server.status for server in self.servers)

    @property
    def judged(self) -> tuple[ServerHealth, ...]:
        return tuple(server for server in self.servers if server.judged)

    @property
    def sids(self) -> tuple[int, ...]:
        """Every server ID that anybody knows."""
        return tuple(sorted({sid for server in self.servers for sid in server.csns}))
