"""Failures that are not silent, as the log of the consumer shows. The fear: to call them lag, and to wait for ever."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ldap
from driftlab import (
    add_person,
    drift,
    person,
    provider_conf,
    seed,
    told,
    with_replica,
)
from replication import until, with_admin
from verifying import REPLICA, SlapdFactory, conf

from ldaprepl.domain.sample import SUFFIX
from ldaprepl.wire.slapdproc import Slapd


def many(connection: Any) -> None:
    seed(connection, people=130)


def test_a_size_limit_is_named(slapd: SlapdFactory) -> None:
    def fill(connection: Any) -> None:
        with_replica(connection)
        for number in range(130):
            add_person(connection, person(f"m{number}"))

    provider = replace(provider_conf(), database=replace(provider_conf().database, sizelimit="100"))
    pair = drift(slapd, provider=provider, fill=fill, bind=REPLICA, wait=False)
    until(lambda: held(pair.consumer) >= 100)
    run = pair.verify("--settle", "0.2")
    assert run.code == 1
    assert {cause for _, _, cause in told(run)} == {"cut-by-limit"}


def held(server: Slapd) -> int:
    try:
        return len(with_admin(server).search_s(SUFFIX, ldap.SCOPE_SUBTREE, attrlist=["1.1"]))
    except ldap.NO_SUCH_OBJECT:
        return 0


SCHEMA = (
    "attributetype ( 1.3.6.1.4.1.32473.1.1 NAME 'shoeSize' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
    "objectclass ( 1.3.6.1.4.1.32473.1.2 NAME 'shod' SUP top AUXILIARY MAY shoeSize )",
)
SHOD_WITHOUT_SIZE = SCHEMA[1].replace(" MAY shoeSize", "")
SHOD = [(ldap.MOD_ADD, "objectClass", [b"shod"]), (ldap.MOD_ADD, "shoeSize", [b"42"])]


def test_a_class_that_the_consumer_does_not_know_is_no_lag(slapd: SlapdFactory) -> None:
    """The consumer stops there. What comes after it waits, and would for ever."""
    pair = drift(slapd, provider=replace(provider_conf(), lines=(*provider_conf().lines, *SCHEMA)))
    pair.admin.modify_s(person("p1"), SHOD)
    pair.modify("p2", "waits")
    run = pair.verify("--settle", "0.5")
    assert run.code == 1, "exit code 4 would say: wait"
    assert told(run) == {
        ("differs", "uid=p1,ou=people", "schema-gap"),
        ("differs", "uid=p2,ou=people", "held-up"),
    }
    (finding,) = (each for each in run.findings if each["cause"]["code"] == "schema-gap")
    assert finding["state"] == "lasting"
    assert "shod, shoeSize" in finding["cause"]["text"]


def test_a_first_refresh_that_meets_an_unknown_class(slapd: SlapdFactory) -> None:
    def fill(connection: Any) -> None:
        seed(connection)
        connection.modify_s(person("p1"), SHOD)

    lines = (*provider_conf().lines, *SCHEMA)
    pair = drift(slapd, provider=replace(provider_conf(), lines=lines), fill=fill, wait=False)
    until(lambda: held(pair.consumer) > 4)
    found = told(pair.verify("--settle", "0.5"))
    assert ("missing", "uid=p1,ou=people", "schema-gap") in found
    assert {cause for _, dn, cause in found if dn != "uid=p1,ou=people"} <= {"held-up"}


def test_an_attribute_that_is_not_sent_makes_no_gap(slapd: SlapdFactory) -> None:
    lines = (*provider_conf().lines, *SCHEMA)
    names = ("objectClass", "dc", "ou", "uid", "cn", "sn", "description")
    pair = drift(
        slapd, f'attrs="{",".join(names)},entryUUID,entryCSN"', provider=replace(provider_conf(), lines=lines),
        consumer=lambda line: replace(conf(line), lines=(*conf().lines, SHOD_WITHOUT_SIZE)),
    )  # fmt: skip
    pair.admin.modify_s(person("p1"), SHOD)
    pair.together()
    pair.consumer.stop()
    pair.consumer.configure(replace(conf(), lines=(*conf().lines, SHOD_WITHOUT_SIZE)))
    pair.consumer.start()
    pair.modify("p1", "later")
    run = pair.verify("--settle", "0.1", *(word for name in names for word in ("--attrs", name)))
    assert (run.code, told(run)) == (4, {("differs", "uid=p1,ou=people", "lag")})


def test_lag_is_called_lag(slapd: SlapdFactory) -> None:
    pair = drift(slapd)
    pair.consumer.stop()
    pair.consumer.configure(conf())
    pair.consumer.start()
    pair.modify("p1", "later")
    run = pair.verify("--settle", "0.1")
    assert run.code == 4
    assert told(run) == {("differs", "uid=p1,ou=people", "lag")}


def test_a_session_log_that_overflows_converges(slapd: SlapdFactory) -> None:
    pair = drift(slapd, provider=provider_conf("overlay syncprov", "syncprov-sessionlog 2"))
    pair.consumer.stop()
    for number in range(4):
        pair.admin.delete_s(person(f"p{number}"))
    pair.consumer.start()
    pair.together()
    assert pair.verify().code == 0
