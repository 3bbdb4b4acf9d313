"""What is built from this tree must hold the program whole: a wheel that runs, a source archive that can be tested."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_OURS = ("ldaprepl", "contrib", "docs", "slapd-conf", "tests", "benchmarks", "compose", ".ci")
_TOP = ("pyproject.toml", "MANIFEST.in", "README.md", "CHANGELOG.md", "LICENSE", "Makefile", "mkdocs.yml")
_SKIPPED = shutil.ignore_patterns("__pycache__", "*.py[co]", "*.egg-info", ".hypothesis", "site")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and a source archive, made from a copy: building leaves things behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in _OURS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=_SKIPPED)
    for name in _TOP:
        shutil.copy(ROOT / name, source)
    code = f"import setuptools.build_meta as b; b.build_sdist({str(out)!r}); b.build_wheel({str(out)!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False)
    if "bdist_wheel" in done.stderr and done.returncode:
        pytest.skip("setuptools is too old to build a wheel by itself (70.1 is not)")
    assert done.returncode == 0, done.stderr
    return out


def _tracked(folder: str) -> set[str]:
    files = (ROOT / folder).rglob("*")
    return {
        str(file.relative_to(ROOT))
        for file in files
        if file.is_file() and not {"__pycache__", ".hypothesis", "site"} & set(file.parts) and file.suffix != ".pyc"
    }


def test_the_wheel_holds_every_file_of_the_package(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if not name.partition("/")[0].endswith(".dist-info")}
    assert names == _tracked("ldaprepl")


def test_the_source_archive_can_be_tested_and_packaged(built: Path) -> None:
    [archive] = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    for folder in _OURS:
        assert _tracked(folder) <= names, folder
    assert set(_TOP) <= names


def test_the_wheel_runs_and_asks_for_nothing_that_must_be_compiled(built: Path, tmp_path: Path) -> None:
    [wheel] = built.glob("*.whl")
    opened = zipfile.ZipFile(wheel)
    opened.extractall(tmp_path)
    [metadata] = tmp_path.glob("*.dist-info/METADATA")
    needed = [line.partition(": ")[2] for line in metadata.read_text().splitlines() if line.startswith("Requires-Dist")]
    assert sorted(line for line in needed if "extra ==" not in line) == ["click>=8.1", "ldap3>=2.9.1"]
    assert any(line.startswith("python-ldap") and "sync" in line for line in needed)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for arguments in (["--version"], ["lint", "--explain", "all"], ["verify", "--help"]):
        command = [sys.executable, "-P", "-m", "ldaprepl", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout
