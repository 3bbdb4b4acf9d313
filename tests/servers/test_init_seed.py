"""A consumer that starts from a seed: it goes on from there, nothing is missing, and nothing is sent twice."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import ldap
import pytest
from conftest import SlapdFactory
from test_init_consumer import PASSWORD, PATIENCE, READ_ALL, REPLICA, SUFFIX, SYNCPROV, converged, dump

from ldaprepl.domain.awkward import CONF_LINES, awkward
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.sample import stamped
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

COUNT = 2000
LIMITS = f'limits dn.exact="{REPLICA}" size=unlimited'
PROVIDER = (LIMITS, READ_ALL, *SYNCPROV, "syncprov-sessionlog 1000")


@pytest.fixture(scope="module")
def source(slapd_module: SlapdFactory) -> Slapd:
    """2,000 awkward entries, of which one stands before its parent in the database: it was moved there."""
    server = slapd_module(SlapdConf(Database(SUFFIX, lines=PROVIDER), modules=("syncprov",), lines=CONF_LINES))
    first, *rest = stamped(awkward(COUNT, suffix=SUFFIX))
    replica = Entry(REPLICA, {"objectClass": (b"organizationalRole", b"simpleSecurityObject"), "cn": (b"replica",),
                              "userPassword": (PASSWORD.encode(),)})  # fmt: skip
    server.load([entry_text(each) for each in (first, replica, *rest)], write_csn=True)
    started: Slapd = server.start()
    connection = admin(started)
    for name in ("early", "late"):
        connection.add_s(f"ou={name},{SUFFIX}", [("objectClass", [b"organizationalUnit"]), ("ou", [name.encode()])])
    connection.rename_s(f"ou=early,{SUFFIX}", "ou=early", f"ou=late,{SUFFIX}")
    connection.unbind_s()
    return started


def admin(server: Slapd) -> ldap.ldapobject.LDAPObject:
    connection = ldap.initialize(server.ldapi_uri)
    connection.simple_bind_s(server.rootdn, server.rootpw.reveal())
    return connection


def run(server: Slapd, *options: str, command: str = "init-consumer") -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "ldaprepl", command, "--provider", server.ldap_uri, "-b", SUFFIX]
    environment = {**os.environ, "LDAPREPL_PASSWORD": PASSWORD}
    return subprocess.run([*line, "-D", REPLICA, *options], capture_output=True, text=True, check=False,
                          env=environment)  # fmt: skip


def test_a_consumer_goes_on_from_its_seed(source: Slapd, slapd: SlapdFactory, tmp_path: Path) -> None:
    file = tmp_path / "seed.ldif"
    done = run(source, "--seed", str(file))
    assert done.returncode == 0 and "slapadd" in done.stderr, done.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    order = [line for line in file.read_text().splitlines() if line.startswith("dn: ou=")]
    assert order.index(f"dn: ou=late,{SUFFIX}") < order.index(f"dn: ou=early,ou=late,{SUFFIX}")
    connection = admin(source)
    connection.add_s(f"ou=after,{SUFFIX}", [("objectClass", [b"organizationalUnit"]), ("ou", [b"after"])])
    connection.modify_s(f"ou=late,{SUFFIX}", [(ldap.MOD_REPLACE, "description", [b"changed"])])
    connection.delete_s(f"ou=early,ou=late,{SUFFIX}")
    consumer = slapd(SlapdConf(Database(SUFFIX, lines=(done.stdout.rstrip("\n"),)), lines=CONF_LINES), debug="sync")
    consumer.load(file)
    consumer.start()
    converged(source, consumer)
    received = (consumer.folder / "slapd.log").read_text(errors="replace").count("be_add")
    assert 1 <= received <= 3, "the whole directory was sent although the seed was there"
    done = run(source, "--consumer", consumer.ldap_uri, command="verify")
    assert done.returncode == 0 and "EQUAL" in done.stdout, done.stdout + done.stderr
    connection.delete_s(f"ou=after,{SUFFIX}")
    connection.unbind_s()
    converged(source, consumer)
    assert len(dump(consumer)) == COUNT + 2


def test_no_seed_is_left_where_it_could_not_be_read_to_the_end(source: Slapd, tmp_path: Path) -> None:
    file = tmp_path / "seed.ldif"
    for options in (["--filter", "(cn=nobody)"], ["--suffixmassage", "dc=x"], ["-s", "one"], ["--mode", "delta"]):
        assert run(source, "--seed", str(file), *options).returncode in (1, 2)
    assert run(source, "--seed", str(tmp_path / "no" / "folder")).returncode == 2
    assert not list(tmp_path.iterdir())


def test_a_seed_into_a_pipe_leaves_the_pipe_where_it_is(source: Slapd, tmp_path: Path) -> None:
    """A device that was replaced by a file of its name is a broken machine, where root wrote it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    assert run(source, "--seed", str(pipe)).returncode == 0
    assert pipe.is_fifo()
    reader.join(PATIENCE)
    assert read[0].count("\ndn:") > COUNT


def test_hidden_identity_is_no_seed(slapd: SlapdFactory, tmp_path: Path) -> None:
    rule = "access to attrs=entryUUID by * none"
    server = slapd(SlapdConf(Database(SUFFIX, lines=(rule, READ_ALL, *SYNCPROV)), modules=("syncprov",)))
    server.load([f"dn: {SUFFIX}\nobjectClass: domain\ndc: example\n\n"
                 f"dn: {REPLICA}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: replica\n"
                 f"userPassword: {PASSWORD}\n\n"], write_csn=True)  # fmt: skip
    done = run(server.start(), "--seed", str(tmp_path / "seed"))
    assert done.returncode == 1 and "entryUUID" in done.stderr and not list(tmp_path.iterdir())
