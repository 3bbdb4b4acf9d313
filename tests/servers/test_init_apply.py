"""Into a live cn=config: replicating within seconds, a second run changes nothing, what is there is not harmed."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import Any

import ldap
import pytest
from conftest import SlapdFactory
from test_init_consumer import PASSWORD, READ_ALL, REPLICA, SUFFIX, SYNCPROV, change, converged, data
from test_init_consumer import look as profile_of
from test_init_consumer import provider as provider_with

from ldaprepl.applyconfig import missing_schema
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.secret import Secret
from ldaprepl.wire.endpoint import Endpoint, Simple
from ldaprepl.wire.probe import Probe
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.stream import open_stream

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


def test_however_much_the_schema_lacks_what_is_used_of_it_is_found(source: Slapd) -> None:
    """A site's own schema may have hundreds of definitions, and only the last of them be in use."""
    unused = tuple(b"( 1.3.6.1.4.1.4203.666.%d NAME 'unused%d' )" % (number, number) for number in range(250))
    held = ((), (b"( 2.5.6.0 NAME 'top' )",))
    scope = ReplicationScope(SUFFIX)
    with open_stream(Endpoint(source.ldap_uri, Simple(REPLICA, Secret(PASSWORD)))) as stream:
        assert missing_schema(Probe(stream), scope, ((), unused), held) is None
        found = missing_schema(Probe(stream), scope, ((b"( 2.5.4.3 NAME 'cn' )",), unused), held)
    assert found is not None and re.search("lacks what [1-9][0-9]* entries", found.text)


def elsewhere(slapd: SlapdFactory) -> Slapd:
    """A running server that has another suffix only, and a folder for one more database."""
    server = empty(slapd, Database("dc=elsewhere"))
    (server.folder / "more").mkdir()
    return server


def entries(server: Slapd, filter: str) -> dict[str, dict[str, list[bytes]]]:
    connection = ldap.initialize(server.ldapi_uri)
    connection.sasl_external_bind_s()
    found = connection.search_s("cn=config", ldap.SCOPE_SUBTREE, filter)
    connection.unbind_s()
    return dict(found)


def test_a_database_that_is_missing_is_made(source: Slapd, slapd: SlapdFactory) -> None:
    consumer = elsewhere(slapd)
    folder = ["--directory", str(consumer.folder / "more")]
    dry = run(source, consumer, *folder, "--dry-run")
    assert "olcDatabase: {2}mdb" in dry.stdout and f"olcSuffix: {SUFFIX}" in dry.stdout
    done = run(source, consumer, *folder, "--yes")
    assert done.returncode == 0, done.stderr
    converged(source, consumer)
    before = entries(consumer, "(objectClass=*)")
    again = run(source, consumer, *folder, "--yes")
    assert (again.returncode, again.stdout) == (0, "") and "Nothing to change" in again.stderr
    assert entries(consumer, "(objectClass=*)") == before


def test_a_folder_is_never_shared_by_two_databases(source: Slapd, slapd: SlapdFactory) -> None:
    """slapd takes it, and both write into one file."""
    consumer = elsewhere(slapd)
    shared = run(source, consumer, "--directory", str(consumer.folder / "db0"), "--yes")
    assert shared.returncode == 1 and "in use for dc=elsewhere" in shared.stderr
    absent = run(source, consumer, "--directory", str(consumer.folder / "absent"), "--yes")
    assert absent.returncode == 1 and "must exist at the server" in absent.stderr
    assert len(entries(consumer, "(olcSuffix=*)")) == 1


