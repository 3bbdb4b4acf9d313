"""Every command that the manual shows must be one that the program takes."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from docscommands import PAGES, ROOT, commands

from ldaprepl.cli.commands import cli

SHOWN = [
    (page.relative_to(ROOT).as_posix(), line)
    for page in PAGES
    for console in (True, False)
    for line in commands(page, console=console)
]


def test_there_are_some() -> None:
    """Or the extraction is broken, and nothing is tested."""
    assert len(SHOWN) > 40
    assert {"README.md", "docs/tutorial.md", "docs/sync.md"} <= {page for page, _ in SHOWN}


@pytest.mark.parametrize(("page", "line"), SHOWN, ids=lambda value: value[:60])
def test_the_program_takes_it(page: str, line: str) -> None:
    words = shlex.split(re.sub(r"\s[|&>;].*", "", line).replace("[-", "").replace("$", ""))
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None, words[0]
    try:
        command.make_context(words[0], words[1:])  # raises for an option that is not there
    except click.exceptions.Exit:
        pass  # --help and its kind


def test_the_site_can_be_built(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path / "site"]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site/tutorial.html").exists()


def test_every_page_is_on_the_site() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    named = set(re.findall(r": ([\w/-]+\.md)$", text, re.MULTILINE))
    assert named == {page.relative_to(ROOT / "docs").as_posix() for page in PAGES if page.name != "README.md"}
