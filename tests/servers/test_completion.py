"""What Tab brings, in real shells where they are installed. Bash breaks words at = and :, which DNs and URLs have."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SlapdFactory
from replication import HOUR, SUFFIX, loaded, provider_conf, stamp, tree

from ldaprepl.wire.slapdproc import Slapd

_ASK = """
COMP_WORDBREAKS=$BREAKS
compopt() { :; }
source "$SCRIPT"
COMP_LINE="$LINE" COMP_POINT=${#LINE}
_ldaprepl_completion ldaprepl
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program, as on PATH, and its scripts."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "ldaprepl"
    program.write_text(f"#!{sys.executable}\nimport sys\nfrom ldaprepl.cli.main import main\nmain()\n")
    program.chmod(0o755)
    for shell in ("bash", "zsh", "fish"):
        script = subprocess.run(
            [program, "completion", shell], env=environment(folder), capture_output=True, text=True, check=True
        ).stdout
        (folder / f"complete.{shell}").write_text(script)
    return folder


@pytest.fixture(scope="module")
def asked(slapd_module: SlapdFactory) -> Slapd:
    return loaded(slapd_module(provider_conf()), tree({}, [stamp(HOUR)]))


def shell(name: str) -> str:
    found = shutil.which(name)
    return found if found else pytest.skip(f"{name} is not installed")


def environment(installed: Path, **more: str) -> dict[str, str]:
    package = str(Path(__file__).parents[2])
    path = f"{installed}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": package, "SCRIPT": str(installed / "complete.bash"), **more}


def in_bash(installed: Path, line: str, breaks: str = "\"'><=;|&(:") -> list[str]:
    done = subprocess.run(
        [shell("bash"), "--norc", "-c", _ASK], env=environment(installed, LINE=line, BREAKS=breaks),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ldaprepl ver", ["verify"]),
        ("ldaprepl verify --provid", ["--provider"]),
        ("ldaprepl verify --provider ldaps", ["ldaps://"]),
        ("ldaprepl verify --provider ldap:", ["//"]),
        ("ldaprepl verify --format js", ["json"]),
        ("ldaprepl verify --format=js", ["json"]),
        ("ldaprepl verify --provider ldap://127.0.0.1:1 -b ", [""]),  # nobody answers: silence
    ],
)
def test_bash(installed: Path, line: str, offered: list[str]) -> None:
    assert in_bash(installed, line) == offered


def test_the_base_is_asked_of_the_provider(installed: Path, asked: Slapd) -> None:
    line = f"ldaprepl verify --provider {asked.ldap_uri} -b "
    assert in_bash(installed, line) == [SUFFIX]
    assert in_bash(installed, f"{line}dc=exa") == [SUFFIX.removeprefix("dc=")]  # what follows the last break
    assert in_bash(installed, f"{line}DC=EXAMPLE,dc=") == ["com"]
    assert in_bash(installed, f"{line}o=") == [""]
    assert in_bash(installed, f"{line}dc=exa", breaks=" ") == [SUFFIX]
    assert in_bash(installed, f"ldaprepl check --consumer {asked.ldap_uri} --base dc=exa") == ["example,dc=com"]


def test_profiles_of_the_configuration(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ldaprepl.toml"
    file.write_text(
        '[servers.a]\nuri = "ldap://a"\n[replicas.main]\nprovider = "a"\nconsumers = ["ldap://b"]\nbase = "dc=x"\n'
        '[replicas.mail]\nprovider = "a"\nconsumers = ["ldap://b"]\nbase = "dc=x"\n'
    )
    file.chmod(0o600)
    assert in_bash(installed, f"ldaprepl verify --config {file} --profile ") == ["main", "mail"]
    monkeypatch.setenv("LDAPREPL_CONFIG", str(file))
    assert in_bash(installed, "ldaprepl check --profile mai") == ["main", "mail"]
    file.write_text("[replicas")
    assert in_bash(installed, "ldaprepl check --profile mai") == [""]


def test_fish(installed: Path, asked: Slapd) -> None:
    line = f"ldaprepl verify --provider {asked.ldap_uri} -b dc="
    code = f"source {installed}/complete.fish; complete -C '{line}'; complete -C 'ldaprepl ver'"
    done = subprocess.run(
        [shell("fish"), "--no-config", "-c", code], env=environment(installed), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [SUFFIX, "verify"]


def test_zsh_can_read_its_script(installed: Path) -> None:
    subprocess.run([shell("zsh"), "-n", installed / "complete.zsh"], check=True)
