"""Writes docs/reference.md from what the program itself declares: commands, exit codes, criteria, causes, lint rules,
JSON schemas. `make reference` runs it; tests/test_reference.py fails where the page no longer says what the code does.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ldaprepl.cli import helptext
from ldaprepl.cli.commands import COMMANDS, cli
from ldaprepl.cli.surroundings import ENVIRONMENT, FILES
from ldaprepl.domain.doctor import Topic
from ldaprepl.domain.health import SEVERITY, Criterion
from ldaprepl.domain.lint_table import TABLE
from ldaprepl.errors import MEANINGS

HERE = Path(__file__).parent
_HEAD = """# Reference

Made from the program by `make reference`; do not edit.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD, "## Commands\n", *map(_command, _pages()), _exit_codes(), _surroundings(), _criteria(), _topics()]
    parts += [_causes(), _lint(), *_schemas()]
    return "\n".join(part for part in parts if part).rstrip("\n") + "\n"


def _pages() -> Iterator[helptext.Page]:
    context = click.Context(cli)
    for name in sorted(COMMANDS):
        command = cli.get_command(context, name)
        assert command is not None
        yield helptext.page_of(command)


def _command(page: helptext.Page) -> str:
    lines = [f"### {page.name}", "", page.summary, "", "```console"]
    lines += [f"$ {line}" if line.startswith("ldaprepl") else f"  {line}" for line in page.examples]
    lines += ["```", ""]
    for paragraph in page.paragraphs:
        lines += [paragraph, ""]
    lines += [page.exit_codes, ""] if page.exit_codes else []
    for title, entries in page.groups:
        rows = [(f"`{_cell(entry.names)}`", _cell(entry.text)) for entry in entries]
        lines += [*_table((title, ""), rows), ""]
    return "\n".join(lines)


def _exit_codes() -> str:
    rows = [(str(code.value), text) for code, text in MEANINGS.items()]
    told = "`check` speaks Nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN; usage errors and crashes are 3 there too."
    return "\n".join(["## Exit codes", "", *_table(("Code", "Meaning"), rows), "", told, ""])


def _surroundings() -> str:
    variables = [(f"`{name}`", text) for name, text in ENVIRONMENT.items()]
    files = [(f"`{name}`", text) for name, text in FILES.items()]
    return "\n".join(
        ["## Environment and files", "", *_table(("Variable", ""), variables), "", *_table(("File", ""), files), ""]
    )


def _criteria() -> str:
    rows = [(f"`{name.value}`", SEVERITY[name].name if name in SEVERITY else "thresholds") for name in Criterion]
    told = "What each means: [check and status](check.md)."
    return "\n".join(["## Criteria of check", "", told, "", *_table(("Criterion", "Default"), rows), ""])


def _topics() -> str:
    rows = [(f"`{topic.value}`",) for topic in Topic]
    return "\n".join(["## Topics of doctor", "", *_table(("Topic",), rows), ""])


def _causes() -> str:
    try:
        table = importlib.import_module("ldaprepl.domain.cause").TABLE
    except ModuleNotFoundError:
        return ""
    rows = [(f"`{code.value}`", _cell(row.text)) for code, row in table.items()]
    told = "What each means, and how it was found out: [causes](causes.md)."
    return "\n".join(["## Causes", "", told, "", *_table(("Code", "What verify says"), rows), ""])


def _lint() -> str:
    rows = [(f"`{code}`", rule.severity.value, _cell(rule.title)) for code, rule in TABLE.items()]
    told = "What each means, and its cure: [lint](lint.md)."
    return "\n".join(["## Lint rules", "", told, "", *_table(("Code", "Severity", "Rule"), rows), ""])


# -- JSON --------------------------------------------------------------------------------------------------------------


def schemas() -> dict[str, Mapping[str, Any]]:
    """The schema files by command."""
    return {path.stem: json.loads(path.read_text()) for path in sorted((HERE / "schema").glob("*.json"))}


def _schemas() -> Iterator[str]:
    yield "## JSON\n\nKeys stay; more may be added. Each form has a JSON schema in `docs/schema/`.\n"
    for name, schema in schemas().items():
        rows = [(f"`{path}`", kind, _cell(text)) for path, kind, text in _below(schema, schema, "", ())]
        told = f"[schema/{name}.json](schema/{name}.json)"
        yield "\n".join([f"### {name} --format json", "", told, "", *_table(("Key", "Type", ""), rows), ""])


def _keys(
    node: Mapping[str, Any], root: Mapping[str, Any], path: str, above: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    """Every key with its path; `[]` stands for the members of a list."""
    for name, found in node.get("properties", {}).items():
        where = f"{path}.{name}" if path else name
        yield where, _kind(found), found.get("description", "")
        yield from _below(found, root, where, above)


def _below(
    node: Mapping[str, Any], root: Mapping[str, Any], path: str, above: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    if "$ref" in node:
        again = node["$ref"] == "#/$defs/report" and path  # the whole form within itself
        if node["$ref"] not in above and not again:
            target = root["$defs"][node["$ref"].rpartition("/")[2]]
            yield from _below(target, root, path, (*above, node["$ref"]))
        return
    if "items" in node:
        yield from _below(node["items"], root, f"{path}[]", above)
    for other in node.get("anyOf", ()):
        yield from _below(other, root, path, above)
    yield from _keys(node, root, path, above)


def _kind(node: Mapping[str, Any]) -> str:
    if "enum" in node:
        return " ".join(f"`{value}`" if value is not None else "null" for value in node["enum"])
    if "const" in node:
        return f"`{node['const']}`"
    kinds = node.get("type", "")
    if "anyOf" in node:
        return "object or null" if {"type": "null"} in node["anyOf"] else "string or object"
    return " or ".join(kinds) if isinstance(kinds, list) else kinds


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if sys.argv[1:] else HERE / "reference.md"
    target.write_text(page())
