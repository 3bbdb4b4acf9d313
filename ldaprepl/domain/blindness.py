"""What one identity sees of a server and another does not: values only.

The replication identity is compared with an auditor who sees everything, on the same server. What is hidden from it no
consumer can ever get, however equal they look; that is not their loss, so it stands apart from their findings.
"""

from __future__ import annotations

from dataclasses import dataclass

from ldaprepl.domain.verdict import Problem, Verdict


@dataclass(frozen=True, slots=True)
class HiddenAttribute:
    """An attribute of which the replication identity lacks values, in so many entries; `first` is the DN of one."""

    name: str
    entries: int
    first: str


@dataclass(frozen=True, slots=True)
class Blindness:
    """What the replication identity (`who`) lacks of what the auditor (`auditor`) sees.

    `entries` are hidden as a whole, `first` names some of them. `expected` are names of attributes that may be hidden.
    `unseen` entries are seen by the replication identity only: such an auditor does not see everything.
    """

    who: str
    auditor: str
    entries: int = 0
    first: tuple[str, ...] = ()
    attributes: tuple[HiddenAttribute, ...] = ()
    expected: tuple[str, ...] = ()
    unseen: int = 0
    problem: Problem | None = None
    notes: tuple[str, ...] = ()

    @property
    def unexpected(self) -> tuple[HiddenAttribute, ...]:
        """The attributes that nobody said may be hidden."""
        return tuple(attribute for attribute in self.attributes if attribute.name not in self.expected)

    @property
    def verdict(self) -> Verdict:
        if self.problem:
            return Verdict.UNDECIDED
        return Verdict.DIVERGED if self.entries or self.unexpected else Verdict.EQUAL
