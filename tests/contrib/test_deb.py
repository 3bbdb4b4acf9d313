"""What contrib/debian/ says must fit the tree it packages. `make deb` builds the package and lets lintian judge it."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEBIAN = ROOT / "contrib/debian"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_version_is_that_of_the_program() -> None:
    [found] = re.findall(r"^ldaprepl \((.*?)\)", (DEBIAN / "changelog").read_text(), re.MULTILINE)[:1]
    assert found == PROJECT["version"]


def test_the_libraries_are_those_of_the_program() -> None:
    """dh_python3 turns `dependencies` into Depends; what is only recommended must be named."""
    control = (DEBIAN / "control").read_text()
    assert "Recommends: python3-ldap\n" in control
    for requirement in PROJECT["dependencies"]:
        name = re.split(r"[<>=]", requirement)[0]
        assert f"python3-{name}" in control  # to make man pages and completion
    wanted = PROJECT["requires-python"].removeprefix(">=")
    assert f"python3 (>= {wanted})" in control


def test_everything_that_is_packed_exists() -> None:
    for name in ("ldaprepl.docs", "ldaprepl.examples"):
        for pattern in (DEBIAN / name).read_text().split():
            assert list(ROOT.glob(pattern)), pattern
    rules = (DEBIAN / "rules").read_text()
    for source in re.findall(r"^\t(?:cp|python3) (contrib/\S+)", rules, re.MULTILINE):
        assert (ROOT / source).exists()


def test_the_scripts_are_right_and_can_be_run() -> None:
    for name in ("build", "ldaprepl.postrm"):
        subprocess.run(["bash", "-n", DEBIAN / name], check=True)
    assert (DEBIAN / "build").stat().st_mode & 0o100
    assert (DEBIAN / "rules").stat().st_mode & 0o100
