"""Applying to what no real server is: a cn=config that forgets. And a provider that ends its count in any way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from ldaprepl.applyconfig import Wanted, apply, missing_schema, survey
from ldaprepl.domain import ldif
from ldaprepl.domain.configdiff import ConfigChange
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.provider import Outcome, Severity
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.version import Version
from ldaprepl.errors import LdapreplError
from ldaprepl.ports import Count, Look

DATABASE = "olcDatabase={1}mdb,cn=config"
RECORD = f"dn: {DATABASE}\nchangetype: modify\nadd: olcLimits\nolcLimits: * size=1\n-\n"
WANTED = Wanted(tuple(ldif.records(RECORD.splitlines())), None, Version(2, 5, 13))


class Config:
    """One database; `keeps` says whether it remembers what is written."""

    uri = "ldapi://made"

    def __init__(self, keeps: bool) -> None:
        self.held: dict[str, tuple[bytes, ...]] = {"olcSuffix": (b"dc=x",)}
        self.keeps, self.written = keeps, list[ConfigChange]()

    def entries(self) -> list[Entry]:
        return [Entry("cn=config", {}), Entry(DATABASE, dict(self.held))]

    def change(self, change: ConfigChange) -> None:
        self.written.append(change)
        if self.keeps:
            self.held |= {mod.name: tuple(value.encode() for value in mod.values) for mod in change.modifications}


class Reader:
    """A provider whose count ends like this."""

    uri = "ldap://made"

    def __init__(self, entries: int, outcome: Outcome) -> None:
        self.answer = Count(entries, outcome)

    def look(self, base: str, attributes: Sequence[str] = ("1.1",), filter: str = "", *, sync: bool = False) -> Look:
        raise AssertionError("only the count is asked for here")

    def count(self, scope: ReplicationScope, filter: str, watch: Callable[[int], None], sample: int = 0) -> Count:
        return self.answer

    def read(self, scope: ReplicationScope, attributes: Sequence[str]) -> Iterator[Entry]:
        raise AssertionError("only the count is asked for here")


def test_what_is_written_is_looked_for_afterwards() -> None:
    good, forgets, asked = Config(keeps=True), Config(keeps=False), Config(keeps=True)
    assert apply(good, WANTED, survey(good, "dc=x"), lambda changes: len(changes) == 1) is True
    assert apply(good, WANTED, survey(good, "dc=x"), lambda changes: True) is None
    assert len(good.written) == 1
    with pytest.raises(LdapreplError, match="shows something else now"):
        apply(forgets, WANTED, survey(forgets, "dc=x"), lambda changes: True)
    assert apply(asked, WANTED, survey(asked, "dc=x"), lambda changes: False) is False
    assert asked.written == []


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("entries", [0, 3])
def test_only_a_whole_count_of_nothing_says_that_no_schema_is_missing(outcome: Outcome, entries: int) -> None:
    scope = ReplicationScope("dc=x")
    provided, held = ((), (b"( 1.2.3 NAME 'ours' )",)), ((), (b"( 2.5.6.0 NAME 'top' )",))
    found = missing_schema(Reader(entries, outcome), scope, provided, held)
    assert (found is None) is (outcome is Outcome.SUCCESS and not entries)
    assert found is None or (found.severity is Severity.ERROR and "ours" in found.text)
    assert missing_schema(Reader(3, outcome), scope, held, held) is None
