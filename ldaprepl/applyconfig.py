"""Apply a consumer to a live cn=config: look at what is there, say what would change, change it, look again.

Nothing is written that is there already, so a second run changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ldaprepl.domain import applyplan, configdiff, schemagap
from ldaprepl.domain.applyplan import Survey
from ldaprepl.domain.configdiff import ConfigChange
from ldaprepl.domain.consumerplan import ConsumerPlan
from ldaprepl.domain.ldif import Record
from ldaprepl.domain.plural import counted
from ldaprepl.domain.provider import Finding, Outcome, Severity
from ldaprepl.domain.schemagap import Published
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.version import Version
from ldaprepl.errors import LdapreplError
from ldaprepl.ports import DirectoryReader, LiveConfig

_FEW: Final = 100  # definitions that are asked for in one filter


def survey(config: LiveConfig, suffix: str) -> Survey:
    """What the server has for this suffix. Raises `LdapreplError`."""
    return applyplan.survey(config.entries(), suffix)


def missing_schema(
    provider: DirectoryReader, scope: ReplicationScope, provided: Published, held: Published
) -> Finding | None:
    """An error when entries in scope use what the consumer's schema does not have: it would stop at the first. So it
    is when the provider does not let them be counted."""
    lacking = schemagap.lacking(provided, held)
    for first in range(0, len(lacking), _FEW):
        some = lacking[first : first + _FEW]
        used = provider.count(scope, f"(&{scope.filter}{schemagap.user_filter(some)})", lambda _: None)
        if used.outcome is Outcome.SUCCESS and not used.entries:
            continue
        names = ", ".join(each.name for each in some[:8]) + (", …" if len(lacking) > 8 else "")
        count = f"{counted(used.entries)} in scope {'uses' if used.entries == 1 else 'use'}"
        if used.outcome is not Outcome.SUCCESS:
            count += f", or more ({provider.uri} cut the answer: {used.outcome})"
        cure = "Load the provider's schema at the consumer first (ldapadd the file from slapd's schema folder)."
        text = f"the consumer's schema lacks what {count} (among: {names})"
        return Finding("schema-missing", Severity.ERROR, text, cure)
    return None


def foreign_data(provider: DirectoryReader, consumer: DirectoryReader, scope: ReplicationScope) -> Finding | None:
    """An error when the consumer's base entry is there and is not the provider's: the refresh would delete it all.

    Only what the identity may read there is known; nothing is said of what it may not.
    """
    ours, theirs = (
        reader.look(base, ("entryUUID",)).entry
        for reader, base in ((provider, scope.base), (consumer, scope.consumer_base))
    )
    if ours is None or theirs is None or ours.uuid is None or ours.uuid == theirs.uuid:
        return None
    text = f"the consumer holds {scope.consumer_base} already, and not the provider's: its entries would be deleted"
    cure = "Empty that database first, or load it with --seed; replication keeps nothing that is not at the provider."
    return Finding("foreign-data", Severity.ERROR, text, cure)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall be there: change records of a part, and a stanza in the database that is there."""

    records: tuple[Record, ...]
    plan: ConsumerPlan | None
    version: Version

    def changes(self, found: Survey) -> list[ConfigChange]:
        """What is not there yet. Raises `StanzaRefused`."""
        stanza = applyplan.changes(found, self.plan, self.version) if self.plan else ()
        return [*configdiff.missing(self.records, found.held), *stanza]


def apply(
    config: LiveConfig, wanted: Wanted, found: Survey, agreed: Callable[[list[ConfigChange]], bool]
) -> bool | None:
    """Write what is missing if `agreed` says so. True: changed, False: not agreed, None: nothing to do.

    Raises `GuardRefused` when the server refuses, `LdapreplError` when what was written is not there afterwards.
    """
    changes = wanted.changes(found)
    if not changes:
        return None
    if not agreed(changes):
        return False
    for change in changes:
        config.change(change)
    if wanted.changes(survey(config, found.suffix)):
        raise LdapreplError(f"{config.uri} took the changes, but shows something else now", "Look at it with lint.")
    return True
