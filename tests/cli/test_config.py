"""`config`: what is in force and why; a new file that is right, closed to others, and never written over another."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import stat
import sys
from pathlib import Path

import pytest
from jsonforms import complaints

from ldaprepl.cli.main import run
from ldaprepl.domain.profile import parse
from ldaprepl.domain.secret import Secret
from ldaprepl.wire import ldapconf, profilefile

Capture = pytest.CaptureFixture[str]
PASSWORD = 'pa"ss \\ wörd'
STANZA = r"""database mdb
suffix "dc=example,dc=com"
syncrepl rid=001 provider=ldap://a.example.com searchbase="dc=example,dc=com" bindmethod=simple
  binddn="cn=replica,dc=example,dc=com" credentials="pa\"ss \\ wörd" exattrs=jpegPhoto
  filter="(objectClass=person)" starttls=critical tls_reqcert=never
"""
KERBEROS = 'syncrepl rid=2 provider=ldap://b bindmethod=sasl saslmech=GSSAPI searchbase="dc=example,dc=com"\n'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing but what a test puts there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ldapconf, "SYSTEM", (tmp_path / "ldap.conf",))
    monkeypatch.setattr(profilefile, "SYSTEM", tmp_path / "etc" / "config.toml")
    return tmp_path


@pytest.fixture
def source(home: Path) -> Path:
    path = home / "slapd.conf"
    path.write_text(STANZA)
    path.chmod(0o600)
    return path


def test_a_file_from_a_stanza(source: Path, home: Path, capsys: Capture) -> None:
    with source.open("a") as file:
        file.write(KERBEROS)
    assert run(["config", "new", "--stanza", str(source), "--consumer", "ldapi:///", "-o", "new.toml"]) == 0
    assert "rid 002 is left out" in capsys.readouterr().err
    written = home / "new.toml"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    profiles = profilefile.read(written)
    server = profiles.servers["a"]
    assert server.get("password") == Secret(PASSWORD)
    assert (server.get("uri"), server.get("starttls"), server.get("reqcert")) == ("ldap://a.example.com", True, "never")
    assert profiles.servers["local"].get("sasl") == "EXTERNAL"
    replica = profiles.replica("main")
    assert (replica.get("base"), replica.get("exattrs")) == ("dc=example,dc=com", ("jpegPhoto",))
    assert run(["config", "new", "--stanza", str(source), "-o", "new.toml"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert run(["config", "new", "--stanza", str(source), "-o", "new.toml", "--force", "-q"]) == 0


def test_a_dry_run_writes_nothing_and_shows_no_password(source: Path, home: Path, capsys: Capture) -> None:
    before = set(home.rglob("*"))
    assert run(["config", "new", "--stanza", str(source), "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert 'password = "********"' in re.sub(" +", " ", shown.out)
    assert "wörd" not in shown.out + shown.err
    assert set(home.rglob("*")) == before
    assert parse(shown.out, "f").replica("main")


def test_nobody_to_ask(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert run(["config", "new"]) == 2
    assert "there is nobody to ask" in capsys.readouterr().err


def dialogue(home: Path, answers: list[str]) -> tuple[int, str]:
    """`config new` on a terminal of its own; each answer when it is asked for."""
    child, terminal = pty.fork()
    if not child:
        os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
        os.chdir(home)
        os.execv(sys.executable, [sys.executable, "-m", "ldaprepl", "config", "new", "-o", "new.toml"])
    seen = b""
    for answer in [*answers, None]:
        fresh = b""
        try:
            while piece := os.read(terminal, 4096):
                fresh += piece
                if answer is not None and fresh.endswith(b": "):  # the blank comes when the terminal is ready
                    break
        except OSError:  # the other side is gone
            pass
        seen += fresh
        if answer is not None:
            os.write(terminal, answer.encode() + b"\n")
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    return code, seen.decode()


def test_questions_on_a_terminal(home: Path) -> None:
    answers = [
        "http://a", "ldaps://a.example.com",  # asked again
        "cn=replica,dc=example,dc=com", "", PASSWORD,
        "/no/such/ca.pem", "",
        "people", "dc=example,dc=com",
        "ldap://b.example.com", "y", "y", "",
        "",
        "copy",
    ]  # fmt: skip
    code, seen = dialogue(home, answers)
    assert code == 0, seen
    assert "is not an LDAP URL" in seen
    assert "there is no such file" in seen
    assert "Traceback" not in seen
    assert PASSWORD not in seen
    profiles = profilefile.read(home / "new.toml")
    assert profiles.servers["a"].get("password") == Secret(PASSWORD)
    assert profiles.servers["b"].get("password") == Secret(PASSWORD)
    assert profiles.servers["b"].get("starttls") is True
    assert profiles.replica("copy").get("consumers") == ("b",)


def test_a_password_stays_in_its_own_file(home: Path) -> None:
    """The new file names it: a second copy is a second place to guard and to change."""
    (home / "pw").write_text("s3cret\n")
    (home / "pw").chmod(0o600)
    words = ["--provider", "ldapi://%2Fa", "--consumer", "ldapi://%2Fb", "-b", "dc=x", "-D", "cn=x", "-y", "pw"]
    assert run(["config", "new", *words, "-o", "new.toml"]) == 0
    assert "s3cret" not in (home / "new.toml").read_text()
    profiles = profilefile.read(home / "new.toml")
    assert {server.get("password_file") for server in profiles.servers.values()} == {str(home / "pw")}


def test_what_is_in_force_and_why(home: Path, capsys: Capture) -> None:
    (home / ".ldaprc").write_text("\nTLS_REQCERT never\n")
    (home / "pw").write_text("s3cret")
    (home / "pw").chmod(0o600)
    file = home / "ldaprepl.toml"
    file.write_text(
        '[servers.a]\nuri = "ldaps://a"\nbind_dn = "cn=x"\npassword_command = ["/no/such/program"]\n'
        '[servers.b]\nuri = "ldap://b"\n[replicas.main]\nprovider = "a"\nconsumers = "b"\nbase = "dc=x"\nwarning = 7\n'
    )
    file.chmod(0o600)
    words = ["config", "show", "--timeout", "5", "--consumer-bind-dn", "cn=y", "--consumer-password-file", "pw"]
    assert run([*words, "--format", "json"]) == 0
    shown = capsys.readouterr()
    assert "s3cret" not in shown.out
    document = json.loads(shown.out)
    assert complaints("config", document) == []
    (replica,) = document["replicas"]
    settings = {row["key"]: (row["value"], row["origin"]) for row in replica["settings"]}
    assert settings["base"] == ("dc=x", "ldaprepl.toml:10")
    assert settings["warning"] == ("7", "ldaprepl.toml:11")
    assert settings["critical"] == ("300", "default")
    provider, consumer = ({row["key"]: row for row in server["settings"]} for server in replica["servers"])
    assert (provider["uri"]["origin"], provider["timeout"]["origin"]) == ("ldaprepl.toml:2", "--timeout")
    assert (provider["password"]["value"], provider["password"]["origin"]) == ("********", "ldaprepl.toml:4")
    assert (provider["reqcert"]["value"], provider["reqcert"]["origin"]) == ("never", f"{home}/.ldaprc:2")
    assert (consumer["bind_dn"]["value"], consumer["bind_dn"]["origin"]) == ("cn=y", "--consumer-bind-dn")
    assert consumer["password"]["origin"] == "--consumer-password-file"
    assert run(words) == 0
    assert "configuration file: ldaprepl.toml (found)" in capsys.readouterr().out


def test_stanzas_are_shown_with_their_lines(source: Path, capsys: Capture) -> None:
    with source.open("a") as file:
        file.write(KERBEROS)
    assert run(["config", "show", "--stanza", str(source)]) == 0
    text = re.sub(" +", " ", capsys.readouterr().out)
    assert f"filter (objectClass=person) {source}:5" in text
    assert f"bind_dn cn=replica,dc=example,dc=com {source}:4" in text
    assert "problem: " in text
    assert "GSSAPI" in text


def test_a_stanza_that_names_its_own_server_is_left_out(
    home: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes that replicate each other often share one configuration: comparing one with itself proves nothing."""
    stanza = 'syncrepl rid={} provider={} searchbase="dc=example,dc=com" bindmethod=simple\n'
    uris = ("ldap://one.example.com", "ldap://two.example.com")
    text = "".join(f"serverID {number} {uri}\n" for number, uri in enumerate(uris, 1))
    text += 'database mdb\nsuffix "dc=example,dc=com"\n'
    text += "".join(stanza.format(number, uri) for number, uri in enumerate(uris, 1)) + "multiprovider on\n"
    (home / "slapd.conf").write_text(text)
    show = ["config", "show", "--stanza", "slapd.conf", "--format", "json"]

    def names(*more: str) -> list[str]:
        assert run([*show, *more]) == 0
        return [replica["name"] for replica in json.loads(capsys.readouterr().out)["replicas"]]

    for hostname in ("one", "one.example.com"):
        monkeypatch.setattr(socket, "gethostname", lambda name=hostname: name)
        assert names() == ["rid 002"]
    assert names("--consumer", "ldap://three") == ["rid 001", "rid 002"]
    assert names("--provider", uris[0]) == ["rid 001"]
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    assert names() == ["rid 001", "rid 002"]
    (home / "slapd.conf").write_text(text.replace("multiprovider on\n", ""))
    monkeypatch.setattr(socket, "gethostname", lambda: "one")
    assert names() == ["rid 001", "rid 002"]


def test_an_identity_that_is_of_no_use_at_the_consumer(home: Path, capsys: Capture) -> None:
    """A client certificate proves nothing where there is no TLS: that stanza has a problem, and the other has not."""
    for name in ("cert.pem", "key.pem"):
        (home / name).write_text("x")
    text = 'database mdb\nsuffix "dc=x"\nsyncrepl rid=1 provider=ldaps://a searchbase="dc=x" bindmethod=sasl\n'
    text += f"  saslmech=EXTERNAL tls_cert={home}/cert.pem tls_key={home}/key.pem\n"
    text += 'syncrepl rid=2 provider=ldap://b searchbase="dc=x" bindmethod=simple\n'
    (home / "slapd.conf").write_text(text)
    show = ["config", "show", "--stanza", "slapd.conf", "--format", "json", "--consumer", "ldap://localhost"]
    assert run(show) == 0
    first, second = json.loads(capsys.readouterr().out)["replicas"]
    assert "SASL EXTERNAL at ldap://localhost has no identity to offer" in first["problem"]
    assert "--consumer-bind-dn" in first["problem"]
    assert second["problem"] is None
    assert run([*show[:-1], "http://x"]) == 2
    assert "is not an LDAP URL" in capsys.readouterr().err
