"""Every sample configuration: not stale, taken by slaptest, and with it a real slapd converges with a real provider.

The provider runs with the sample `provider` and holds 2,000 awkward entries. What a sample calls by a placeholder
(host, folder, certificate) is replaced; nothing else is changed, but for the schema of the awkward entries, shorter
pauses between tries, and no waiting for the disk.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import ldap
import pytest
from conftest import SlapdFactory
from replication import context_of, until
from tls import Authority

from ldaprepl.cli.main import run as ldaprepl
from ldaprepl.domain.awkward import ATTRIBUTE_OPTIONS, ATTRIBUTE_TYPES, CONF_LINES, OBJECT_CLASSES, awkward
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.sample import stamped
from ldaprepl.wire.slapdproc import Slapd

FOLDER = Path(__file__).parents[2] / "slapd-conf"
COUNT = 2000


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sample_generator", FOLDER / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


made = _load()
SUFFIX, REPLICA = made.SUFFIX, made.REPLICA
ADMIN = f"cn=admin,{SUFFIX}"
CONSUMERS = ("refreshonly", "refreshandpersist", "delta", "partial")


@pytest.mark.parametrize("name", sorted(made.samples()))
def test_no_sample_is_stale(name: str) -> None:
    assert made.same(FOLDER / name, made.samples()[name]), f"{name} is stale: make samples"


@pytest.mark.parametrize("name", sorted(made.samples()))
def test_lint_finds_nothing_but_what_a_sample_is_for(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / name
    copy.write_text(made.samples()[name])
    copy.chmod(0o600)  # which a file in a repository cannot be
    assert ldaprepl(["lint", str(copy), "--fail-on", "warning"]) == 0, capsys.readouterr().out


def test_the_passwords_of_the_samples_are_no_passwords() -> None:
    for text in made.samples().values():
        for line in text.splitlines():
            if not line.startswith("#") and any(word in line.lower() for word in ("credentials=", "rootpw")):
                assert "CHANGE-ME" in line, line


# --- at work


@dataclass
class Stage:
    """Where the placeholders of the samples become real."""

    slapd: SlapdFactory
    authority: Authority
    certificate: tuple[Path, Path]

    def server(self) -> Slapd:
        server: Slapd = self.slapd(debug="sync")
        return server

    def configure(self, server: Slapd, sample: str, hosts: dict[str, str]) -> None:
        """Give the server the sample, and let slaptest judge it."""
        text = made.samples()[sample]
        certificate, key = self.certificate
        places = {
            "/var/lib/ldap": server.folder / "db0",
            "/etc/ldap/schema": server.installation.schema_dir,
            "/usr/lib/ldap": server.installation.module_dir,
            "5 12 60 +": "1 +",
            "\nmaxsize 1073741824": "\nmaxsize 1073741824\ndbnosync",
            "\nolcDbMaxSize: 1073741824": "\nolcDbMaxSize: 1073741824\nolcDbNoSync: TRUE",
            made.TLS["CACertificate"]: self.authority.certificate,
            made.TLS["Certificate"]: certificate,
            made.TLS["CertificateKey"]: key,
            **hosts,
        }
        for placeholder, real in places.items():
            text = text.replace(placeholder, str(real))
        if sample.endswith("ldif"):
            server.configure_ldif(_with_schema(text))
        else:
            last = text.rindex("include ")
            at = text.index("\n", last) + 1
            server.configure(text[:at] + "\n".join(CONF_LINES) + "\n" + text[at:])
        server._tool("test", "-u")

    def load(self, server: Slapd, *options: int) -> None:
        first, *rest = stamped(awkward(COUNT, suffix=SUFFIX))
        replica = Entry(REPLICA, {"objectClass": (b"organizationalRole", b"simpleSecurityObject"), "cn": (b"replica",),
                                  "userPassword": (made.REPLICA_PASSWORD.encode(),)})  # fmt: skip
        sid = options[0] if options else None
        server.load([entry_text(each) for each in (first, replica, *rest)], suffix=SUFFIX, write_csn=True,
                    server_id=sid)  # fmt: skip


def _with_schema(text: str) -> str:
    """cn=config with the awkward schema behind the others."""
    text = text.replace("\ncn: config\n", f"\ncn: config\nolcAttributeOptions: {ATTRIBUTE_OPTIONS}\n", 1)
    own = "dn: cn=awkward,cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: awkward\n"
    own += "".join(f"olcAttributeTypes: {each}\n" for each in ATTRIBUTE_TYPES)
    own += "".join(f"olcObjectClasses: {each}\n" for each in OBJECT_CLASSES)
    return text.replace("dn: olcDatabase={-1}", f"{own}\ndn: olcDatabase={{-1}}", 1)


@pytest.fixture(scope="module")
def stage(slapd_module: SlapdFactory, authority: Authority) -> Stage:
    return Stage(slapd_module, authority, authority.issue("samples"))


@pytest.fixture(scope="module", params=["conf", "ldif"])
def provider(request: pytest.FixtureRequest, stage: Stage) -> Iterator[tuple[Slapd, str]]:
    server = stage.server()
    stage.configure(server, f"provider.{request.param}", {})
    stage.load(server)
    server.start()
    write(server, "first")  # an empty log makes delta consumers wait
    yield server, request.param
    server.close()


def bound(server: Slapd, who: str, password: str) -> Any:
    connection = ldap.initialize(server.ldapi_uri)
    connection.simple_bind_s(who, password)
    return connection


def write(server: Slapd, text: str) -> None:
    """A change, and the first one a delta consumer needs."""
    connection = bound(server, ADMIN, made.ADMIN_PASSWORD)
    connection.modify_s(REPLICA, [(ldap.MOD_REPLACE, "description", [text.encode()])])
    connection.unbind_s()


def run(command: str, provider: Slapd, consumer: Slapd, *options: str) -> subprocess.CompletedProcess[str]:
    """ldaprepl, as the replica identity at the provider and as administrator at the consumer."""
    environment = {**os.environ, "LDAPREPL_PASSWORD": made.REPLICA_PASSWORD,
                   "LDAPREPL_CONSUMER_PASSWORD": made.ADMIN_PASSWORD}  # fmt: skip
    line = [sys.executable, "-m", "ldaprepl", command, "--provider", provider.ldap_uri, "--consumer", consumer.ldap_uri]
    line += ["-b", SUFFIX, "-D", REPLICA, "--consumer-bind-dn", ADMIN, *options]
    return subprocess.run(line, capture_output=True, text=True, check=False, env=environment)


def context(server: Slapd) -> list[bytes]:
    return context_of(bound(server, ADMIN, made.ADMIN_PASSWORD))


def converged(provider: Slapd, consumer: Slapd) -> None:
    until(lambda: context(consumer) == context(provider), words=lambda: consumer.log_tail(30))


def equal(provider: Slapd, consumer: Slapd, *options: str) -> None:
    done = run("verify", provider, consumer, "--format", "json", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    least = 100 if "--filter" in options else COUNT
    assert report["verdict"] == "equal" and report["consumers"][0]["entries"]["equal"] > least


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_consumer_converges(stage: Stage, provider: tuple[Slapd, str], name: str) -> None:
    source, form = provider
    with stage.server() as consumer:
        stage.configure(consumer, f"consumer-{name}.{form}", {made.PROVIDER: source.ldap_uri})
        consumer.start()
        converged(source, consumer)
        if name != "refreshonly":  # which asks again in five minutes
            write(source, f"{name} {form}")
            converged(source, consumer)
        part = ["--filter", made.PART.filter, *(word for each in made.PART.attrs for word in ("-a", each))]
        equal(source, consumer, *(part if name == "partial" else []))


def test_a_consumer_of_ldaprepl_sync_converges(stage: Stage, provider: tuple[Slapd, str], tmp_path: Path) -> None:
    source, form = provider
    with stage.server() as consumer:
        stage.configure(consumer, f"consumer-sync.{form}", {made.PROVIDER: source.ldap_uri})
        consumer.start()
        done = run("sync", source, consumer, "--state", str(tmp_path))
        assert done.returncode == 0, done.stdout + done.stderr
        equal(source, consumer)


@pytest.mark.parametrize("form", ["conf", "ldif"])
def test_a_mirror_pair_converges_in_both_directions(stage: Stage, form: str) -> None:
    with stage.server() as one, stage.server() as two:
        hosts = {made.PROVIDER: one.ldap_uri, made.PARTNER: two.ldap_uri}
        for node in (one, two):
            stage.configure(node, f"mirror.{form}", hosts)
        stage.load(one, 1)
        one.start()
        two.start()
        for number, node in enumerate((one, two)):
            converged(one, two)
            write(node, f"written here {number}")
        until(lambda: len(context(one)) > 1 and context(one) == context(two), words=lambda: two.log_tail(30))
        equal(one, two)
