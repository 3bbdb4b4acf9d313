"""What a verification found: values only, the words that reports are made of.

The names and their texts are the contract of `verify --format json`. A finding is `lasting` when the consumer had every
chance to be right, `behind` when the provider's change is newer than what the consumer says it has. Whatever could not
be read is a `Problem`, and a side with a problem is `undecided`: nothing is called missing on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.repair import RepairReport
from ldaprepl.errors import ExitCode

if TYPE_CHECKING:
    from ldaprepl.domain.blindness import Blindness


class Kind(StrEnum):
    """The five ways in which an entry can be wrong on a consumer."""

    MISSING = "missing"  # only the provider has it
    EXTRA = "extra"  # only the consumer has it
    RENAMED = "renamed"  # same entryUUID, other DN
    DIFFERS = "differs"  # attribute values
    IDENTITY = "identity"  # same DN, other entryUUID


class State(StrEnum):
    """Whether time alone can mend a finding."""

    LASTING = "lasting"
    BEHIND = "behind"


class Since(StrEnum):
    """Whether the run before knew a finding."""

    NEW = "new"
    KNOWN = "known"


class How(StrEnum):
    """What a run looked at."""

    EVERYTHING = "everything"
    CHANGES = "changes"  # what either side changed since it was last proven, and the number of entries
    LIST = "changes and list"  # the same, and identity and age of every entry


class Late(StrEnum):
    """Which side has not had the change that made the difference, where the state is `behind`."""

    CONSUMER = "consumer"
    PROVIDER = "provider"  # its image is older than the consumer's, or the change travels towards it


class Verdict(StrEnum):
    """The sum of it, worst last in `worst`."""

    EQUAL = "equal"
    BEHIND = "behind"
    DIVERGED = "diverged"
    UNDECIDED = "undecided"

    @property
    def exit_code(self) -> ExitCode:
        return _EXIT[self]


_EXIT = {
    Verdict.EQUAL: ExitCode.OK,
    Verdict.BEHIND: ExitCode.BEHIND,
    Verdict.DIVERGED: ExitCode.FINDING,
    Verdict.UNDECIDED: ExitCode.UNDECIDED,
}


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict over several consumers: what could not be told hides nothing, so it outweighs all."""
    order = list(Verdict)
    return max(verdicts, key=order.index, default=Verdict.UNDECIDED)


@dataclass(frozen=True, slots=True)
class AttributeDifference:
    """Values of one attribute as each side sent them, without those that both have."""

    name: str
    provider: tuple[bytes, ...]
    consumer: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Cause:
    """Why, where it can be known: stable code, sentence, cure."""

    code: str
    text: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """What one side's entry tells of how it came to be, for whoever asks why. Texts are empty where it does not tell.

    `created` is kept only where two entries share a name. `odd`: the entryCSN is of a later second than the
    modifyTimestamp, which slapd makes from it (but not where a password policy counts failures).
    `lacks`: differing attributes of which it holds no value at all.
    """

    csn: str = ""
    modifier: str = ""
    created: str = ""
    glue: bool = False
    odd: bool = False
    lacks: tuple[str, ...] = ()
    subentry: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One entry that is not the same. `dn` is the provider's DN, the consumer's for `extra`. The traces are those of
    the sides that have the entry, and no part of what the finding is."""

    kind: Kind
    dn: str
    consumer_dn: str = ""
    uuid: str = ""
    state: State = State.LASTING
    attributes: tuple[AttributeDifference, ...] = ()
    cause: Cause | None = None
    provider: Trace | None = field(default=None, compare=False, repr=False)
    consumer: Trace | None = field(default=None, compare=False, repr=False)
    since: Since | None = None  # None: nothing is remembered
    late: Late = Late.CONSUMER  # of meaning where the state is `behind`

    @property
    def key(self) -> str:
        """Which entry it is about: the entryUUID, or the DN of one that has none."""
        return self.uuid or self.dn


@dataclass(frozen=True, slots=True)
class Reach:
    """What a run looked at, why that much, and since when the rest is taken as proven (UTC, ISO 8601)."""

    how: How
    why: str = ""
    proven: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What stands in the way, a side that cannot be judged mostly: one sentence and its cure."""

    text: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class ConsumerReport:
    """One consumer against the provider. Counts are of entries."""

    uri: str
    contextcsn: CsnSet = field(default_factory=CsnSet)
    provider_entries: int = 0
    consumer_entries: int = 0
    equal: int = 0
    settled: int = 0  # suspects that were equal at the second look
    findings: tuple[Finding, ...] = ()
    problem: Problem | None = None
    notes: tuple[str, ...] = ()
    repair: RepairReport | None = None
    resolved: tuple[Finding, ...] = ()  # findings of the run before that are none any more, without their values
    reach: Reach | None = None  # None: everything, and nothing is remembered
    against: str = ""  # the server in the provider's place, where it is not the report's: a pair of a mesh

    @property
    def verdict(self) -> Verdict:
        if self.problem:
            return Verdict.UNDECIDED
        if any(finding.state is State.LASTING for finding in self.findings):
            return Verdict.DIVERGED
        return Verdict.BEHIND if self.findings else Verdict.EQUAL


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """A whole verification. `name` tells it from others of the same run: a stanza's number, a replica's name."""

    base: str
    provider: str
    contextcsn: CsnSet
    consumers: tuple[ConsumerReport, ...]
    seconds: float = 0.0
    name: str = ""
    blindness: Blindness | None = None  # what an auditor sees and the replication identity does not

    @property
    def verdict(self) -> Verdict:
        blind = [self.blindness.verdict] if self.blindness else []
        return worst([*(consumer.verdict for consumer in self.consumers), *blind])
