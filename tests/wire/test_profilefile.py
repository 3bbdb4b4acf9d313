"""ldaprepl.toml on disk: nobody else's file may make us run a program, and no password may lie open."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ldaprepl.domain.profile import Table
from ldaprepl.domain.words import Place
from ldaprepl.errors import LdapreplError, UsageError
from ldaprepl.wire import profilefile

OPEN = '[servers.a]\nuri = "ldap://a"\nbind_dn = "cn=x"\n'


def written(folder: Path, text: str = OPEN, mode: int = 0o600, name: str = "ldaprepl.toml") -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


def test_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(profilefile, "SYSTEM", tmp_path / "system.toml")
    home = {"HOME": str(tmp_path / "home")}
    with pytest.raises(UsageError, match=r"ldaprepl\.toml, .*home/\.config/ldaprepl/config\.toml, .*system\.toml"):
        profilefile.find(None, home)
    system = written(tmp_path, name="system.toml")
    assert profilefile.find(None, home)[0] == system
    own = tmp_path / "home" / ".config" / "ldaprepl"
    own.mkdir(parents=True)
    assert profilefile.find(None, home)[0] == system
    mine = written(own, name="config.toml")
    assert profilefile.find(None, home)[0] == mine
    written(tmp_path)
    assert profilefile.find(None, home)[0] == Path("ldaprepl.toml")
    assert profilefile.find(None, {**home, "LDAPREPL_CONFIG": "/x"}) == (Path("/x"), "$LDAPREPL_CONFIG")
    assert profilefile.find(Path("/y"), {**home, "LDAPREPL_CONFIG": "/x"}) == (Path("/y"), "--config")


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write(mode: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="may be written by others") as refused:
        profilefile.read(written(tmp_path, mode=mode))
    assert "chmod go-w" in refused.value.cure


def test_a_file_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path)
    if path.stat().st_uid == 0:
        os.chown(path, 65534, 65534)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(UsageError, match="could name a program to run"):
        profilefile.read(path)


def test_a_password_in_a_file_that_others_may_read(tmp_path: Path) -> None:
    text = OPEN + 'password = "s3cret"\n'
    assert profilefile.read(written(tmp_path, text, 0o640)).servers["a"].get("password")
    with pytest.raises(UsageError, match="a password stands in a file that others may read") as refused:
        profilefile.read(written(tmp_path, text, 0o644))
    assert f"{tmp_path}/ldaprepl.toml:4: " in refused.value.message
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "words"), [("none", "cannot be read"), (".", "Is a directory"), ("/dev/null", "is no file")]
)
def test_what_is_no_file(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        profilefile.read(tmp_path / name)


def server(**values: object) -> Table:
    return Table("a", Place("f", 1), values, {key: Place("f", 9) for key in values})


def test_passwords(tmp_path: Path) -> None:
    source = str(tmp_path / "ldaprepl.toml")
    assert profilefile.password(server(), source) is None
    written(tmp_path, "from a file\n", name="pw")
    found = profilefile.password(server(password_file="pw"), source)  # beside the configuration
    assert found is not None
    assert found.reveal() == "from a file"
    found = profilefile.password(server(password_command=("printf", "%s\\n", "two words; $HOME")), source)
    assert found is not None
    assert found.reveal() == "two words; $HOME"  # no shell


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"password_file": "open"}, "f:9: the password file .*open is open to others"),
        ({"password_file": "none"}, "f:9: the password file .*none cannot be read"),
        ({"password_file": "empty"}, "f:9: .* is empty"),
        ({"password_command": ("/no/such/program",)}, "f:9: /no/such/program cannot be run"),
        ({"password_command": ("false",)}, r"f:9: false gave no password \(exit code 1\)"),
        ({"password_command": ("true",)}, "f:9: what true prints is empty"),
    ],
)
def test_passwords_that_are_refused(values: dict[str, object], words: str, tmp_path: Path) -> None:
    written(tmp_path, "x", 0o644, "open")
    written(tmp_path, "\n", name="empty")
    with pytest.raises(LdapreplError, match=words):
        profilefile.password(server(**values), str(tmp_path / "ldaprepl.toml"))
