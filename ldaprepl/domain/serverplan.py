"""Consumers as blueprints: the part for one that is there, the whole of a new one, a node of a mirror pair, and the
consumer that `ldaprepl sync` writes to.

Which wording a release takes is decided here: `mirrormode` up to 2.4 and `multiprovider` from 2.5 on, behind the
stanzas up to 2.6 (2.7 takes both places).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ldaprepl.domain.blueprint import Blueprint, Database, Line, Places, Schemas
from ldaprepl.domain.consumerplan import ConsumerPlan
from ldaprepl.domain.provider import Access
from ldaprepl.domain.providerplan import (
    INDEXES,
    admin,
    base_lines,
    passwords_closed,
    replica_dn,
    replica_lines,
    syncprov,
)
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.version import Version

_V25: Final = Version(2, 5, 0)
_UPDATEREF: Final = "where clients are sent that want to write here"


@dataclass(frozen=True, slots=True)
class Target:
    """The consumer that is written for.

    `suffix` of its database; `version` of its slapd; `whole`: the server is new, `fresh`: only the database is, else
    the lines are for one that is there; `provides`: it will be a provider itself. `rootpw` is written for a new server
    as it stands (a hash), and its `modules` are loaded beside back_mdb.
    """

    suffix: str
    version: Version
    whole: bool = False
    fresh: bool = False
    provides: bool = False
    directory: str = "/var/lib/ldap"
    schemas: Schemas = field(default_factory=Schemas)
    places: Places = field(default_factory=Places)
    rootpw: Secret | None = None
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Content:
    """What one kind of consumer brings to its database, in addition to what all have."""

    plans: tuple[ConsumerPlan, ...] = ()
    after: tuple[Line, ...] = ()
    ids: tuple[Line, ...] = ()
    own: tuple[Line, ...] = ()


def consumer(plan: ConsumerPlan, access: Access, target: Target) -> Blueprint:
    """A consumer of native syncrepl. Raises `UsageError` when it shall provide and the identity has no DN."""
    after = (Line.of("updateref", plan.updateref, why=_UPDATEREF),) if plan.updateref else ()
    heading = f"Consumer of {plan.stanza.provider}, by ldaprepl init-consumer."
    return _server(heading, access, target, _Content((plan,), after))


def mirror(plans: tuple[ConsumerPlan, ...], access: Access, target: Target) -> Blueprint:
    """One configuration for all nodes: each ignores the stanza that names itself."""
    heading = (
        f"Each of {', '.join(plan.stanza.provider for plan in plans)}, by ldaprepl init-consumer: the same for all."
    )
    word = "multiprovider" if target.version >= _V25 else "mirrormode"
    after = (Line.of(word, "TRUE", why="clients may write here, although the database is a consumer"),)
    why = "start each node with exactly its own of these URLs (slapd -h): that tells it who it is"
    ids = tuple(
        Line.of("serverID", str(number), plan.stanza.provider, why=why if number == 1 else "")
        for number, plan in enumerate(plans, 1)
    )
    return _server(heading, access, target, _Content(plans, after, ids))


def written_by_sync(updatedn: str, provider: str, access: Access, target: Target) -> Blueprint:
    """The consumer of `ldaprepl sync`: one identity may write everything, all others nothing."""
    dn = updatedn or admin(target.suffix)
    why = "the identity of ldaprepl sync: it alone may write, entryUUID, entryCSN and all the rest too"
    after = (Line.of("updatedn", dn, why=why), Line.of("updateref", provider, why=_UPDATEREF))
    own: tuple[Line, ...] = ()
    if target.whole and not target.rootpw and dn == admin(target.suffix):
        after = (Line(after[0].name, after[0].words, f"{why}; it needs a rootpw, which slappasswd makes"), after[1])
    if dn != admin(target.suffix):
        own = (
            Line.of("limits", ("dn.exact", dn), "size=unlimited", "time=unlimited", why="it reads what is there"),
            Line.of("access", "to", "*", "by", ("dn.exact", dn), "write", "by", "*", "break"),
        )
    heading = f"Consumer of {provider} for ldaprepl sync, by ldaprepl init-consumer. Nothing is pulled by slapd itself."
    return _server(heading, access, target, _Content((), after, (), own))


def _server(heading: str, access: Access, target: Target, content: _Content) -> Blueprint:
    provides = target.provides or bool(content.ids)
    lines = (*content.own, *(replica_lines(replica_dn(access)) if provides else ()))
    new = target.whole or target.fresh
    if new:
        lines = (*base_lines(target.suffix, target.directory), *lines, *passwords_closed())
    database = Database(
        target.suffix,
        (*lines, *INDEXES),
        content.plans,
        content.after,
        (syncprov(),) if provides else (),
        target.rootpw if target.whole else None,
        new,
    )
    modules = (*(("back_mdb", *target.modules) if new else ()), *(("syncprov",) if provides else ()))
    return Blueprint((heading,), (database,), modules, content.ids, target.schemas, target.places)
