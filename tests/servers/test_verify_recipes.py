"""The ways in which replicas really drifted apart in silence: each is found, with its cause.

The fear is a verifier that says `equal` because all stamps say so, and one that names a wrong culprit. Nearly all of
these pairs show equal contextCSNs at the end.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import ldap
import pytest
from driftlab import (
    EXTRA_P1,
    OTHER,
    POLL,
    add_person,
    drift,
    outlive_stamps,
    person,
    provider_conf,
    reload,
    seed,
    stanza,
    told,
    with_replica,
    without,
)
from replication import context, until, with_admin
from verifying import ADMIN, REPLICA, SlapdFactory, conf

from ldaprepl.domain.sample import SUFFIX
from ldaprepl.wire.slapdconf import SlapdConf


def test_01_deletes_that_a_crashed_provider_forgot(slapd: SlapdFactory) -> None:
    pair = drift(slapd)
    pair.provider.restart()  # stores contextCSN
    add_person(pair.admin, person("late"))
    pair.together()
    pair.consumer.stop()
    pair.admin.delete_s(person("p1"))
    pair.admin.delete_s(person("p2"))
    pair.provider.kill()
    pair.provider.start()
    pair.modify("p3", "later")
    pair.consumer.start()
    pair.together()
    assert pair.found() == {EXTRA_P1, ("extra", "uid=p2,ou=people", "lost-delete")}


def test_02_an_old_dump_without_its_cookie(slapd: SlapdFactory) -> None:
    pair = drift(slapd)
    pair.consumer.stop()
    dump = without(pair.consumer.dump(), "contextCSN")
    pair.admin.delete_s(person("p1"))
    reload(pair.consumer, dump)
    pair.consumer.start()
    pair.together()
    assert pair.found() == {EXTRA_P1}


def test_02_an_old_dump_with_its_own_cookie_converges(slapd: SlapdFactory) -> None:
    pair = drift(slapd)
    pair.consumer.stop()
    dump = pair.consumer.dump()
    pair.admin.delete_s(person("p1"))
    reload(pair.consumer, dump)
    pair.consumer.start()
    pair.together()
    assert pair.verify().code == 0


def test_03_an_old_dump_with_a_fresh_cookie(slapd: SlapdFactory) -> None:
    pair = drift(slapd)
    pair.consumer.stop()
    dump = pair.consumer.dump()
    pair.modify("p2", "lost")
    pair.admin.delete_s(person("p1"))
    (today,) = context(pair.provider)
    reload(pair.consumer, re.sub(r"contextCSN: .*", f"contextCSN: {today.decode()}", dump))
    pair.consumer.start()
    pair.modify("p3", "later")
    pair.together()
    assert pair.found() == {EXTRA_P1, ("differs", "uid=p2,ou=people", "lost-update")}


ACCESS = (
    f'access to attrs=userPassword by dn.exact="{REPLICA}" auth by anonymous auth',
    f'access to dn.subtree="{OTHER}" by * none',
    "access to * by * read",
)  # fmt: skip
HIDDEN = {
    ("missing", "ou=other", "lost-add"),
    ("missing", "uid=hidden,ou=other", "lost-add"),
    ("differs", "cn=replica", "withheld-attribute"),
    ("differs", "uid=p0,ou=people", "withheld-attribute"),
    ("differs", "uid=p1,ou=people", "withheld-attribute"),
    ("differs", "uid=p2,ou=people", "withheld-attribute"),
}


def test_04_an_identity_that_may_not_see_everything(slapd: SlapdFactory) -> None:
    """Also after the access was repaired: what was not sent then does not come now."""
    lines = ("overlay syncprov", "syncprov-sessionlog 100")
    pair = drift(slapd, provider=provider_conf(*ACCESS, *lines), fill=with_replica, bind=REPLICA)
    assert pair.found() == HIDDEN
    pair.provider.stop()
    pair.provider.configure(provider_conf("access to attrs=userPassword by * read", "access to * by * read", *lines))
    pair.provider.start()
    pair.modify("p1", "heals")
    pair.together()
    assert pair.found() == HIDDEN - {("differs", "uid=p1,ou=people", "withheld-attribute")}


def test_04_what_the_provider_hides_from_us_is_not_called_deleted(slapd: SlapdFactory) -> None:
    lines = ("overlay syncprov", "syncprov-sessionlog 100")
    pair = drift(slapd, provider=provider_conf(*ACCESS, *lines), fill=with_replica)
    found = pair.found("--consumer-bind-dn", ADMIN, "--exattrs", "userPassword", bind=REPLICA)
    assert found == {("extra", "ou=other", "hidden-by-acl"), ("extra", "uid=hidden,ou=other", "hidden-by-acl")}


@pytest.mark.parametrize("from_the_start", [False, True])
def test_05_a_stamp_that_the_identity_may_not_read(slapd: SlapdFactory, from_the_start: bool) -> None:
    """Its changes are not sent. A consumer that never got the stamp made one of its own."""

    def master(*access: str) -> SlapdConf:
        return provider_conf(*access, "access to * by * read", "overlay syncprov", "syncprov-sessionlog 100")

    def fill(connection: Any) -> None:
        with_replica(connection)
        if from_the_start:
            outlive_stamps(connection)

    hidden = f'access to dn.exact="{person("p1")}" attrs=entryCSN by * none'
    first = (hidden,) if from_the_start else ()
    pair = drift(slapd, provider=master(*first), fill=fill, bind=REPLICA, kind=POLL)
    pair.provider.stop()
    pair.provider.configure(master(hidden))
    pair.provider.start()
    pair.modify("p1", "lost")
    pair.modify("p2", "comes")
    pair.together()
    cause = "foreign-stamp" if from_the_start else "lost-update"
    assert pair.found() == {("differs", "uid=p1,ou=people", cause)}


def test_06_offline_tools_on_the_consumer(slapd: SlapdFactory) -> None:
    pair = drift(slapd)
    pair.consumer.stop()
    pair.consumer.load([f"dn: ou=local,{SUFFIX}\nobjectClass: organizationalUnit\nou: local\n\n"], quick=False)
    pair.consumer.modify_offline(
        f"dn: {person('p1')}\nchangetype: modify\nreplace: description\ndescription: local\n\n"
    )
    pair.consumer.start()
    pair.modify("p2", "later")
    pair.together()
    found = {(dn, cause) for _, dn, cause in pair.found()}  # slapmodify of 2.5 gives it another entryUUID, too
    assert found == {("ou=local", "written-on-consumer"), ("uid=p1,ou=people", "written-on-consumer")}


@pytest.mark.parametrize("provides", [True, False])
def test_07_writes_on_a_consumer_that_takes_them(slapd: SlapdFactory, provides: bool) -> None:
    """The provider never hears of them. Only a consumer that is a provider itself shows it in its contextCSN."""

    def consumer(line: str) -> SlapdConf:
        lines = (line, "multiprovider on", *["overlay syncprov"] * provides)
        return replace(conf(*lines, modules=("syncprov",)), server_id=2)

    pair = drift(slapd, consumer=consumer)
    local = with_admin(pair.consumer)
    local.modify_s(person("p1"), [(ldap.MOD_REPLACE, "description", [b"local"])])
    local.modify_s(person("p4"), [(ldap.MOD_REPLACE, "description", [b"local"])])
    local.delete_s(person("p2"))
    add_person(local, person("mine"))
    local.rename_s(person("p3"), "uid=mine3")
    pair.modify("p4", "heals")
    until(lambda: set(context(pair.provider)) <= set(context(pair.consumer)))
    run = pair.verify()
    assert told(run) == {
        ("differs", "uid=p1,ou=people", "written-on-consumer"),
        ("missing", "uid=p2,ou=people", "lost-add"),
        ("extra", "uid=mine,ou=people", "written-on-consumer"),
        ("renamed", "uid=p3,ou=people", "written-on-consumer"),
    }
    assert any("server ID 002" in note for note in run.consumer["notes"]) == provides
    texts = {each["cause"]["text"] for each in run.findings if each["cause"]["code"] == "written-on-consumer"}
    assert {text.startswith("probably") for text in texts} == {not provides}


def test_08_a_stanza_that_was_widened(slapd: SlapdFactory) -> None:
    def fill(connection: Any) -> None:
        seed(connection)
        for name in ("p0", "p1", "p2"):
            change = [(ldap.MOD_REPLACE, "description", [name.encode()])]
            connection.modify_s(person(name), change)

    pair = drift(slapd, "filter=(!(uid=p3))", "exattrs=description", fill=fill)
    pair.consumer.stop()
    pair.consumer.configure(conf(stanza(pair.provider)))
    pair.consumer.start()
    pair.modify("p4", "comes")
    pair.together()
    assert pair.found() == {
        ("missing", "uid=p3,ou=people", "lost-add"),
        ("differs", "uid=p0,ou=people", "withheld-attribute"),
        ("differs", "uid=p1,ou=people", "withheld-attribute"),
        ("differs", "uid=p2,ou=people", "withheld-attribute"),
    }


def test_08_an_entry_that_left_the_filter_and_stayed(slapd: SlapdFactory) -> None:
    """A delete that is lost for an entry which the provider still has."""
    private = "(!(description=private))"
    pair = drift(slapd, f"filter={private}", provider=provider_conf("overlay syncprov", "syncprov-nopresent TRUE"))
    pair.consumer.stop()
    pair.modify("p1", "private")
    pair.consumer.start()
    pair.modify("p2", "public")
    pair.together()
    assert pair.found("--filter", private) == {("extra", "uid=p1,ou=people", "out-of-scope")}


def test_09_a_filter_that_drops_a_parent(slapd: SlapdFactory) -> None:
    pair = drift(slapd, "filter=(!(ou=people))")
    pair.consumer.stop()
    pair.consumer.configure(conf(stanza(pair.provider)))
    pair.consumer.start()
    pair.modify("p1", "comes")
    pair.together()
    assert pair.found() == {("identity", "ou=people", "glue")}


def test_09_glue_that_outlives_what_it_held(slapd: SlapdFactory) -> None:
    def fill(connection: Any) -> None:
        seed(connection)
        unit = [("objectClass", [b"organizationalUnit"]), ("ou", [b"deep"])]
        connection.add_s(f"ou=deep,{OTHER}", unit)
        add_person(connection, person("leaf", f"ou=deep,{OTHER}"))

    pair = drift(slapd, "filter=(|(uid=leaf)(objectClass=domain)(uid=p1))", fill=fill)
    for dn in (person("leaf", f"ou=deep,{OTHER}"), f"ou=deep,{OTHER}", OTHER):
        pair.admin.delete_s(dn)
    pair.modify("p1", "later")
    pair.together()
    found = pair.found("--filter", "(|(uid=leaf)(objectClass=domain)(uid=p1)(objectClass=glue))")
    assert found == {("extra", "ou=deep,ou=other", "glue")}, "what is above it goes next"


def test_10_an_entry_put_back_with_its_old_stamp(slapd: SlapdFactory) -> None:
    pair = drift(slapd)
    record = next(part for part in pair.provider.dump().split("\n\n") if part.startswith(f"dn: {person('p1')}"))
    pair.admin.delete_s(person("p1"))
    pair.together()
    pair.provider.stop()
    pair.provider.load([record + "\n"], quick=False)
    pair.provider.start()
    pair.modify("p2", "later")
    pair.together()
    assert pair.found() == {("missing", "uid=p1,ou=people", "lost-add")}
