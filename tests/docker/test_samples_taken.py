"""The sample configurations, generated for each version, are taken by that version's slaptest and slapadd."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from lab import ServerFactory

from ldaprepl.domain.version import Version

pytest_plugins = ["lab", "compatibility"]
pytestmark = pytest.mark.docker

FILE = Path(__file__).parents[2] / "slapd-conf" / "generate.py"


def generator(version: str) -> ModuleType:
    """A copy of the generator that writes for this version."""
    spec = importlib.util.spec_from_file_location(f"samples_for_{version.replace('.', '_')}", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    vars(module)["_VERSION"] = Version.parse(version)
    return module


@pytest.mark.shows("slapd-conf/: every sample in both forms, generated for the version, is taken by slaptest")
@pytest.mark.parametrize("version", ["2.4", "2.5", "2.6"])
def test_every_sample_is_taken(version: str, made_in: ServerFactory) -> None:
    node = made_in(version)
    for name, text in generator(version).samples().items():
        placed = text.replace("/var/lib/ldap", str(node.folder / name))
        if name.endswith(".ldif"):
            node.configure_ldif(placed)
            node.tool("test", "-u")
        else:
            taken, words = node.slaptest(placed)
            assert taken, f"{name}: {words}"