def test_a_consumer_that_provides_and_one_for_python(source: Slapd, slapd: SlapdFactory) -> None:
    for options in (["--cascade"], ["--method", "python"]):
        consumer = empty(slapd)
        done = run(source, consumer, *options, "--yes")
        assert done.returncode == 0, done.stderr
        before = entries(consumer, "(objectClass=*)")
        again = run(source, consumer, *options, "--yes")
        assert (again.returncode, again.stdout) == (0, ""), again.stdout + again.stderr
        assert entries(consumer, "(objectClass=*)") == before
        if "--cascade" in options:
            converged(source, consumer)
            assert len(entries(consumer, "(objectClass=olcSyncProvConfig)")) == 1
            refused = run(source, consumer, "--method", "python", "--yes")
            assert refused.returncode == 1 and "syncrepl stanza" in refused.stderr
        else:
            assert config(consumer)["olcUpdateDN"] == [f"cn=admin,{SUFFIX}".encode()]
            refused = run(source, consumer, "--yes")
            assert refused.returncode == 1 and "olcUpdateDN" in refused.stderr


def test_the_provider_s_part_with_a_change_log_twice(slapd: SlapdFactory) -> None:
    """A second accesslog overlay would log every change twice, and slapd takes it without a word."""
    conf = Database(SUFFIX, lines=("access to attrs=userPassword by anonymous auth", "access to * by users read"))
    provider = slapd(SlapdConf(conf, live_config=True))
    provider.load(data(10), write_csn=True)
    provider.convert()
    provider.start()
    (provider.folder / "db0" / "accesslog").mkdir()
    part = ["--for-provider", "--mode", "delta", "--directory", str(provider.folder / "db0"), "--yes"]
    first = run(provider, provider, *part)
    assert first.returncode == 0, first.stderr
    after = entries(provider, "(objectClass=*)")
    assert len(entries(provider, "(objectClass=olcAccessLogConfig)")) == 1
    assert len(entries(provider, "(olcSuffix=cn=accesslog)")) == 1
    second = run(provider, provider, *part)
    assert (second.returncode, second.stdout) == (0, ""), second.stdout + second.stderr
    assert entries(provider, "(objectClass=*)") == after
    change(provider)
    assert profile_of(provider).usable


def test_a_rid_that_is_taken(source: Slapd, other: Slapd, slapd: SlapdFactory) -> None:
    consumer = empty(slapd)
    assert run(source, consumer, "--yes", "--rid", "7").returncode == 0
    taken = run(other, consumer, "--yes", "--rid", "7")
    assert taken.returncode == 1 and "rid 7 is in use" in taken.stderr and rids(consumer) == [b"007"]


def test_a_person_is_asked(source: Slapd, slapd: SlapdFactory) -> None:
    """At a terminal the change is shown and a plain return means no."""
    consumer = empty(slapd)
    for answer, stanzas in (("\n", 0), ("y\n", 1)):
        assert answered(source, consumer, answer) == 0
        assert len(rids(consumer)) == stanzas


def answered(provider: Slapd, consumer: Slapd, answer: str) -> int:
    """Run on a terminal of its own and answer the question."""
    line = [sys.executable, "-m", "ldaprepl", "init-consumer", "--provider", provider.ldap_uri, "-b", SUFFIX]
    line += ["-D", REPLICA, "--apply", consumer.ldapi_uri]
    child, terminal = pty.fork()
    if child == 0:
        os.environ["LDAPREPL_PASSWORD"] = PASSWORD
        os.execv(sys.executable, line)
    said = b""
    try:
        while b"[y/N]" not in said:
            said += os.read(terminal, 4096)
        os.write(terminal, answer.encode())
        while True:
            said += os.read(terminal, 4096)
    except OSError:  # the terminal's end
        pass
    os.close(terminal)
    assert b"add: olcSyncrepl" in said and PASSWORD.encode() not in said
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_server_whose_configuration_is_closed(source: Slapd, slapd: SlapdFactory) -> None:
    closed = slapd(SlapdConf(Database(SUFFIX))).start()
    done = run(source, closed, "--yes")
    assert done.returncode == 3 and "cn=config" in done.stderr


@pytest.mark.parametrize("options", [["--full"], ["--mirror", "ldap://x"], ["-o", "file"]])
def test_what_cannot_be_applied(source: Slapd, options: list[str]) -> None:
    assert run(source, source, *options).returncode == 2
