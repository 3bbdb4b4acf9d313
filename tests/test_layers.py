"""Who may import whom (docs/architecture.md): the house keeps its shape only if somebody looks.

cli may import all; verbs the ports and the domain; wire the protocol and the domain; report the domain; protocol and
domain nothing but the standard library and the errors. `if TYPE_CHECKING` counts too: a type is a dependency.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ldaprepl

PACKAGE = Path(ldaprepl.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
LIMIT = 400  # lines; a longer file is two rooms

MAY: dict[str, set[str]] = {
    "errors": set(),
    "domain": {"domain", "errors"},
    "protocol": {"protocol", "errors"},
    "ports": {"ports", "domain", "errors"},
    "verbs": {"verbs", "ports", "domain", "errors"},
    "wire": {"wire", "protocol", "domain", "ports", "errors", "ldap", "ldap3"},
    "report": {"report", "domain", "errors"},
    "cli": {"cli", "verbs", "wire", "protocol", "report", "ports", "domain", "errors", "version", "click"},
    "version": set(),
}
LIBRARIES = {"ldap": "wire/", "ldap3": "wire/opening.py", "click": "cli/"}
NO_INPUT_OR_OUTPUT = {"io", "os", "socket", "ssl", "subprocess", "time", "logging", "random", "secrets", "pathlib"}


def layer(module: str) -> str:
    """`ldaprepl.domain.entry` -> domain, `ldaprepl.verify` -> verbs; a foreign module is its own layer."""
    head, *rest = module.split(".")
    if head != "ldaprepl":
        return head
    if not rest:
        return "version"
    if rest[0] in MAY:
        return rest[0]
    if rest[0].endswith("ports"):
        return "ports"
    return "cli" if rest[0] == "__main__" else "verbs"


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every import, wherever it stands, as line and module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides where it goes"
            module = node.module or ""
            if module == "ldaprepl" or (PACKAGE.parent / module.replace(".", "/")).is_dir():
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module


def is_room(path: Path) -> bool:
    return path.name != "__init__.py" or path.parent == PACKAGE


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_keep_to_the_layers(path: Path) -> None:
    here = layer(name_of(path)) if is_room(path) else layer(name_of(path) + ".x")
    wrong = []
    for line, module in imports(path):
        there = "version" if module == "ldaprepl.__version__" else layer(module)
        if there in sys.stdlib_module_names:
            continue
        if there not in MAY[here]:
            wrong.append(f"{path.name}:{line} ({here}) imports {module} ({there})")
    assert not wrong


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_stay_in_their_place(library: str) -> None:
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in FILES
        for _, module in imports(path)
        if module.split(".")[0] == library
    }
    assert users, "and this test looks at something"
    assert {user for user in users if not user.startswith(LIBRARIES[library])} == set()


@pytest.mark.parametrize("folder", ["domain", "protocol"])
def test_what_is_pure_has_no_clock_no_files_and_no_chance(folder: str) -> None:
    found = [
        f"{path.name}:{line} imports {module}"
        for path in (PACKAGE / folder).glob("*.py")
        for line, module in imports(path)
        if module.split(".")[0] in NO_INPUT_OR_OUTPUT
    ]
    assert found == []


def test_nothing_but_the_command_line_prints() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in FILES
        if layer(name_of(path)) != "cli"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "input")
    ]
    assert found == []


def test_no_file_is_too_long_and_none_is_called_utils() -> None:
    sizes = {path.relative_to(PACKAGE).as_posix(): len(path.read_text().splitlines()) for path in FILES}
    assert {name: size for name, size in sizes.items() if size > LIMIT} == {}
    assert not [name for name in sizes if "util" in name or "helper" in name or "common" in name]


def test_every_module_says_what_lives_there() -> None:
    mute = [
        path.relative_to(PACKAGE).as_posix()
        for path in FILES
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert mute == ["__main__.py"] or mute == []
