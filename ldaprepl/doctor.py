"""Doctor: look at each server as configured, all at once, and say what was found side by side.

The probes are those of `init-consumer` (rights, limits, sync) and of `check` (certificate, clock, stanzas), so that
doctor never says anything else than they. A server that cannot be asked is a finding, not the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from ldaprepl.domain.doctor import Channel, Diagnosis, Facts, Writes, diagnose
from ldaprepl.domain.health import Vitals
from ldaprepl.domain.provider import Access, Method
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.verdict import Problem
from ldaprepl.errors import LdapreplError, UsageError
from ldaprepl.init_consumer import examine
from ldaprepl.ports import DirectoryReader, Progress

_OWN_TREES = ("cn=config", "cn=monitor", "cn=accesslog")


class Patient(Protocol):
    """One server that is looked at. Methods raise `LdapreplError`."""

    @property
    def uri(self) -> str: ...

    @property
    def access(self) -> Access:
        """Who we are there, and how we come there."""

    def connect(self) -> Channel:
        """Connect, secure and bind."""

    @property
    def reader(self) -> DirectoryReader:
        """The server, once it is connected."""

    def whoami(self) -> str | None:
        """The authorization identity that the server has for us (RFC 4532); None when it does not know the question."""

    def writes(self, base: str) -> tuple[Writes, str]:
        """What happens to a change of an entry below `base` that does not exist; where it refers to."""

    def vitals(self, base: str) -> Vitals:
        """Clock and state of syncrepl, as far as it tells."""


Member = tuple[Patient, bool]  # and whether it is a provider


@dataclass(frozen=True, slots=True)
class Tools:
    """The real world: the clock, and `together` applies a function to all servers at once."""

    now: Callable[[], datetime]
    together: Callable[[Callable[[Member], Facts], Sequence[Member]], list[Facts]]
    progress: Progress


def doctor(members: Sequence[Member], scope: ReplicationScope, tools: Tools) -> Diagnosis:
    """Look at every server. An empty base means the first naming context that each server shows.

    Raises `UsageError` for a base or filter that is none.
    """
    return diagnose(tools.together(lambda member: _look(*member, scope, tools.progress), members), tools.now())


def _look(patient: Patient, provider: bool, scope: ReplicationScope, progress: Progress) -> Facts:
    facts = Facts(patient.uri, provider, patient.access)
    try:
        facts = replace(facts, channel=patient.connect())
        facts = replace(facts, whoami=patient.whoami())
        base = scope.base if provider else scope.consumer_base
        base = base or _first_context(patient.reader)
        if not base:
            return facts
        here = scope._replace(base=base, suffixmassage="")
        profile = examine(patient.reader, _as_told(facts), here, progress)
        writes, refers = patient.writes(base)
        return replace(
            facts, base=base, profile=profile, writes=writes, refers=refers, vitals=patient.vitals(base)
        )  # fmt: skip
    except UsageError:
        raise
    except LdapreplError as error:
        return replace(facts, trouble=Problem(error.message, error.cure))


def _first_context(reader: DirectoryReader) -> str:
    entry = reader.look("", ("namingContexts",)).entry
    contexts = entry.texts("namingContexts") if entry else ()
    return next((name for name in contexts if name and name.lower() not in _OWN_TREES), "")


def _as_told(facts: Facts) -> Access:
    """The access with the DN that the server knows us by, so that a cure names it."""
    name = (facts.whoami or "").removeprefix("dn:")
    if not (facts.whoami or "").startswith("dn:") or not name:
        return facts.access
    return replace(facts.access, method=Method.SIMPLE, dn=name)
