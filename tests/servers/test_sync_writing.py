"""How changes reach a consumer: order under load, transactions, the cure for a rename that back-mdb refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ldap
import pytest
from synclab import BASE, UPDATEDN, Lab, add_person, add_unit, consumer_conf, provider_conf, seed

from ldaprepl.domain.change import Add, Change, Delete, Mod, Modify, Rename
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.syncrun import Mode, Stale
from ldaprepl.wire.applying import Applier
from ldaprepl.wire.endpoint import Endpoint, Simple
from ldaprepl.wire.movecure import move_around
from ldaprepl.wire.session import Result, open_session
from ldaprepl.wire.slapdproc import Slapd


class Quiet:
    def phase(self, name: str, total: int | None = None) -> None: ...

    def advance(self, done: int) -> None: ...


@pytest.fixture
def target(slapd) -> Slapd:  # type: ignore[no-untyped-def]  # the fixture's type is in conftest
    server: Slapd = slapd(consumer_conf(UPDATEDN)).start()
    connection = ldap.initialize(server.ldap_uri)
    connection.simple_bind_s(server.rootdn, server.rootpw.reveal())
    seed(connection)
    return server


def endpoint(server: Slapd) -> Endpoint:
    return Endpoint(server.ldap_uri, Simple(server.rootdn, server.rootpw))


def unit(key: str, parent: str, dn: str) -> Add:
    name = ldap.dn.str2dn(dn)[0][0][1].encode()
    return Add(key, parent, dn, {"objectClass": (b"organizationalUnit",), "ou": (name,)})


def chain(depth: int, width: int) -> list[Change]:
    """Parents directly before their children: sent without care, some children overtake."""
    changes: list[Change] = []
    for branch in range(width):
        parent, dn = "top", BASE
        for level in range(depth):
            dn = f"ou=b{branch}l{level},{dn}"
            changes.append(unit(dn, parent, dn))
            parent = dn
    return changes


def test_children_never_overtake_their_parents(target: Slapd) -> None:
    adds = chain(6, 40)
    mods: list[Change] = [
        Modify(add.key, add.parent, add.dn, (Mod("add", "description", (b"x",)),), Entry(add.dn, {})) for add in adds
    ]
    deletes: list[Change] = [Delete(add.key, add.parent, add.dn) for add in reversed(adds)]
    with open_session(endpoint(target)) as session:
        applier = Applier(session, Mode.UPDATEDN, Quiet())
        assert applier.apply([*adds, *mods, *deletes]) == []
        assert applier.apply([*adds[:1], Delete(adds[0].key, "top", adds[0].dn), *adds[:1]]) == []


def test_a_refused_entry_takes_those_below_it_along_and_no_others(target: Slapd) -> None:
    bad = Add("bad", "top", f"ou=bad,{BASE}", {"objectClass": (b"noSuchClass",), "ou": (b"bad",)})
    below = unit("below", "bad", f"ou=below,ou=bad,{BASE}")
    good = unit("good", "top", f"ou=good,{BASE}")
    with open_session(endpoint(target)) as session:
        refused = Applier(session, Mode.UPDATEDN, Quiet()).apply([bad, below, good])
        assert [each.key for each in refused] == ["bad", "below"]
        assert session.read(good.dn, ("ou",)) is not None


def test_what_was_refused_and_fits_later_lets_those_below_it_in(target: Slapd) -> None:
    """In one run: what an overlay forbids may be allowed once the audit has moved another entry."""
    bad = Add("key", "top", f"ou=late,{BASE}", {"objectClass": (b"noSuchClass",), "ou": (b"late",)})
    with open_session(endpoint(target)) as session:
        applier = Applier(session, Mode.UPDATEDN, Quiet())
        assert [each.key for each in applier.apply([bad])] == ["key"]
        assert applier.apply([unit("key", "top", bad.dn), unit("below", "key", f"ou=below,{bad.dn}")]) == []


def test_a_name_that_is_too_long_is_no_full_database(target: Slapd) -> None:
    """slapd says 80 for both. Only the one entry is set aside; the rest goes on."""
    long = "n" * 300
    bad, good = unit("bad", "top", f"ou={long},{BASE}"), unit("good", "top", f"ou=good,{BASE}")
    rename = Rename("p1", "top", f"uid=p1,ou=people,{BASE}", f"uid={long}")
    with open_session(endpoint(target)) as session:
        refused = Applier(session, Mode.UPDATEDN, Quiet()).apply([bad, rename, good])
        assert [(each.key, each.reason[:2]) for each in refused] == [("bad", "80"), ("p1", "80")]
        assert session.read(good.dn, ("ou",)) is not None


def test_a_consumer_that_is_not_as_it_was_read_is_noticed(target: Slapd) -> None:
    for change in (
        unit("x", "top", f"ou=people,{BASE}"),
        unit("x", "gone", f"ou=x,ou=gone,{BASE}"),
        Delete("x", "top", f"ou=people,{BASE}"),
        Rename("x", "top", f"ou=gone,{BASE}", "ou=x"),
    ):
        with open_session(endpoint(target)) as session, pytest.raises(Stale):
            Applier(session, Mode.UPDATEDN, Quiet()).apply([change])


def test_a_delete_that_was_done_already_is_done(target: Slapd) -> None:
    with open_session(endpoint(target)) as session:
        gone = Delete("x", "top", f"ou=gone,{BASE}")
        assert Applier(session, Mode.UPDATEDN, Quiet()).apply([gone]) == []


def test_the_way_around_moves_everything_and_keeps_the_stamps(target: Slapd) -> None:
    with open_session(endpoint(target)) as session:
        applier = Applier(session, Mode.UPDATEDN, Quiet())
        names = ("entryUUID", "entryCSN", "modifyTimestamp", "modifiersName", "uid")
        before = session.read(f"uid=p1,ou=people,{BASE}", names)

        def do(change: Change) -> Result:
            assert applier.apply([change]) == []
            return Result(0)

        assert (
            move_around(session, Rename("k", "top", f"ou=people,{BASE}", "ou=folk", f"ou=other,{BASE}"), do).code == 0
        )
        after = session.read(f"uid=p1,ou=folk,ou=other,{BASE}", names)
        assert before is not None and after is not None and before.attributes == after.attributes
        found = session.entries(session.search(BASE, session_scope(), "(cn=ldaprepl-box*)", ("1.1",)))[0]
        assert found == []


def session_scope() -> Any:
    from ldaprepl.domain.scope import Scope

    return Scope.SUB


def test_the_recipe_of_the_refused_rename(slapd, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Steps after which back-mdb may answer 80 to the last rename (it depends on its pages). The provider is restarted
    before it, which makes it work there; the consumer is not."""
    lab = Lab(slapd(provider_conf()).start(), slapd(consumer_conf()).start(), tmp_path)
    master = lab.admin()
    master.add_s(BASE, [("objectClass", [b"domain"]), ("dc", [b"example"])])
    for name in ("d", "groups", "people"):
        add_unit(master, f"ou={name},{BASE}")
    add_person(master, f"uid=p0,ou=groups,{BASE}")
    for number in (1, 3, 4, 5):
        add_person(master, f"uid=p{number},ou=people,{BASE}")
    lab.sync()
    master.rename_s(f"ou=groups,{BASE}", "ou=inv5")
    lab.sync()
    add_unit(master, f"ou=n7,ou=d,{BASE}")
    lab.sync()
    add_unit(master, f"ou=e,ou=inv5,{BASE}")
    lab.sync()
    master.rename_s(f"uid=p0,ou=inv5,{BASE}", "uid=a", f"ou=e,ou=inv5,{BASE}")
    lab.sync()
    lab.provider.restart()
    lab.admin().rename_s(f"ou=e,ou=inv5,{BASE}", "ou=inv14", BASE)
    assert not lab.sync().refusals
    lab.assert_equal()


def test_transactions(slapd, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A batch of which one is refused is given up and done again one by one, so that only the culprit is refused."""
    lab = Lab(slapd(provider_conf()).start(), slapd(consumer_conf()).start(), tmp_path)
    if lab.consumer.installation.version < (2, 6):
        pytest.skip("slapd before 2.6 may crash in transactions")
    master = lab.admin()
    seed(master, people=30)
    lab.sync(batch=7)
    lab.assert_equal()
    master.rename_s(f"ou=people,{BASE}", "ou=folk", f"ou=other,{BASE}")
    master.delete_s(f"uid=p1,ou=folk,ou=other,{BASE}")
    lab.sync(batch=7)
    lab.assert_equal()
    with open_session(endpoint(lab.consumer)) as session:
        bad = Add("bad", "top", f"ou=bad,{BASE}", {"objectClass": (b"noSuchClass",), "ou": (b"bad",)})
        refused = Applier(session, Mode.UPDATEDN, Quiet(), 5).apply([bad, unit("good", "top", f"ou=good,{BASE}")])
        assert [each.key for each in refused] == ["bad"]
        assert session.read(f"ou=good,{BASE}", ("ou",)) is not None
