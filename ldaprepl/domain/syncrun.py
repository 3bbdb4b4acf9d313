"""One run of `sync` as values: how it reads, how it writes, what it did.

The counts and names here are what reports and state are made of; a run that was refused has no report but an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ldaprepl.domain.change import Change, MaxDelete
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.plan import Refusal
from ldaprepl.domain.verdict import Problem
from ldaprepl.errors import ExitCode, LdapreplError


class Stale(LdapreplError):
    """The consumer is not as it was believed to be: read it again and plan anew."""


class Method(StrEnum):
    """How the provider is read."""

    AUTO = "auto"
    REFRESH = "refresh"
    SCAN = "scan"


class Mode(StrEnum):
    """How the consumer lets us write, best first."""

    UPDATEDN = "updatedn"  # every attribute, entryCSN and contextCSN too
    RELAX = "relax"  # entryUUID and stamps, not entryCSN
    PLAIN = "plain"  # user attributes only


# Canonical names that each mode cannot write (measured on 2.4.59, 2.5.13, 2.6.10)
UNWRITABLE: Mapping[Mode, frozenset[str]] = {
    Mode.UPDATEDN: frozenset(),
    Mode.RELAX: frozenset(("entrycsn", "structuralobjectclass")),
    Mode.PLAIN: frozenset(
        ("entryuuid", "entrycsn", "structuralobjectclass", "creatorsname", "createtimestamp", "modifiersname",
         "modifytimestamp", "pwdchangedtime", "pwdhistory")
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user wants. `audit` is in seconds: how old the last comparison of all UUIDs may be; None: never.

    `older_provider` lifts the two locks that keep us from following a provider that went back in time; `new_shape` the
    guard on the shape of the tree.
    """

    method: Method = Method.AUTO
    max_delete: MaxDelete = field(default_factory=MaxDelete)
    audit: float | None = 86400.0
    dry_run: bool = False
    older_provider: bool = False
    new_shape: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a listing: identity and age of an entry. `stamp` is entryCSN, or modifyTimestamp, or empty; `glue`
    for what stands for an entry that is not there."""

    dn: str
    uuid: str | None
    stamp: str
    glue: bool = False


@dataclass
class Tally:
    """What was done, in entries."""

    added: int = 0
    modified: int = 0
    renamed: int = 0
    deleted: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class SyncReport:
    """A run that came to its end. `why` says how the method was chosen; `changes` only for a dry run, and
    `objections` for which a real one would be refused, each with what it would take."""

    provider: str
    consumer: str
    base: str
    method: Method
    mode: Mode
    why: str
    tally: Tally
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    contextcsn: CsnSet = field(default_factory=CsnSet)
    changes: tuple[Change, ...] | None = None
    up_to_date: bool = False
    seconds: float = 0.0
    objections: tuple[Problem, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """A refused entry is a finding, and so is a run that would be refused."""
        return ExitCode.FINDING if self.refusals or self.objections else ExitCode.OK


Received = dict[str, Entry]
KeyOf = Callable[[str, str | None], str]
Changes = Iterable[Change]
