"""Into a live cn=config: replicating within seconds, a second run changes nothing, what is there is not harmed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import ldap
import pytest
from conftest import SlapdFactory
from test_init_consumer import PASSWORD, READ_ALL, REPLICA, SUFFIX, SYNCPROV, change, converged
from test_init_consumer import provider as provider_with

from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

DATABASE = "olcDatabase={1}mdb,cn=config"


@pytest.fixture(scope="module")
def source(slapd_module: SlapdFactory) -> Slapd:
    return provider_with(slapd_module, *SYNCPROV, READ_ALL)


@pytest.fixture(scope="module")
def other(slapd_module: SlapdFactory) -> Slapd:
    """Another provider of the same suffix: the same entries, so that both may feed one consumer."""
    return provider_with(slapd_module, *SYNCPROV, READ_ALL)


def empty(slapd: SlapdFactory, database: Database | None = None, **options: Any) -> Slapd:
    """A running server with cn=config and an empty database."""
    server = slapd(SlapdConf(database or Database(SUFFIX, indexes=()), live_config=True, **options), debug="sync")
    server.convert()
    started: Slapd = server.start()
    return started


def run(provider: Slapd, consumer: Slapd, *options: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LDAPREPL_PASSWORD": password}
    line = [sys.executable, "-m", "ldaprepl", "init-consumer", "--provider", provider.ldap_uri, "-b", SUFFIX]
    line += ["-D", REPLICA, "--apply", consumer.ldapi_uri, *options]
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL)
    assert "secret" not in done.stdout + done.stderr
    return done


def config(server: Slapd) -> dict[str, list[bytes]]:
    connection = ldap.initialize(server.ldapi_uri)
    connection.sasl_external_bind_s()
    ((_, entry),) = connection.search_s(DATABASE, ldap.SCOPE_BASE)
    connection.unbind_s()
    return dict(entry)


def rids(server: Slapd) -> list[bytes]:
    return [value.partition(b"rid=")[2][:3] for value in sorted(config(server).get("olcSyncrepl", []))]


def test_an_empty_server_replicates_and_a_second_run_changes_nothing(source: Slapd, slapd: SlapdFactory) -> None:
    consumer = empty(slapd)
    done = run(source, consumer, "--yes")
    assert done.returncode == 0 and "credentials=********" in done.stdout, done.stderr
    converged(source, consumer)
    before = config(consumer)
    assert before["olcUpdateRef"] == [source.ldap_uri.encode()]
    assert {b"entryUUID eq", b"entryCSN eq"} <= set(before["olcDbIndex"])
    again = run(source, consumer, "--yes")
    assert (again.returncode, again.stdout) == (0, "") and "Nothing to change" in again.stderr
    assert config(consumer) == before
    consumer.restart()
    change(source)
    converged(source, consumer)
    after_restart = run(source, consumer, "--yes")
    assert after_restart.stdout == "" and config(consumer)["olcSyncrepl"] == before["olcSyncrepl"]


def test_nothing_is_written_without_a_yes(source: Slapd, slapd: SlapdFactory) -> None:
    consumer = empty(slapd)
    before = config(consumer)
    dry = run(source, consumer, "--dry-run")
    assert dry.returncode == 0 and "add: olcSyncrepl" in dry.stdout and "Nothing was changed" in dry.stderr
    nobody = run(source, consumer)
    assert nobody.returncode == 2 and "--yes" in nobody.stderr
    assert config(consumer) == before


def test_a_changed_password_is_replaced_and_a_second_provider_gets_a_free_rid(
    source: Slapd, other: Slapd, slapd: SlapdFactory
) -> None:
    consumer = empty(slapd)
    assert run(source, consumer, "--yes").returncode == 0
    converged(source, consumer)
    second = run(other, consumer, "--yes")
    assert second.returncode == 0 and "replace: olcSyncrepl" in second.stdout, second.stderr
    assert rids(consumer) == [b"001", b"002"]
    change_own_password(source, "another \\ secret")
    third = run(source, consumer, "--yes", password="another \\ secret")
    assert third.returncode == 0 and "replace: olcSyncrepl" in third.stdout, third.stderr
    assert rids(consumer) == [b"001", b"002"] and any(
        b"another \\ secret" in v for v in config(consumer)["olcSyncrepl"]
    )
    change_own_password(source, PASSWORD)


def change_own_password(server: Slapd, password: str) -> None:
    connection = ldap.initialize(server.ldapi_uri)
    connection.simple_bind_s(server.rootdn, server.rootpw.reveal())
    connection.modify_s(REPLICA, [(ldap.MOD_REPLACE, "userPassword", [password.encode()])])
    connection.unbind_s()


def test_a_consumer_that_is_only_asked_gives_a_free_rid_and_the_name_of_its_database(
    source: Slapd, other: Slapd, slapd: SlapdFactory
) -> None:
    consumer = empty(slapd)
    assert run(source, consumer, "--yes").returncode == 0
    before = config(consumer)
    done = subprocess.run(
        [sys.executable, "-m", "ldaprepl", "init-consumer", "--provider", other.ldap_uri, "-b", SUFFIX, "-D", REPLICA,
         "--consumer", consumer.ldapi_uri, "--format", "ldif"],
        capture_output=True, text=True, check=False, env={**os.environ, "LDAPREPL_PASSWORD": PASSWORD},
    )  # fmt: skip
    assert done.returncode == 0 and "olcSyncrepl: rid=002" in done.stdout, done.stderr
    assert f"dn: {DATABASE}" in done.stdout and config(consumer) == before


def test_foreign_data_is_not_given_to_the_refresh_to_delete(source: Slapd, slapd: SlapdFactory) -> None:
    consumer = empty(slapd)
    connection = ldap.initialize(consumer.ldapi_uri)
    connection.simple_bind_s(consumer.rootdn, consumer.rootpw.reveal())
    connection.add_s(SUFFIX, [("objectClass", [b"domain"]), ("dc", [b"example"])])
    connection.unbind_s()
    done = run(source, consumer, "--yes")
    assert done.returncode == 1 and "would be deleted" in done.stderr and not rids(consumer)


def test_a_consumer_without_the_schema_that_is_used(source: Slapd, slapd: SlapdFactory) -> None:
    bare = empty(slapd, schemas=("core", "cosine"))
    done = run(source, bare, "--yes")
    assert done.returncode == 1 and "inetOrgPerson" in done.stderr and not rids(bare)


def test_a_server_without_that_database_and_a_rid_that_is_taken(
    source: Slapd, other: Slapd, slapd: SlapdFactory
) -> None:
    elsewhere = run(source, empty(slapd, Database("dc=elsewhere")), "--yes")
    assert elsewhere.returncode == 1 and "dc=elsewhere" in elsewhere.stderr and "--full" in elsewhere.stderr
    consumer = empty(slapd)
    assert run(source, consumer, "--yes", "--rid", "7").returncode == 0
    taken = run(other, consumer, "--yes", "--rid", "7")
    assert taken.returncode == 1 and "rid 7 is in use" in taken.stderr and rids(consumer) == [b"007"]


def test_a_server_whose_configuration_is_closed(source: Slapd, slapd: SlapdFactory) -> None:
    closed = slapd(SlapdConf(Database(SUFFIX))).start()
    done = run(source, closed, "--yes")
    assert done.returncode == 3 and "cn=config" in done.stderr


@pytest.mark.parametrize("options", [["--full"], ["--mirror", "ldap://x"], ["-o", "file"]])
def test_what_cannot_be_applied(source: Slapd, options: list[str]) -> None:
    assert run(source, source, *options).returncode == 2
