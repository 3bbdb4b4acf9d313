"""What became of a repair, as values: part of a consumer's report.

A repair is planned for findings, not for changes: one finding may take several changes, and one change (the renaming of
a container) may heal many findings. `healed` is what a second verification of just those entries found equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `change` knows the verdict, which holds a repair
    from ldaprepl.domain.change import Change


class RepairMode(StrEnum):
    """Who mends, and where."""

    LDIF = "ldif"  # the user, on the consumer
    TOUCH = "touch"  # native syncrepl, after a write on the provider that changes nothing
    APPLY = "apply"  # we, on the consumer


@dataclass(frozen=True, slots=True)
class Unrepaired:
    """An entry that is not repaired, and why."""

    dn: str
    reason: str
    uuid: str = ""

    @property
    def key(self) -> str:
        """That of its finding: another entry may have this DN on the other side."""
        return self.uuid or self.dn


@dataclass(frozen=True, slots=True)
class RepairReport:
    """The repair of one consumer. `planned`, `done` and `healed` count findings.

    `changes` are all changes in the order in which they must be made, on the consumer, or for a touch on the provider;
    `written` says how (`syncrun.Mode`; empty for a touch). `halted` is why nothing was done at all.
    """

    mode: RepairMode
    acted: bool = False
    planned: int = 0
    done: int = 0
    healed: int = 0
    refused: tuple[Unrepaired, ...] = ()
    changes: tuple[Change, ...] = ()
    written: str = ""
    native: bool = False  # the consumer takes writes from its updatedn, or from nobody
    relax: bool = False  # the changes need the Relax control
    notes: tuple[str, ...] = ()
    halted: str = ""
    cure: str = ""
