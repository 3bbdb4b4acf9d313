"""One server, asked why (`ports.Witness`): its schema as published, and what it answers for entries it does not show.

Not there and not shown are one answer in LDAP, but slapd tells them apart to those who look: for an entry that does not
exist it names the nearest one above that does (`matchedDN`, RFC 4511, section 4.1.9), for one that is hidden it names
none. So where a made-up name below the same parent is answered with that parent, an answer without it hides an entry.
Servers that never name it leave the place unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ldaprepl.domain import dn as names
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.deduction import Place
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.schemagap import Published
from ldaprepl.domain.scope import MATCH_ALL, ReplicationScope
from ldaprepl.protocol import results
from ldaprepl.protocol.messages import Result
from ldaprepl.wire.directory import LdapDirectory

_NOBODY = "cn=ldaprepl asks what is said of no entry"
_PROBES = 100  # parents that are asked about, at most


class LdapWitness:
    """A directory that was verified."""

    def __init__(self, directory: LdapDirectory) -> None:
        self._directory = directory
        self._stream = directory.stream
        self._shown: dict[str, bool | None] = {}  # by parent: is it told of what is not below it?

    @property
    def uri(self) -> str:
        return self._directory.uri

    def context_csn(self, base: str) -> CsnSet:
        return self._directory.context_csn(base)

    def fetch(
        self, dns: Sequence[str], scope: ReplicationScope, attributes: Sequence[str] = ()
    ) -> Iterator[Entry | None]:
        return self._directory.fetch(dns, scope, attributes)

    def definitions(self) -> Published:
        wanted = ("attributeTypes", "objectClasses")
        _, answer = self._directory.subschema(*wanted)
        for entry in answer.entries:
            return entry.values(wanted[0]), entry.values(wanted[1])
        return (), ()

    def places(self, dns: Sequence[str]) -> list[Place]:
        answers = list(self._stream.answers(dns, MATCH_ALL, ("1.1",)))
        return [self._place(dn, answer) for dn, answer in zip(dns, answers, strict=True)]

    def _place(self, dn: str, answer: Entry | Result) -> Place:
        if isinstance(answer, Entry):
            return Place.THERE
        if answer.code in (results.SUCCESS, results.INSUFFICIENT_ACCESS):
            return Place.HIDDEN  # it exists, and not even its class may be searched
        if answer.code != results.NO_SUCH_OBJECT:
            return Place.UNKNOWN
        return Place.GONE if answer.matched else self._unnamed(dn)

    def _unnamed(self, dn: str) -> Place:
        """An answer that names no entry above: hidden itself, below something hidden, or of a server that never names
        any."""
        found = Place.HIDDEN
        while True:
            try:
                dn = names.parent(dn)
            except ValueError:
                return Place.UNKNOWN
            told = self._tells(dn)
            if told is None:
                return Place.UNKNOWN
            if told:
                return found
            found = Place.BELOW_HIDDEN

    def _tells(self, parent: str) -> bool | None:
        """Whether the server names `parent` when asked for what is not below it; None: not to be asked any more."""
        if parent not in self._shown:
            if not parent or len(self._shown) >= _PROBES:
                return None
            answer = self._stream.search(f"{_NOBODY},{parent}", attributes=("1.1",))
            self._shown[parent] = bool(answer.result.matched) and answer.result.code == results.NO_SUCH_OBJECT
        return self._shown[parent]


def witnesses(directories: Iterable[object]) -> list[LdapWitness | None]:
    """Those who can be asked, in order; None for a server that was never opened."""
    return [LdapWitness(each) if isinstance(each, LdapDirectory) else None for each in directories]
