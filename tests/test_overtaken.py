"""What is asked of two servers after a bulk read, and when it is enough. The fears: a renamed container that nobody
asks for, and asking without end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from ldaprepl.domain.compare import Comparer
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.join import Suspects
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.scope import ReplicationScope, Scope
from ldaprepl.domain.verdict import Problem
from ldaprepl.errors import IncompleteRead
from ldaprepl.overtaken import Overtaken
from ldaprepl.ports import Directory, Ending, RawEntries

BASE = "dc=x"
LONG = 100_000


def csn(number: int, sid: int = 1) -> str:
    return f"20260101000000.{number:06}Z#000000#{sid:03x}#000000"


@dataclass
class Server:
    """A server with containers (entryUUID: DN, entryCSN), two entries below each, and a list of what it was asked."""

    uri: str = "ldap://x"
    stamps_shown: list[str] = field(default_factory=lambda: [csn(1)])
    held: dict[str, tuple[str, str]] = field(default_factory=lambda: {"a": (f"ou=a,{BASE}", csn(1))})
    tells: bool = True
    size: int = 10
    listed: list[str] = field(default_factory=list)
    asked: list[datetime | None] = field(default_factory=list)
    before_list: Callable[[Server], None] = lambda _: None

    def rename(self, uuid: str, name: str, number: int) -> None:
        self.held[uuid] = f"ou={name},{BASE}", csn(number)
        self.stamps_shown = [csn(number)]

    def context_csn(self, base: str) -> CsnSet:
        return CsnSet.parse(self.stamps_shown)

    def containers(self, base: str, since: datetime | None) -> list[Entry] | None:
        self.asked.append(since)
        found = [
            Entry(dn, {"entryUUID": (uuid.encode(),), "entryCSN": (stamp.encode(),)})
            for uuid, (dn, stamp) in self.held.items()
        ]
        return found if self.tells else None

    def holders(self, uuids: Sequence[str], scope: ReplicationScope, base: str) -> list[str]:
        return []

    def schema(self) -> Schema:
        return Schema.EMPTY

    def start(self, scope: ReplicationScope, base: str) -> None:
        self.listed.append(base)
        self.before_list(self)

    def answer(self) -> Iterator[tuple[int, RawEntries | Ending]]:
        dn = self.listed[-1]
        if dn == BASE or any(name == dn for name, _ in self.held.values()):
            yield 0, [(f"cn={n},{dn}".encode(), bytes(self.size)) for n in range(2)]
            yield 0, Ending()
        else:
            yield 0, Ending(Problem("no such entry"))

    def fetch(
        self, dns: Sequence[str], scope: ReplicationScope, attributes: Sequence[str] = ()
    ) -> Iterator[Entry | None]:
        return iter(())

    def stamps(self, dns: Sequence[str]) -> Iterator[Entry | None]:
        there = {dn for dn, _ in self.held.values()}
        return (Entry(dn, {}) if dn in there else None for dn in dns)


def pump(directories: Sequence[Directory]) -> Iterator[tuple[int, RawEntries | Ending]]:
    (server,) = directories
    assert isinstance(server, Server)
    return server.answer()


def watched(provider: Server, consumer: Server, scope: ReplicationScope | None = None) -> Overtaken:
    comparer = Comparer(Schema.EMPTY, scope or ReplicationScope(BASE), lambda _: (b"", []), lambda _: ())
    return Overtaken(provider, consumer, comparer, pump)


def names(suspects: Suspects) -> list[str]:
    return sorted({dn.decode() for dn in (*suspects.pairs, *suspects.provider_only, *suspects.consumer_only)})


def test_where_all_stands_still_nothing_is_asked() -> None:
    ours, theirs = Server(), Server()
    held = Suspects([b"cn=z"])
    assert names(watched(ours, theirs).more(held)) == ["cn=z"]
    assert ours.asked == theirs.asked == []


@pytest.mark.parametrize("behind", [False, True])
def test_what_is_below_a_renamed_container_is_suspect(behind: bool) -> None:
    """Also where the consumer's contextCSN does not say yet what it has: in a refresh it does so at the end."""
    ours, theirs = Server(), Server(stamps_shown=[csn(0)] if behind else [csn(1)])
    watch = watched(ours, theirs)
    renaming = theirs if behind else ours
    renaming.held["a"] = f"ou=b,{BASE}", csn(1 if behind else 2)
    if not behind:
        ours.stamps_shown = [csn(2)]
    assert names(watch.more(Suspects())) == [f"cn=0,ou=b,{BASE}", f"cn=1,ou=b,{BASE}"]


def test_the_base_has_the_name_that_it_had() -> None:
    ours, theirs = Server(held={"top": (BASE, csn(1))}), Server()
    watch = watched(ours, theirs)
    ours.held["top"] = BASE, csn(2)
    ours.stamps_shown = [csn(2)]
    assert names(watch.more(Suspects())) == []
    assert ours.listed == []


def test_a_long_list_is_made_again_until_the_container_stands_still() -> None:
    ours, theirs = Server(size=LONG), Server()
    watch = watched(ours, theirs)
    ours.rename("a", "b", 2)
    turns = iter(range(3, 6))

    def rename(server: Server) -> None:
        if (number := next(turns, 0)) > 0:
            server.rename("a", f"b{number}", number)

    ours.before_list = rename
    assert f"cn=0,ou=b5,{BASE}" in names(watch.more(Suspects()))
    assert ours.listed == [f"ou={name},{BASE}" for name in ("b", "b3", "b4", "b5")]


def test_containers_that_never_stand_still_are_undecided() -> None:
    ours, theirs = Server(size=LONG), Server()
    watch = watched(ours, theirs)
    ours.rename("a", "b", 2)
    ours.before_list = lambda server: server.rename("a", f"b{len(server.listed)}", 2 + len(server.listed))
    with pytest.raises(IncompleteRead, match="renamed all the time"):
        watch.more(Suspects())
    assert len(ours.listed) < 50


def test_beyond_many_containers_everything_is_listed() -> None:
    ours, theirs = Server(), Server()
    watch = watched(ours, theirs)
    for number in range(100):
        ours.rename(f"u{number}", f"n{number}", 2)
    watch.more(Suspects())
    assert ours.listed[0] == BASE
    assert len(ours.listed) < 5


def test_without_contextcsn_names_are_compared_with_those_from_before() -> None:
    ours, theirs = Server(stamps_shown=[]), Server(stamps_shown=[])
    watch = watched(ours, theirs)
    assert names(watch.more(Suspects())) == []
    ours.held["a"] = f"ou=b,{BASE}", csn(1)
    assert names(watch.more(Suspects())) == [f"cn=0,ou=b,{BASE}", f"cn=1,ou=b,{BASE}"]


def test_a_list_that_is_refused_is_no_list() -> None:
    ours, theirs = Server(), Server()
    watch = watched(ours, theirs)
    ours.rename("a", "b", 2)
    ours.answer = lambda: iter([(0, Ending(Problem("cut")))])  # type: ignore[method-assign]  # one server only
    with pytest.raises(IncompleteRead, match="cut"):
        watch.more(Suspects())


def test_one_level_hangs_from_the_base_alone() -> None:
    ours, theirs = Server(), Server()
    watch = watched(ours, theirs, ReplicationScope(BASE, Scope.ONE))
    ours.rename("a", "b", 2)
    assert names(watch.more(Suspects())) == []
