"""The walls of the house: who may import whom, read from the source (docs/architecture.md has the table)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "ldaprepl"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 400  # lines; above it a file is two rooms

# What a layer may import of ours; "verbs" are the modules directly in the package.
MAY = {
    "cli": {"cli", "report", "wire", "verbs", "ports", "protocol", "domain", "errors", "package"},
    "verbs": {"verbs", "ports", "domain", "errors"},
    "wire": {"wire", "protocol", "domain", "ports", "errors"},
    "report": {"report", "domain"},
    "ports": {"ports", "domain", "errors"},
    "protocol": {"protocol", "errors"},
    "domain": {"domain", "errors"},
    "errors": set(),
    "package": {"cli"},
}
# What of others only some files may know.
GUESTS = {"ldap3": {"wire/opening.py"}, "click": {"cli/"}, "ldap": {"wire/"}}
# Pure layers know nothing of the world.
IMPURE = {
    "socket",
    "ssl",
    "subprocess",
    "os",
    "time",
    "logging",
    "selectors",
    "sqlite3",
    "tempfile",
    "shutil",
    "random",
}


def layer(module: str) -> str:
    """The layer of a dotted name below `ldaprepl`."""
    parts = module.split(".")[1:]
    if not parts or parts[0] == "__main__":
        return "package"
    if parts[0] in ("cli", "wire", "report", "protocol", "domain", "errors", "ports"):
        return parts[0]
    return "ports" if parts[0].endswith("ports") else "verbs"


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names) if module == "ldaprepl" else (module,)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_keeps_to_its_layer(path: Path) -> None:
    here = layer(name_of(path))
    place = str(path.relative_to(PACKAGE))
    for module in imports(path):
        top = module.partition(".")[0]
        if top == "ldaprepl":
            if module == "ldaprepl.__version__":
                continue
            assert layer(module) in MAY[here], f"{place} ({here}) imports {module} ({layer(module)})"
        elif top in GUESTS:
            assert any(place.startswith(allowed) for allowed in GUESTS[top]), f"{place} imports {module}"
        else:
            assert top in sys.stdlib_module_names, f"{place} imports {module}, which nobody installs"
            assert here not in ("domain", "protocol") or top not in IMPURE, f"{place} is pure and imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_is_two_rooms(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST


def test_the_walls_would_be_seen_to_fall(tmp_path: Path) -> None:
    """A test of the test: imports are found wherever they stand."""
    file = tmp_path / "x.py"
    file.write_text("import a.b\nfrom c import d\ndef f():\n    import ldap\n    from ldaprepl import wire\n")
    assert set(imports(file)) == {"a.b", "c", "ldap", "ldaprepl.wire"}
