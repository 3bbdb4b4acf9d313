"""Kerberos, with a KDC of our own where one is installed (Debian: krb5-kdc, krb5-admin-server, krb5-user,
libsasl2-modules-gssapi-mit). The connection is sealed by the mechanism then; libsasl does that."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import ldap
import pytest
from synclab import BASE, UPDATEDN, Lab, consumer_conf, seed

from ldaprepl.cli.main import run
from ldaprepl.wire.slapdconf import Database, SlapdConf

TOOLS = ("krb5kdc", "kdb5_util", "kadmin.local", "kinit")
MAPPED = f'authz-regexp "uid=([^,]+),(cn=[^,]+,)?cn=[^,]+,cn=auth" "uid=$1,ou=people,{BASE}"'


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture
def ticket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A realm, its KDC, a key for slapd, a ticket for p1: all by the environment."""
    found = {tool: shutil.which(tool) or shutil.which(tool, path="/usr/sbin") for tool in TOOLS}
    if missing := [tool for tool, path in found.items() if path is None]:
        pytest.skip(f"no Kerberos here ({', '.join(missing)})")
    paths = {tool: str(path) for tool, path in found.items()}
    folder, port = tmp_path / "krb5", free_port()
    folder.mkdir()
    modules = list(Path(paths["krb5kdc"]).parents[1].glob("lib/*/krb5/plugins/kdb"))
    (folder / "krb5.conf").write_text(
        "[libdefaults]\ndefault_realm = LAB\ndns_lookup_kdc = false\ndns_lookup_realm = false\nrdns = false\n"
        f"[realms]\nLAB = {{\nkdc = 127.0.0.1:{port}\n}}\n"
        + (f"[dbmodules]\ndb_module_dir = {modules[0]}\n" if modules else "")
    )
    (folder / "kdc.conf").write_text(
        f"[realms]\nLAB = {{\ndatabase_name = {folder}/principal\nkey_stash_file = {folder}/stash\n"
        f"acl_file = {folder}/acl\nkdc_ports = {port}\nkdc_tcp_ports = {port}\n}}\n"
    )
    monkeypatch.setenv("KRB5_CONFIG", f"{folder}/krb5.conf")
    monkeypatch.setenv("KRB5_KDC_PROFILE", f"{folder}/kdc.conf")
    monkeypatch.setenv("KRB5_KTNAME", f"{folder}/keytab")
    monkeypatch.setenv("KRB5CCNAME", f"{folder}/ticket")

    def do(tool: str, *arguments: str, said: str = "") -> None:
        subprocess.run([paths[tool], *arguments], input=said, text=True, check=True, capture_output=True)

    do("kdb5_util", "create", "-s", "-P", "master", "-r", "LAB")
    do("kadmin.local", "-q", "addprinc -pw secret p1")
    for host in {socket.gethostname(), socket.getfqdn(), "localhost"}:
        do("kadmin.local", "-q", f"addprinc -randkey ldap/{host}")
        do("kadmin.local", "-q", f"ktadd -k {folder}/keytab ldap/{host}")
    with subprocess.Popen([paths["krb5kdc"], "-n"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as kdc:
        try:
            deadline = time.monotonic() + 120
            while True:
                try:
                    do("kinit", "p1", said="secret\n")
                    break
                except subprocess.CalledProcessError:
                    assert time.monotonic() < deadline and kdc.poll() is None
                    time.sleep(0.1)
            yield
        finally:
            kdc.terminate()


@pytest.mark.parametrize("mechanism", ["GSSAPI", "GSS-SPNEGO"])
def test_sync_by_a_ticket(
    ticket: None, slapd, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    mechanism: str,
) -> None:  # fmt: skip  # type: ignore[no-untyped-def]
    database = Database(lines=("overlay syncprov", "access to * by users read"), nosync=True)
    provider = slapd(SlapdConf(database, modules=("syncprov",), lines=(MAPPED,))).start()
    lab = Lab(provider, slapd(consumer_conf(UPDATEDN)).start(), tmp_path)
    seed(lab.admin())
    ((_, root),) = lab.admin().search_s("", ldap.SCOPE_BASE, attrlist=["supportedSASLMechanisms"])
    if mechanism.encode() not in root.get("supportedSASLMechanisms", []):
        pytest.skip(f"libsasl has no {mechanism} here")
    password = tmp_path / "consumer.pw"
    password.write_text(lab.consumer.rootpw.reveal())
    line = [
        "sync", "--provider", provider.ldap_uri, "--consumer", lab.consumer.ldap_uri, "-b", BASE, "--sasl", mechanism,
        "--consumer-bind-dn", lab.consumer.rootdn, "--consumer-password-file", str(password), "-q",
        "--state", str(tmp_path / "state"),
    ]  # fmt: skip
    assert run(line) == 0
    assert len(lab.dump(lab.consumer)) == 9
    monkeypatch.setenv("KRB5CCNAME", f"{tmp_path}/none")
    assert run(line) == 3
    assert f"does not let SASL {mechanism} in" in capsys.readouterr().err
