"""The consumer, as `sync` sees it: how it lets itself be written, what it holds, its contextCSN.

How much may be written is found by asking, on an entry that cannot exist: a server judges the attributes before it
looks for the entry, so that 32 means "allowed", 19 "no user may", 53 or a referral "I am somebody else's replica". The
changes themselves are `wire.applying`'s.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ldaprepl.wire import libldap  # noqa: F401  # first: it says what libldap may read

# isort: split
import ldap

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.dn import context_of, parent
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.glue import SEARCH as GLUE
from ldaprepl.domain.ldapfilter import escape
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.scope import MATCH_ALL, ReplicationScope, Scope
from ldaprepl.domain.syncrun import Listed, Mode
from ldaprepl.errors import GuardRefused, IncompleteRead
from ldaprepl.protocol.results import NO_SUCH_OBJECT
from ldaprepl.wire.provider import LISTED, count, fetch, listed, listing, read_schema, subentries, suffix_of
from ldaprepl.wire.session import MANAGE_DSA_IT, Result, Session, control

RELAX = "1.3.6.1.4.1.4203.666.5.12"
_SOME_CSN, _SOME_UUID = b"20000101000000.000000Z#000000#000#000000", b"00000000-0000-4000-a000-000000000000"


class Consumer:
    """The consumer within one replication scope."""

    def __init__(self, session: Session, scope: ReplicationScope) -> None:
        self.session, self.scope = session, scope
        self._schema: Schema | None = None

    @property
    def uri(self) -> str:
        return self.session.uri

    def schema(self) -> Schema:
        """The schema by which it judges what is written."""
        if self._schema is None:
            self._schema, entry = read_schema(self.session)
            if entry is None:
                raise IncompleteRead(
                    f"{self.uri} does not show its schema to {self.session.endpoint.bind}",
                    "Give this identity read access to cn=Subschema.",
                )
        return self._schema

    def mode(self, wanted: Mode | None = None) -> Mode:
        """How it lets us write, best first, at most `wanted`. Raises `GuardRefused` for a replica of its own."""
        self._refuse_elsewhere()
        probe = f"cn=ldaprepl-probe-{secrets.token_hex(8)},{self.scope.consumer_base}"
        result = self._try(probe, "entryCSN", _SOME_CSN, relax=False)
        if result.code == 53 and "restricted" in result.text:
            raise GuardRefused(f"{self.uri} takes no changes ({result})", "Its database, or all of it, is read-only.")
        if result.code in (10, 53):
            raise GuardRefused(
                f"{self.uri} is a replica that takes changes from somebody else only ({result})",
                "If it runs native syncrepl, leave it to that. Else set updatedn (olcUpdateDN) to the identity that"
                " sync binds as.",
            )
        self._refuse_native()
        if result.code in (0, 32):
            found = Mode.UPDATEDN
        elif self._try(probe, "entryUUID", _SOME_UUID, relax=True).code in (0, 32):
            found = Mode.RELAX
        else:
            found = Mode.PLAIN
        ladder = list(Mode)
        if wanted is None or wanted is found:
            return found
        if ladder.index(wanted) < ladder.index(found) or found is Mode.UPDATEDN:
            raise GuardRefused(
                f"{self.uri} does not let {self.session.endpoint.bind} write by {wanted.value}, but by {found.value}"
            )
        return wanted

    def _try(self, dn: str, name: str, value: bytes, relax: bool) -> Result:
        controls = [control(RELAX)] if relax else []
        try:
            self.session.connection.modify_ext_s(dn, [(ldap.MOD_REPLACE, name, [value])], serverctrls=controls)
        except ldap.LDAPError as error:
            return self.session.result_of(error)
        return Result(0)

    def _refuse_elsewhere(self) -> None:
        """A consumer without a database for the base would answer a probe like a replica."""
        base = self.scope.consumer_base
        root = self.session.read("", ("namingContexts",))
        there = [value.decode("utf-8", "replace") for value in (root.values("namingContexts") if root else ())]
        if there and context_of(base, there) is None:
            raise GuardRefused(
                f"{self.uri} has no database for {base!r} (it has: {', '.join(there)})",
                "Make one (ldaprepl init-consumer --full writes it), or check --base and --suffixmassage.",
            )

    def _refuse_native(self) -> None:
        """Where the configuration can be seen: a database with a syncrepl stanza is not ours to write."""
        asked = self.session.search("cn=config", attributes=("1.1",))
        if self.session.entries(asked)[1].code:
            return
        suffix = suffix_of(self.session, self.scope.consumer_base)
        where = f"(&(olcSuffix={escape(suffix)})(olcSyncrepl=*))"
        held, _ = self.session.entries(self.session.search("cn=config", Scope.SUB, where, ("1.1",)))
        if held:
            raise GuardRefused(f"{self.uri} runs native syncrepl for {suffix!r}", "Two replicators would fight.")

    # -- what it holds -----------------------------------------------------------------------------------------------

    def listing(self) -> Iterator[Listed]:
        """Identity and age of all entries of the scope, the filter left out: what is there is there."""
        base = self.scope.consumer_base
        asked = self.session.search(base, attributes=("1.1",), controls=[control(MANAGE_DSA_IT, critical=False)])
        if self.session.entries(asked)[1].code == NO_SUCH_OBJECT:
            return  # empty, or hidden: then the first add is refused as "already there", and the run ends loudly
        scope = ReplicationScope(base, self.scope.scope)
        made = {each.dn for each in listing(self.session, scope._replace(filter=GLUE), base)}
        for each in listing(self.session, scope, base):
            yield replace(each, glue=True) if each.dn in made else each
        yield from map(listed, subentries(self.session, scope, base, LISTED))

    def fetch(self, dns: Sequence[str]) -> Iterator[Entry | None]:
        """Whole entries in the order of `dns`."""
        return fetch(self.session, dns, ("*", "+"), MATCH_ALL)

    def read_all(self) -> Iterator[Entry]:
        """Every entry, whole."""
        asked = self.session.search(
            self.scope.consumer_base, self.scope.scope, MATCH_ALL, ("*", "+"), [control(MANAGE_DSA_IT, critical=False)]
        )
        yield from self.session.bulk(asked, "the search")
        scope = ReplicationScope(self.scope.consumer_base, self.scope.scope)
        yield from subentries(self.session, scope, scope.base, ("*", "+"))

    def holders(self, attribute: str) -> int:
        """How many entries have this attribute."""
        base = self.scope.consumer_base
        return count(self.session, ReplicationScope(base, self.scope.scope), base, attribute)

    def missing_above(self) -> tuple[str, ...]:
        """Names above the topmost entries of the scope, up to the suffix, where nothing is; the uppermost first."""
        base, schema = self.scope.consumer_base, self.schema()
        suffix = schema.dn_key(suffix_of(self.session, base))
        missing: list[str] = []
        dn = base if self.scope.scope in (Scope.ONE, Scope.SUBORD) else parent(base)
        while dn and (schema.dn_key(dn) + b",").endswith(suffix + b",") and self.session.read(dn, ("1.1",)) is None:
            missing.insert(0, dn)
            dn = parent(dn)
        return tuple(missing)

    # -- contextCSN --------------------------------------------------------------------------------------------------

    def is_suffix(self) -> bool:
        """Whether the base is the suffix of its database: only then contextCSN is ours."""
        schema = self.schema()
        base = self.scope.consumer_base
        return schema.dn_key(suffix_of(self.session, base)) == schema.dn_key(base)

    def context_csn(self) -> tuple[str, ...]:
        """The values on the base entry as text, sorted."""
        entry = self.session.read(self.scope.consumer_base, ("contextCSN",))
        return tuple(sorted(value.decode("ascii", "replace") for value in entry.values("contextCSN"))) if entry else ()

    def set_context_csn(self, csns: CsnSet) -> None:
        """Write the provider's contextCSN (in the form of 2.4), the last thing of a run. As updatedn only."""
        values = [text.encode() for text in csns.normal_texts()]
        try:
            self.session.connection.modify_ext_s(
                self.scope.consumer_base, [(ldap.MOD_REPLACE, "contextCSN", values)],
                serverctrls=[control(MANAGE_DSA_IT, critical=False)],
            )  # fmt: skip
        except ldap.LDAPError as error:
            raise IncompleteRead(f"{self.uri} did not take contextCSN: {self.session.result_of(error)}") from error
