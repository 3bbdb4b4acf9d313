"""The fears: a temporary file that stays or that others can read, and a full disk that reads like a divergence."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from ldaprepl.errors import LdapreplError
from ldaprepl.wire.overflow import SqliteOverflow


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_nothing_is_written_before_it_is_needed(folder: Path) -> None:
    with SqliteOverflow() as overflow:
        assert not overflow.used
        assert list(overflow.joined()) == []
        assert list(folder.iterdir()) == []


def test_pairs_by_name_whatever_the_bytes(folder: Path) -> None:
    names = [b"", b"\0", b"cn=a", b"CN=A", b"cn=a\0", b"\xff\xfe", "cn=Zoë".encode(), b"x" * 100_000]
    with SqliteOverflow() as overflow:
        overflow.add(0, [(name, b"provider" + name[:4]) for name in names[:-1]])
        overflow.add(1, [(name, b"consumer" + name[:4]) for name in names[1:]])
        assert overflow.used
        found = {dn: (ours, theirs) for dn, ours, theirs in overflow.joined()}
    assert found.keys() == set(names)
    assert found[b""] == (b"provider", None)
    assert found[b"x" * 100_000] == (None, b"consumerxxxx")
    assert found[b"CN=A"] == (b"providerCN=A", b"consumerCN=A")


def test_the_file_is_ours_alone_and_goes_away(folder: Path) -> None:
    overflow = SqliteOverflow()
    overflow.add(0, [(b"cn=a", b"1")])
    (place,) = folder.iterdir()
    assert place.stat().st_mode & 0o777 == 0o700
    overflow.close()
    assert list(folder.iterdir()) == []
    overflow.close()


def test_an_error_in_the_block_removes_it_too(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt), SqliteOverflow() as overflow:
        overflow.add(0, [(b"cn=a", b"1")])
        raise KeyboardInterrupt
    assert list(folder.iterdir()) == []


def test_many_rows_come_back_once(folder: Path) -> None:
    with SqliteOverflow() as overflow:
        for first in range(0, 20_000, 1000):
            overflow.add(first // 1000 % 2, [(b"cn=%d" % n, b"%16d" % n) for n in range(first, first + 1000)])
        found = list(overflow.joined())
    assert len(found) == 20_000
    assert len({dn for dn, _, _ in found}) == 20_000
    assert sum(ours is None for _, ours, _ in found) == 10_000


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may grow beyond 64 KiB (the signal that comes with it is ignored by Python)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said_in_words(folder: Path, small_disk: None) -> None:
    many = [(b"cn=%d,%s" % (number, b"x" * 500), b"%16d" % number) for number in range(100_000)]
    with SqliteOverflow() as overflow, pytest.raises(LdapreplError, match="temporary file") as caught:
        overflow.add(0, many)
        list(overflow.joined())
    assert "TMPDIR" in caught.value.cure


def test_no_place_at_all_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/no/such/folder")
    with SqliteOverflow() as overflow, pytest.raises(LdapreplError, match="temporary file"):
        overflow.add(0, [(b"cn=a", b"1")])
