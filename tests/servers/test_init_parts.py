"""The provider's part and whole servers, as the command writes them, on real servers; delta and its traps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ldap
import pytest
from conftest import SlapdFactory
from replication import until
from test_init_consumer import PASSWORD, PEOPLE, REPLICA, SUFFIX, SYNCPROV, change, converged, data, look
from test_init_consumer import provider as provider_with

from ldaprepl.domain.deltalog import choose
from ldaprepl.domain.provider import Outcome
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

SCOPE = ReplicationScope(SUFFIX)
USUAL = ("access to attrs=userPassword by self write by anonymous auth by * none", "access to * by users read")
FORMS = pytest.mark.parametrize("form", ["slapd.conf", "ldif"])


def run(server: Slapd | None, *arguments: str, password: str = PASSWORD) -> str:
    """The text that the command writes for this provider."""
    uri = server.ldap_uri if server else "ldap://127.0.0.1:1"
    command = [sys.executable, "-m", "ldaprepl", "init-consumer", "--provider", uri, "-b", SUFFIX, "-D", REPLICA]
    environment = {**os.environ, "LDAPREPL_PASSWORD": password}
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "secret" not in done.stderr
    return done.stdout


def at_home(text: str, server: Slapd) -> str:
    """A whole configuration, with its files in the folder of a private server."""
    return text.replace("/var/lib/ldap", str(server.folder / "db0"))


def lines_of(text: str) -> tuple[str, ...]:
    return tuple(line for line in text.splitlines() if line and not line.startswith(("#", "moduleload")))


# --- the provider's part


def test_the_provider_s_part_cures_a_provider_in_slapd_conf(slapd: SlapdFactory) -> None:
    server = provider_with(slapd, *USUAL, modules=(), people=600, sizelimit="")
    assert not look(server).usable
    text = run(server, "--for-provider")
    server.stop()
    conf = Database(SUFFIX, sizelimit="", lines=(*lines_of(text)[:2], *USUAL, *lines_of(text)[2:]), indexes=())
    server.configure(SlapdConf(conf, modules=("syncprov",)))
    profile = look(server.start())
    assert profile.usable and profile.entries == 602 and profile.passwords_read > 1


def test_the_provider_s_part_cures_a_running_provider_with_delta(slapd: SlapdFactory) -> None:
    """Also: the part is written before the identity exists, or can bind."""
    text = run(None, "--for-provider", "--mode", "delta", "--format", "ldif")
    server = slapd(SlapdConf(Database(SUFFIX, sizelimit="", lines=USUAL), live_config=True))
    server.load(data(600), write_csn=True)
    server.convert()
    server.start()
    (server.folder / "db0" / "accesslog").mkdir()
    command = ["ldapmodify", "-c", "-Q", "-Y", "EXTERNAL", "-H", server.ldapi_uri]
    done = subprocess.run(command, input=at_home(text, server), capture_output=True, text=True, check=False)
    assert done.stderr.count("olcDbIndex: value #0 already exists") == done.stderr.count("additional info") == 2, (
        done.stderr
    )
    until(lambda: (log := look(server).log) is not None and log.usable)  # its base is made in a task of slapd's own
    profile = look(server)
    assert profile.usable and profile.entries == 602 and profile.log is not None
    assert profile.log.usable and profile.log.context_csn
    assert choose(profile, SCOPE, "auto")[0].logbase == "cn=accesslog"
    server.restart()
    assert look(server).usable


def test_a_log_that_the_replica_may_not_read(slapd: SlapdFactory) -> None:
    log = Database("cn=accesslog", lines=("access to * by * none", "overlay syncprov"))
    lines = (*SYNCPROV, "overlay accesslog", "logdb cn=accesslog", "logops writes")
    server = slapd(SlapdConf(Database(SUFFIX, lines=lines), others=(log,), modules=("syncprov", "accesslog")))
    server.load(data(), write_csn=True)
    profile = look(server.start())
    assert profile.usable and profile.log is not None and profile.log.outcome is Outcome.NO_SUCH_OBJECT
    assert [finding.code for finding in choose(profile, SCOPE, "auto")[1]] == ["no-delta"]
    command = [sys.executable, "-m", "ldaprepl", "init-consumer", "--provider", server.ldap_uri, "-b", SUFFIX]
    environment = {**os.environ, "LDAPREPL_PASSWORD": PASSWORD}
    done = subprocess.run([*command, "-D", REPLICA, "--mode", "delta"], capture_output=True, text=True, check=False,
                          env=environment)  # fmt: skip
    assert done.returncode == 1 and "no change would ever arrive" in done.stderr and not done.stdout


# --- whole consumers


@pytest.fixture(scope="module")
def good(slapd_module: SlapdFactory) -> Slapd:
    """A provider with a schema of its own."""
    own = (
        "attributetype ( 1.3.6.1.4.1.4203.666.99.9.1 NAME 'siteColour' SUP name )",
        "objectclass ( 1.3.6.1.4.1.4203.666.99.9.2 NAME 'siteThing' SUP top AUXILIARY MAY siteColour )",
    )
    conf = SlapdConf(Database(SUFFIX, lines=(*SYNCPROV, "access to * by * read")), modules=("syncprov",), lines=own)
    server = slapd_module(conf)
    thing = f"dn: cn=thing,{SUFFIX}\nobjectClass: device\nobjectClass: siteThing\ncn: thing\nsiteColour: red\n\n"
    server.load([*data(), thing], write_csn=True)
    return server.start()


@FORMS
def test_a_whole_consumer_knows_the_provider_s_schema_and_converges(
    good: Slapd, slapd: SlapdFactory, form: str, tmp_path: Path
) -> None:
    password = tmp_path / "rootpw"
    password.write_text("geheim")
    password.chmod(0o600)
    text = run(good, "--full", "--cascade", "--format", form, "--consumer-password-file", str(password))
    assert "geheim" not in text and "SSHA" in text and text.count("siteThing") == 1
    consumer = slapd(SlapdConf(Database(SUFFIX)), debug="sync")
    (consumer.configure if form == "slapd.conf" else consumer.configure_ldif)(at_home(text, consumer))
    consumer.start()
    converged(good, consumer)
    change(good)
    converged(good, consumer)
    bound = ldap.initialize(consumer.ldapi_uri)
    bound.simple_bind_s(f"cn=admin,{SUFFIX}", "geheim")
    bound.unbind_s()
    onward = look(consumer)  # the third server's view: a cascade
    assert onward.usable and onward.entries == PEOPLE + 3


@FORMS
def test_a_whole_consumer_knows_the_provider_s_attribute_options(slapd: SlapdFactory, form: str) -> None:
    """Where the configuration can be read, here over ldapi. Without them replication stops at the first such entry."""
    lines = (*SYNCPROV, "access to * by * read")
    conf = SlapdConf(
        Database(SUFFIX, lines=lines),
        modules=("syncprov",),
        lines=("attributeoptions x-site- lang-",),
        live_config=True,
    )
    server = slapd(conf)
    server.load(
        [*data(), f"dn: cn=o,{SUFFIX}\nobjectClass: device\ncn: o\ndescription;x-site-a: b\n\n"], write_csn=True
    )
    server.start()
    command = [sys.executable, "-m", "ldaprepl", "init-consumer", "--provider", server.ldapi_uri, "-b", SUFFIX]
    command += ["--sasl", "EXTERNAL", "--full", "--format", form]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    consumer = slapd(SlapdConf(Database(SUFFIX)), debug="sync")
    (consumer.configure if form == "slapd.conf" else consumer.configure_ldif)(at_home(done.stdout, consumer))
    consumer.start()
    converged(server, consumer)
    assert "description;x-site-a: b" in consumer.dump()


def test_the_consumer_of_a_python_sync_takes_stamps_from_its_writer_only(good: Slapd, slapd: SlapdFactory) -> None:
    text = run(good, "--full", "--method", "python", "--format", "slapd.conf")
    consumer = slapd(SlapdConf(Database(SUFFIX)))
    consumer.configure(at_home(text.replace("\nupdatedn", "\nrootpw geheim\nupdatedn"), consumer))
    consumer.start()
    uuid = b"5c0e0e0e-0000-4000-8000-000000000001"
    entry = [("objectClass", [b"domain"]), ("dc", [b"example"]), ("entryUUID", [uuid])]
    bound = ldap.initialize(consumer.ldapi_uri)
    bound.simple_bind_s(f"cn=admin,{SUFFIX}", "geheim")
    bound.add_s(SUFFIX, entry)
    assert f"entryUUID: {uuid.decode()}" in consumer.dump()
    bound.unbind_s()


# --- the other node of a pair


def pair(first: Slapd, uri: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ldaprepl", "init-consumer", "--provider", first.ldap_uri, "-b", SUFFIX]
    command += ["-D", REPLICA, "--mirror", uri]
    environment = {**os.environ, "LDAPREPL_PASSWORD": PASSWORD}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_pair_is_not_made_of_two_directories(slapd: SlapdFactory) -> None:
    """Each has a base entry of its own: replication would mix them."""
    first, stranger = provider_with(slapd, *SYNCPROV, *USUAL), provider_with(slapd, *SYNCPROV, *USUAL)
    mixed = pair(first, stranger.ldap_uri)
    assert mixed.returncode == 1 and "mix two directories" in mixed.stderr and not mixed.stdout
    stranger.stop()
    away = pair(first, stranger.ldap_uri)
    assert away.returncode == 0 and "could not be looked at" in away.stderr


def test_the_other_node_may_be_a_copy_but_must_know_the_schema(slapd: SlapdFactory) -> None:
    first = provider_with(slapd, *SYNCPROV, *USUAL)
    copy = slapd(SlapdConf(Database(SUFFIX, lines=(*SYNCPROV, *USUAL)), modules=("syncprov",)))
    copy.load([first.dump()])
    fine = pair(first, copy.start().ldap_uri)
    assert fine.returncode == 0 and "serverID" in fine.stdout, fine.stderr
    bare = slapd(SlapdConf(Database(SUFFIX), schemas=("core", "cosine")))
    bare.load([f"dn: {SUFFIX}\nobjectClass: domain\ndc: example\n\ndn: {REPLICA}\nobjectClass: simpleSecurityObject\n"
               f"objectClass: organizationalRole\ncn: replica\nuserPassword: {PASSWORD}\n\n"])  # fmt: skip
    poor = pair(first, bare.start().ldap_uri)
    assert poor.returncode == 1 and "inetOrgPerson" in poor.stderr
