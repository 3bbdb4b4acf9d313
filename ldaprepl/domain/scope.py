"""What should be on the consumer: the replication scope.

One value used by every command, so that what is set up, what is copied and what is compared can never disagree. The
words are those of the `syncrepl` keywords in slapd.conf(5): searchbase, scope, filter, attrs, exattrs, attrsonly,
suffixmassage.
"""

from enum import StrEnum
from typing import NamedTuple

MATCH_ALL = "(objectClass=*)"
EVERY_ATTRIBUTE = ("*", "+")
BOOKKEEPING = frozenset(("entrycsn", "modifytimestamp", "modifiersname", "createtimestamp", "creatorsname"))
STAMPS = ("entryUUID", "entryCSN", "modifyTimestamp")  # who an entry is, and what moves with every change of it


class Scope(StrEnum):
    """Search scope (RFC 4511, section 4.5.1.2; `subord` is the subordinate scope of OpenLDAP)."""

    BASE = "base"
    ONE = "one"
    SUB = "sub"
    SUBORD = "subord"


class ReplicationScope(NamedTuple):
    """The part of the provider's tree that a consumer holds.

    `base` is a DN on the provider; `suffixmassage`, where not empty, is the DN that takes its place on the consumer.
    `attrs` and `exattrs` are attribute descriptions, `*`, `+` or `@class`.
    """

    base: str
    scope: Scope = Scope.SUB
    filter: str = MATCH_ALL
    attrs: tuple[str, ...] = EVERY_ATTRIBUTE
    exattrs: tuple[str, ...] = ()
    attrsonly: bool = False
    suffixmassage: str = ""

    @property
    def consumer_base(self) -> str:
        """The same base as the consumer names it."""
        return self.suffixmassage or self.base
