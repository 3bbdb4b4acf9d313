"""ldap.conf and its kin: the value that counts must be the one that libldap itself would take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ldaprepl.domain.ldapconf import lines
from ldaprepl.wire import ldapconf

pytest.importorskip("ldap")

# What python-ldap can ask libldap for, by our names.
_ASK = """
import json, ldap
names = {"URI": "OPT_URI", "TLS_CACERT": "OPT_X_TLS_CACERTFILE", "TLS_CACERTDIR": "OPT_X_TLS_CACERTDIR",
         "TLS_CERT": "OPT_X_TLS_CERTFILE", "TLS_KEY": "OPT_X_TLS_KEYFILE", "TLS_REQCERT": "OPT_X_TLS_REQUIRE_CERT"}
print(json.dumps({name: ldap.get_option(getattr(ldap, option)) for name, option in names.items()}))
"""
_LEVELS = {"never": 0, "hard": 1, "demand": 2, "allow": 3, "try": 4}
SYSTEM, HOME, DOTTED, HERE = "system.conf", "home/ldaprc", "home/.ldaprc", "here/ldaprc"
INSTALLED = ldapconf.SYSTEM  # what libldap reads on this machine, whatever a test is shown
OTHER, DOTTED_OTHER = "here/other", "home/.other"


@pytest.mark.parametrize(
    ("files", "variables"),
    [
        ({}, {}),
        ({HOME: "URI ldap://home"}, {}),
        ({HOME: "URI ldap://home", DOTTED: "uri\tldap://dotted \t"}, {}),
        ({HOME: "URI ldap://home", DOTTED: "URI ldap://dotted", HERE: "Uri ldap://here\n"}, {}),
        ({HERE: "URI ldap://here", SYSTEM: "URI ldap://system"}, {"LDAPCONF": SYSTEM}),
        ({SYSTEM: "TLS_CERT /c\nTLS_KEY /k\nTLS_CACERT /ca"}, {"LDAPCONF": SYSTEM}),
        ({HERE: "TLS_CERT /c\nTLS_KEY /k\nTLS_CACERT /ca\nTLS_CACERTDIR /dir"}, {}),
        ({SYSTEM: "URI ldap://system", OTHER: "URI ldap://other"}, {"LDAPCONF": SYSTEM, "LDAPRC": "other"}),
        ({OTHER: "URI ldap://other", DOTTED_OTHER: "URI ldap://dotted"}, {"LDAPRC": "other"}),
        ({HERE: "URI ldap://here"}, {"LDAPURI": "ldap://variable"}),
        ({HERE: "URI ldap://here"}, {"LDAPNOINIT": ""}),
        ({HERE: "TLS_REQCERT never\nTLS_REQCERT demand"}, {"LDAPTLS_REQCERT": "allow"}),
        ({HERE: "TLS_REQCERT TRY"}, {}),
        ({HERE: "# URI ldap://comment\n #URI ldap://none\nURI\n   URI   ldap://one   ldap://two\r\n"}, {}),
        ({HERE: 'TLS_CACERT "/with quotes" # and no comment'}, {}),
    ],
)
def test_as_libldap_reads_it(
    files: dict[str, str], variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("home", "here"):
        (tmp_path / folder).mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    known = {name: text for name, text in os.environ.items() if not name.startswith("LDAP")}
    more = {name: str(tmp_path / text) if name == "LDAPCONF" else text for name, text in variables.items()}
    environment = {**known, **more, "HOME": str(tmp_path / "home")}
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(ldapconf, "SYSTEM", INSTALLED)
    asked = subprocess.run([sys.executable, "-c", _ASK], env=environment, capture_output=True, check=True)
    theirs = json.loads(asked.stdout)
    ours = ldapconf.load(environment)
    for name in ("TLS_CACERT", "TLS_CACERTDIR", "TLS_CERT", "TLS_KEY"):
        found = ours.get(name)
        assert (found.value if found else None) == theirs[name], name
    level = ours.get("TLS_REQCERT")
    assert _LEVELS[level.value.lower() if level else "demand"] == theirs["TLS_REQCERT"]
    uri = ours.get("URI")
    wanted = uri.value if uri else "ldap://localhost"
    assert [each.split("/?")[0].removesuffix(":389") for each in theirs["URI"].replace(":389/??base", "").split()] == [
        each.rstrip("/") for each in wanted.split()
    ]


def test_where_a_value_stands() -> None:
    ((option, setting),) = lines("\n\nBASE dc=x", "/etc/ldap/ldap.conf", user=False)
    assert (option, setting.value, setting.origin) == ("BASE", "dc=x", "/etc/ldap/ldap.conf:3")
    assert list(lines("BINDDN cn=x\nTLS_CERT /c", "f", user=False)) == []


def test_a_file_of_somebody_else_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ldaprc` in a folder that others may write to could name a CA."""
    (tmp_path / "ldaprc").write_text("TLS_CACERT /evil.pem")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    if (tmp_path / "ldaprc").stat().st_uid == 0:
        os.chown(tmp_path / "ldaprc", 65534, 65534)
    conf = ldapconf.load({})
    assert conf.foreign == (Path("ldaprc"),)
    found = conf.get("TLS_CACERT")
    assert found is None or found.value != "/evil.pem"


def test_libldap_does_not_read_it_either(tmp_path: Path) -> None:
    """It would, as soon as python-ldap is imported."""
    if os.geteuid():
        pytest.skip("only root can give a file away")
    (tmp_path / "ldaprc").write_text("TLS_CACERT /evil.pem\n")
    ask = "import ldaprepl.wire.session, ldap; print(ldap.get_option(ldap.OPT_X_TLS_CACERTFILE))"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(tmp_path)}

    def found() -> str:
        run = subprocess.run(
            [sys.executable, "-c", ask], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    assert found() == "/evil.pem"  # ours, so far
    os.chown(tmp_path / "ldaprc", 65534, 65534)
    assert found() != "/evil.pem"
