"""The man pages must name every option, and be right in the eyes of mandoc and groff, where those are installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from ldaprepl.cli.commands import COMMANDS, cli
from ldaprepl.domain import profile
from ldaprepl.domain.profilekeys import REPLICA_KEYS, SERVER_KEYS
from ldaprepl.errors import ExitCode

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("man")
    generator = [sys.executable, str(ROOT / "contrib/man/generate.py"), str(folder)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "PYTHONPATH": str(ROOT)}
    subprocess.run(generator, env=environment, check=True)
    return folder


def generated() -> ModuleType:
    """The generator itself."""
    spec = importlib.util.spec_from_file_location("man_generate", ROOT / "contrib/man/generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rendered(page: Path) -> str:
    man = shutil.which("man")
    if not man or not shutil.which("groff"):
        pytest.skip("man and groff are not installed")
    environment = {**os.environ, "MANWIDTH": "200", "MAN_KEEP_FORMATTING": "", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([man, "-l", page], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_a_page_for_each_command(pages: Path) -> None:
    assert {page.stem for page in pages.glob("*.1")} == {"ldaprepl", *(f"ldaprepl-{name}" for name in COMMANDS)}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option(pages: Path, name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    text = (pages / f"ldaprepl-{name}.1").read_text().replace(r"\-", "-")
    for option in command.params:
        if isinstance(option, click.Option):
            assert all(spelling in text for spelling in (*option.opts, *option.secondary_opts))
            assert option.help


def test_every_key_of_the_configuration(pages: Path) -> None:
    text = (pages / "ldaprepl.toml.5").read_text().replace(r"\-", "-")
    for key in (*SERVER_KEYS, *REPLICA_KEYS):
        assert f"\\fB{key.name}\\fR" in text
        assert key.meaning in text
    assert profile.parse(generated()._EXAMPLE, "example").replicas


def test_what_a_reader_sees(pages: Path) -> None:
    text = rendered(pages / "ldaprepl.1")
    for code in ExitCode:
        assert f"{code.value}" in text
    assert "2023-11-14" in text  # SOURCE_DATE_EPOCH
    text = rendered(pages / "ldaprepl-verify.1")
    assert "    -D cn=replica,dc=example,dc=com -y replica.pw --format json\n" in text  # to be copied as it stands
    assert "\\" not in text.replace(" \\\n", "")  # nothing of the escapes is left


def test_the_pages_are_right(pages: Path) -> None:
    mandoc = shutil.which("mandoc")
    if not mandoc:
        pytest.skip("mandoc is not installed")
    done = subprocess.run([mandoc, "-Tlint", "-W", "warning", *pages.glob("*")], capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.stdout + done.stderr == ""
