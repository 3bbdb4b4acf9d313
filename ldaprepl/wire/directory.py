"""One server as the verbs see it (`ports.Directory`): contextCSN, schema, the bulk read, single entries.

What a server answers instead of entries is explained here, with the cure, because here it is known who asked for what.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.dn import context_of
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldapfilter import bracketed, escape
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.nearby import hint
from ldaprepl.domain.plural import counted
from ldaprepl.domain.proof import EVERY_CSN
from ldaprepl.domain.scope import MATCH_ALL, STAMPS, ReplicationScope, Scope
from ldaprepl.domain.verdict import Problem
from ldaprepl.errors import IncompleteRead, LdapreplError, ProtocolViolation
from ldaprepl.protocol import results
from ldaprepl.protocol.messages import Result
from ldaprepl.protocol.requests import (
    ONLY_SUBENTRIES,
    OWN_SUBENTRIES,
    SUBENTRIES,
    Control,
    SearchRequest,
    manage_dsa_it,
)
from ldaprepl.wire.endpoint import Anonymous, External, Sasl
from ldaprepl.wire.stream import SearchAnswer, Stream

# Seconds between the questions for a contextCSN, by whether the server has shown one before (None: not known).
_PAUSES: dict[bool | None, tuple[float, ...]] = {True: (0.01,) * 20, None: (0.01,) * 5, False: (0.0,)}


_BY_CONTROL = f"(|(objectClass=subentry)(objectClass=ldapSubEntry))(!{OWN_SUBENTRIES})"
_BY_FILTER = "(objectClass=ldapSubEntry)"
_UUIDS_A_FILTER = 50
_NONE_THERE = (results.SUCCESS, results.NO_SUCH_OBJECT)
_CUT = (results.SIZE_LIMIT, results.TIME_LIMIT, results.ADMIN_LIMIT, results.BUSY, results.UNAVAILABLE)
_NO_SUBENTRIES = (results.NO_SUCH_OBJECT, results.UNAVAILABLE_CRITICAL)


class LdapDirectory:
    """A directory behind a bound stream."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._asked: ReplicationScope | None = None
        self._base = ""
        self._suffixes: dict[str, str] = {}
        self._contexts: list[str] = []
        self._sorts: tuple[str, bool] | None = None  # filter for subentries, and whether with the control
        self._beyond: SearchRequest | None = None
        self._in_subentries = False
        self._shows_csn: bool | None = None  # None: not asked yet

    @property
    def uri(self) -> str:
        return self.stream.uri

    # -- what the server says of itself ----------------------------------------------------------------------------

    @cached_property
    def _root(self) -> Entry:
        shown = self.stream.search("", attributes=("supportedControl", "vendorName")).entries
        return shown[0] if shown else Entry("", {})

    @property
    def _is_389(self) -> bool:
        return (self._root.first("vendorName") or b"").startswith(b"389 ")

    def suffix(self, base: str) -> str:
        """The naming context that holds `base`; `base` itself when the root DSE does not show one (RFC 4512, 5.1)."""
        if base not in self._suffixes:
            answer = self.stream.search("", attributes=("namingContexts",))
            contexts = [value for entry in answer.entries for value in entry.values("namingContexts")]
            self._contexts = [context.decode("utf-8", "surrogateescape") for context in contexts]
            self._suffixes[base] = context_of(base, self._contexts) or base
        return self._suffixes[base]

    def context_csn(self, base: str) -> CsnSet:
        """The live contextCSN. A partial replica keeps it on a hidden glue entry: hence ManageDsaIT.

        Asked for by name: `+` would give the stored value, which may be stale. Asked for again when it is not there:
        while slapd 2.5 applies a change of the suffix entry itself, that entry shows none for a moment.
        """
        suffix = self.suffix(base)
        for pause in _PAUSES[self._shows_csn]:
            answer = self.stream.search(suffix, attributes=("contextCSN",), controls=(manage_dsa_it(),))
            values = [value for entry in answer.entries for value in entry.values("contextCSN")]
            if values or not answer.entries:
                break
            time.sleep(pause)
        self._shows_csn = bool(values)
        try:
            return CsnSet.parse(values)
        except ValueError as error:
            raise ProtocolViolation(
                f"{self.uri} has a contextCSN that is none: {error}", "Mend it there, or reload that server."
            ) from None

    def schema(self) -> Schema:
        """The subschema that governs the server's entries (RFC 4512, section 4.4)."""
        where, answer = self.subschema("attributeTypes", "objectClasses")
        if not answer.entries:
            raise IncompleteRead(
                f"{self.uri} does not show its schema at {where!r} to {self.stream.endpoint.bind}"
                f" ({results.name_of(answer.result.code)})",
                "Give this identity read access to the subschema entry, or compare byte by byte with --bytewise.",
            )
        entry = answer.entries[0]
        return Schema.parse(entry.values("attributeTypes"), entry.values("objectClasses"))

    def subschema(self, *attributes: str) -> tuple[str, SearchAnswer]:
        """Where the server has its subschema, and what it shows of that entry."""
        answer = self.stream.search("", attributes=("subschemaSubentry",))
        value = answer.entries[0].first("subschemaSubentry") if answer.entries else None
        where = value.decode("utf-8", "surrogateescape") if value else "cn=Subschema"
        return where, self.stream.search(where, filter="(objectClass=subschema)", attributes=attributes)

    def containers(self, base: str, since: datetime | None) -> list[Entry] | None:
        """By hasSubordinates; 389 DS has an index of numSubordinates. Whoever may not search by these, or by entryCSN,
        gets nothing and no error: hence the second question."""
        having, either = "(hasSubordinates=TRUE)", "(|(hasSubordinates=TRUE)(hasSubordinates=FALSE))"
        if self._is_389:
            having = either = "(numSubordinates=*)"
        newer = f"(entryCSN>={since.year:04d}{since:%m%d%H%M%S.%f}Z#000000#000#000000)" if since else MATCH_ALL
        found = self._having(base, Scope.SUB, f"(&{newer}{having})")
        if found is None:
            return None
        by_csn = EVERY_CSN if since else MATCH_ALL
        able = found or self._having(base, Scope.BASE, f"(&{by_csn}{either})")
        return found if able else None

    def _having(self, base: str, scope: Scope, filter: str) -> list[Entry] | None:
        """None: it will not search by that. Raises `IncompleteRead` for a part of an answer."""
        answer = self.stream.search(base, scope, filter, STAMPS[:2], (manage_dsa_it(),))
        problem = self.explain(answer.result, len(answer.entries)) if answer.result.code in _CUT else None
        if problem:
            raise IncompleteRead(problem.text, problem.cure)
        return answer.entries if answer.result.code in _NONE_THERE else None

    # -- reading ---------------------------------------------------------------------------------------------------

    def start(self, scope: ReplicationScope, base: str) -> None:
        """Begin the bulk read: one search, not paged (paging and sync limits do not mix, and it is slower)."""
        self._asked, self._base, self._in_subentries = scope, base, False
        self._beyond = self._subentries(scope) if scope.scope is not Scope.BASE else None  # that shows a subentry too
        self.stream.start(
            SearchRequest(base, scope.scope, scope.filter, requested(scope), (manage_dsa_it(),)),
        )

    def more(self) -> bool:
        """After a good end: begin the read of what that search does not show, the subentries. False: that was all."""
        request, self._beyond = self._beyond, None
        if request is None:
            return False
        before = self.stream.received
        self.stream.start(request._replace(base=self._base))
        self.stream.received = before
        self._in_subentries = True
        return True

    def _subentries(self, scope: ReplicationScope) -> SearchRequest | None:
        """The search for subentries: by the control (RFC 3672, section 3); 389 DS without it shows its own where the
        filter names them. A server's own state is left out."""
        if self._sorts is None:
            by_control = SUBENTRIES.encode() in self._root.values("supportedControl")
            if by_control or self._is_389:
                self._sorts = (_BY_CONTROL if by_control else _BY_FILTER, by_control)
            else:
                self._sorts = ("", False)
        sort, by_control = self._sorts
        if not sort:
            return None
        controls = (Control(SUBENTRIES, True, ONLY_SUBENTRIES), manage_dsa_it()) if by_control else (manage_dsa_it(),)
        where = f"(&{sort}{bracketed(scope.filter)})"
        return SearchRequest("", scope.scope, where, requested(scope), controls)

    def fetch(
        self, dns: Sequence[str], scope: ReplicationScope, attributes: Sequence[str] = ()
    ) -> Iterator[Entry | None]:
        names = attributes or requested(scope)
        for dn, answer in zip(dns, self.stream.fetch(dns, scope.filter, names), strict=True):
            if not isinstance(answer, Result):
                yield answer
            elif answer.code == results.INVALID_DN:  # named by an attribute type that this server does not know
                yield None
            else:
                raise IncompleteRead(
                    f"{self.uri} would not show {dn!r} to {self.stream.endpoint.bind} ({results.name_of(answer.code)})",
                    "Give this identity read access there, or leave that part out by --base or --filter.",
                )

    def stamps(self, dns: Sequence[str]) -> Iterator[Entry | None]:
        for answer in self.stream.fetch(dns, MATCH_ALL, STAMPS):
            yield None if isinstance(answer, Result) else answer

    def holders(self, uuids: Sequence[str], scope: ReplicationScope, base: str) -> list[str]:
        found = []
        for first in range(0, len(uuids), _UUIDS_A_FILTER):
            any_of = "".join(f"(entryUUID={escape(uuid)})" for uuid in uuids[first : first + _UUIDS_A_FILTER])
            where = f"(&{bracketed(scope.filter)}(|{any_of}))"
            answer = self.stream.search(base, scope.scope, where, ("1.1",), (manage_dsa_it(),))
            if answer.result.code not in _NONE_THERE:
                raise IncompleteRead(
                    f"{self.uri} would not search by entryUUID ({results.name_of(answer.result.code)})",
                    "Index entryUUID there.",
                )
            found += [entry.dn for entry in answer.entries]
        return found

    def below(self, dn: str) -> list[Entry]:
        """The entries right below one, without their attributes but for entryUUID. Raises `IncompleteRead`."""
        answer = self.stream.search(dn, "one", attributes=("entryUUID",), controls=(manage_dsa_it(),))
        if answer.result.code not in (results.SUCCESS, results.NO_SUCH_OBJECT, results.SIZE_LIMIT):
            raise IncompleteRead(
                f"{self.uri} would not show what is below {dn!r} ({results.name_of(answer.result.code)})"
            )
        return answer.entries  # a part of them is enough: it is asked whether there are any

    def explain(self, result: Result, entries: int) -> Problem | None:
        """None for success; else why the read was not whole, and what to do about it."""
        who = self.stream.endpoint.bind
        code = result.code
        if code == results.SUCCESS or (self._in_subentries and code in _NO_SUBENTRIES):
            return None
        text = f": {result.text}" if result.text else ""
        if code == results.SIZE_LIMIT:
            return Problem(
                f"{self.uri} cut the answer for {who} after {counted(entries)} (size limit)",
                f"Lift the limit in the database section of that server: {self._limits_line()}",
            )
        if code in (results.TIME_LIMIT, results.ADMIN_LIMIT):
            return Problem(
                f"{self.uri} cut the answer for {who} after {counted(entries)} ({results.name_of(code)}{text})",
                f"Lift the limit in the database section of that server: {self._limits_line()}",
            )
        if code == results.NO_SUCH_OBJECT:
            meant = hint(self._base, self._contexts)
            return Problem(
                f"{self.uri} has no entry {self._base!r}, or does not show it to {who}",
                f"{meant}Check --base, and that this identity has read access: servers answer the same in both cases.",
            )
        if code == results.REFERRAL:
            where = ", ".join(result.referrals) or "another server"
            return Problem(f"{self.uri} does not hold {self._base!r} and refers to {where}", "Ask that server.")
        cure = "Check --base." if code == results.INVALID_DN else "Its log may say more; run again if it was only busy."
        return Problem(f"{self.uri} ended the read after {counted(entries)} ({results.name_of(code)}{text})", cure)

    def _limits_line(self) -> str:
        who = self.stream.endpoint.bind
        if isinstance(who, Anonymous):
            pattern = "anonymous"
        elif isinstance(who, External):
            pattern = 'dn.exact="<the DN that EXTERNAL maps to>"'
        elif isinstance(who, Sasl):
            pattern = f'dn.exact="<the DN that {who.name} is mapped to>"'
        else:
            pattern = f'dn.exact="{who.dn}"'
        return f"limits {pattern} size=unlimited time=unlimited"


class Unopened:
    """A server that could not be opened: it answers every question with the reason."""

    def __init__(self, uri: str, error: LdapreplError) -> None:
        self.uri = uri
        self._error = error

    def context_csn(self, base: str) -> CsnSet:
        raise self._error

    def schema(self) -> Schema:
        raise self._error

    def start(self, scope: ReplicationScope, base: str) -> None:
        raise self._error

    def fetch(
        self, dns: Sequence[str], scope: ReplicationScope, attributes: Sequence[str] = ()
    ) -> Iterator[Entry | None]:
        raise self._error

    def stamps(self, dns: Sequence[str]) -> Iterator[Entry | None]:
        raise self._error


def requested(scope: ReplicationScope) -> tuple[str, ...]:
    """The attributes to ask for: those of the scope, and always identity and age of an entry."""
    if "+" in scope.attrs:
        return scope.attrs
    return (*scope.attrs, *(name for name in STAMPS if name.lower() not in {held.lower() for held in scope.attrs}))
