"""The reference must name every option, exit code, criterion, topic, cause, lint rule and JSON key, and none besides.

When this fails: `make reference`, and for JSON keys docs/schema/ first.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
from pathlib import Path

import click
import pytest
from jsonforms import complaints, keys_of

from ldaprepl.cli.commands import COMMANDS, cli
from ldaprepl.cli.surroundings import ENVIRONMENT
from ldaprepl.domain.doctor import Topic
from ldaprepl.domain.health import Criterion
from ldaprepl.domain.lint_table import TABLE
from ldaprepl.errors import MEANINGS, ExitCode

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/reference.md").read_text()
_README = (ROOT / "README.md").read_text()


def section(title: str, level: int = 2) -> str:
    mark = "#" * level
    found = re.search(rf"^{mark} {re.escape(title)}\n(.*?)(?=^#{{1,{level}}} |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title}"
    return found[1]


def first_cells(text: str) -> list[str]:
    return [cell for cell in re.findall(r"^\| `?([^`|]*)`? \|", text, re.MULTILINE) if not cell.startswith("-")]


def test_the_page_is_what_the_program_says() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec
    assert spec.loader
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.page() == TEXT, "make reference writes it anew"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_none_besides(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    spellings = {s for p in command.params if isinstance(p, click.Option) for s in (*p.opts, *p.secondary_opts)}
    rows = re.findall(r"^\| `(-[^`]*)` \|", section(name, 3), re.MULTILINE)
    written = {word for row in rows for word in re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", row)}
    assert written == spellings


def test_every_exit_code_and_none_besides() -> None:
    assert set(MEANINGS) == set(ExitCode)
    rows = dict(re.findall(r"^\| (\d+) \| (.*) \|$", section("Exit codes"), re.MULTILINE))
    assert rows == {str(code.value): text for code, text in MEANINGS.items()}
    assert dict(re.findall(r"^\| (\d+) \| (.*) \|$", _README, re.MULTILINE)) == rows


def test_every_criterion_topic_and_lint_rule_and_none_besides() -> None:
    assert first_cells(section("Criteria of check"))[1:] == [each.value for each in Criterion]
    assert first_cells(section("Topics of doctor"))[1:] == [each.value for each in Topic]
    assert first_cells(section("Lint rules"))[1:] == list(TABLE)


def test_every_cause_and_none_besides() -> None:
    if importlib.util.find_spec("ldaprepl.domain.cause") is None:
        pytest.skip("verify tells no causes yet")
    table = importlib.import_module("ldaprepl.domain.cause").TABLE
    assert first_cells(section("Causes"))[1:] == [code.value for code in table]


def test_every_variable_that_is_read() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "ldaprepl").rglob("*.py"))
    assert set(re.findall(r"\bLDAPREPL_[A-Z_]+", sources)) == {name for name in ENVIRONMENT if "LDAPREPL" in name}
    assert first_cells(section("Environment and files"))[1 : len(ENVIRONMENT) + 1] == list(ENVIRONMENT)


# -- JSON --------------------------------------------------------------------------------------------------------------

_WRITERS = {
    "verify": ("report/json.py", "report/repair.py", "report/blindness.py"),
    "check": ("report/check.py", "report/several.py"),
    "status": ("report/check.py", "report/several.py"),
    "config": ("report/settings.py",),
    "sync": ("report/sync.py",),
    "doctor": ("report/doctor.py",),
}


def keys_in(name: str) -> set[str]:
    """Every text that is a key in a dict display of that module."""
    tree = ast.parse((ROOT / "ldaprepl" / name).read_text())
    displays = (node for node in ast.walk(tree) if isinstance(node, ast.Dict))
    return {key.value for node in displays for key in node.keys if isinstance(key, ast.Constant)}


@pytest.mark.parametrize("name", _WRITERS)
def test_every_json_key_and_none_besides(name: str) -> None:
    written = set().union(*map(keys_in, _WRITERS[name]))
    assert keys_of(name) == written
    in_page = re.findall(r"^\| `([^`]*)` \|", section(f"{name} --format json", 3), re.MULTILINE)
    assert {path.rpartition(".")[2].removesuffix("[]") for path in in_page} == written


def test_the_judge_sees_what_is_wrong() -> None:
    """Or the tests that use it prove nothing."""
    right = {"schema": 1, "command": "verify", "verdict": "equal"}
    assert complaints("verify", right) == []
    assert complaints("verify", {**right, "verdict": "fine"})
    assert complaints("verify", {**right, "seconds": "1"})
    assert complaints("verify", {**right, "consumers": [{"uri": "ldap://a"}]})
    assert complaints("verify", {**right, "new": 1})
    assert complaints("verify", {"schema": 1})
