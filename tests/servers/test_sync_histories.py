"""Random histories on a real provider, kills at random points, and in the end the same data, stamps included.

Few by default, so that the suite stays quick; `LDAPREPL_HISTORIES=200` is the full run. Seeds are fixed: a failure
names the one that repeats it.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import ldap
import pytest
from synclab import (
    BASE,
    SESSION_LOG,
    SYNCPROV,
    Killed,
    Lab,
    add_person,
    add_unit,
    consumer_conf,
    provider_conf,
    seed,
)

from ldaprepl import firstfill
from ldaprepl.domain.change import MaxDelete
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.syncrun import Settings
from ldaprepl.errors import GuardRefused

HISTORIES = int(os.environ.get("LDAPREPL_HISTORIES", "6"))
WINDOWS = 4
LONG = (5, 5000)  # messages: the consumer is filled while the answer comes, or after it
PHASES = {"delete phase": SESSION_LOG, "present phase": SYNCPROV, "scan": ()}
ANYTHING_GOES = Settings(max_delete=MaxDelete(100.0), new_shape=True)
AUDITED = Settings(max_delete=MaxDelete(100.0), new_shape=True, audit=0.0)
PART = ReplicationScope(BASE, filter="(!(description=0))")


class History:
    """Random operations on a provider; those that the server refuses are no operations."""

    def __init__(self, connection: Any, number: int) -> None:
        self.connection, self.random = connection, random.Random(number)

    def dns(self) -> list[str]:
        rows = self.connection.search_ext_s(BASE, ldap.SCOPE_SUBTREE, attrlist=["1.1"])
        return sorted(dn for dn, _ in rows if dn != BASE)

    def step(self) -> None:
        dns = self.dns() or [BASE]
        dn = self.random.choice(dns)
        try:
            kinds = (self.add, self.add, self.modify, self.rename, self.move, self.move, self.swap, self.delete)
            self.random.choice((*kinds, self.recreate))(dn, self.random.choice(dns))
        except (ldap.LDAPError, IndexError):
            pass

    def name(self) -> str:
        return self.random.choice(("a", "B", "c", "é", "x+y", "d, e"))

    def add(self, dn: str, other: str) -> None:
        name = ldap.dn.escape_dn_chars(self.name())
        if self.random.random() < 0.5:
            add_unit(self.connection, f"ou={name},{dn}")
        else:
            add_person(self.connection, f"uid={name},{dn}")

    def modify(self, dn: str, other: str) -> None:
        values = [b"%d" % self.random.randrange(9) for _ in range(3)]
        self.connection.modify_s(dn, [(ldap.MOD_REPLACE, "description", sorted(set(values)))])

    def rename(self, dn: str, other: str) -> None:
        kind = ldap.dn.str2dn(dn)[0][0][0]
        self.connection.rename_s(dn, f"{kind}={ldap.dn.escape_dn_chars(self.name())}", delold=self.random.randrange(2))

    def move(self, dn: str, other: str) -> None:
        self.connection.rename_s(dn, ldap.dn.dn2str(ldap.dn.str2dn(dn)[:1]), other)

    def swap(self, dn: str, other: str) -> None:
        (rdn, above), (rdn2, above2) = _cut(dn), _cut(other)
        self.connection.rename_s(dn, f"{rdn.partition('=')[0]}=tmp")
        try:
            self.connection.rename_s(other, rdn, above)
        except ldap.LDAPError:
            self.connection.rename_s(f"{rdn.partition('=')[0]}=tmp,{above}", rdn)
            raise
        self.connection.rename_s(f"{rdn.partition('=')[0]}=tmp,{above}", rdn2, above2)

    def delete(self, dn: str, other: str) -> None:
        rows = self.connection.search_ext_s(dn, ldap.SCOPE_SUBTREE, attrlist=["1.1"])
        if len(rows) > 4 or dn == BASE:
            return  # a tree that is always cut down shows little
        for each in sorted((row[0] for row in rows), key=lambda name: -len(ldap.dn.str2dn(name))):
            self.connection.delete_s(each)

    def recreate(self, dn: str, other: str) -> None:
        if dn == BASE:
            return
        self.connection.delete_s(dn)
        (add_unit if dn.startswith("ou=") else add_person)(self.connection, dn)


def _cut(dn: str) -> tuple[str, str]:
    parts = ldap.dn.str2dn(dn)
    return ldap.dn.dn2str(parts[:1]), ldap.dn.dn2str(parts[1:])


def filtered(lab: Lab) -> dict[str, Any]:
    """What the provider has in the scope, computed attributes left out."""
    return {dn: entry for dn, entry in lab.dump(lab.provider).items() if b"0" not in entry.get("description", ())}


def held(lab: Lab) -> dict[str, Any]:
    """What the consumer has but for glue."""
    return {dn: entry for dn, entry in lab.dump(lab.consumer).items() if b"glue" not in entry["objectClass"]}


@pytest.mark.parametrize("phase", PHASES)
def test_histories_of_a_part_with_kills(  # type: ignore[no-untyped-def]
    slapd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    """A filter that containers enter and leave: what is below them stays, under glue. The renaming of a container that
    the filter leaves out shows in nothing but a listing, hence the audits."""
    for number in range(max(HISTORIES // 2, 3)):
        monkeypatch.setattr(firstfill, "_LONG", LONG[number % 2])
        with slapd(provider_conf(PHASES[phase])) as provider, slapd(consumer_conf()) as consumer:
            lab = Lab(provider.start(), consumer.start(), tmp_path / str(number), PART)
            seed(lab.admin())
            history = History(lab.admin(), 1000 + number)
            for _ in range(WINDOWS):
                for _ in range(history.random.randint(1, 20)):
                    history.step()
                try:
                    fuse = history.random.choice((None, history.random.randint(0, 8)))
                    report = lab.sync(AUDITED, fuse=fuse)
                except Killed:
                    continue
                except GuardRefused as error:  # the base itself has left the filter, with everything
                    assert "would be deleted" in error.message and not filtered(lab), f"history {number}"
                    continue
                assert not report.refusals, f"history {number}"
                assert held(lab) == filtered(lab), f"history {number}"
            if not filtered(lab):
                continue
            report = lab.sync(AUDITED)
            assert not report.refusals, f"history {number}"
            assert held(lab) == filtered(lab), f"history {number}"
            everything = lab.dump(lab.consumer).keys()
            parents = {ldap.dn.dn2str(ldap.dn.str2dn(dn)[1:]) for dn in everything} | {BASE}
            glue = everything - held(lab).keys()
            useless = [dn for dn in glue if ldap.dn.dn2str(ldap.dn.str2dn(dn)) not in parents]
            assert not useless, f"history {number}"


@pytest.mark.parametrize("phase", PHASES)
def test_histories_with_kills(  # type: ignore[no-untyped-def]
    slapd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    for number in range(HISTORIES):
        monkeypatch.setattr(firstfill, "_LONG", LONG[number % 2])
        with slapd(provider_conf(PHASES[phase])) as provider, slapd(consumer_conf()) as consumer:
            state = tmp_path / str(number)
            lab = Lab(provider.start(), consumer.start(), state)
            seed(lab.admin())
            history = History(lab.admin(), number)
            for _ in range(WINDOWS):
                for _ in range(history.random.randint(1, 14)):
                    history.step()
                fuse = history.random.choice((None, None, history.random.randint(0, 8)))
                try:
                    lab.sync(ANYTHING_GOES, fuse=fuse)
                except Killed:
                    continue
                lab.assert_equal()
            report = lab.sync(ANYTHING_GOES)
            assert not report.refusals, f"history {number}"
            lab.assert_equal()
