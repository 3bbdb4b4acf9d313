"""A seed as a file. The fears: a directory held in memory, a child that comes before its parent, half a file."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from ldaprepl.cli import seedfile
from ldaprepl.cli.output import NoProgress
from ldaprepl.cli.seedfile import write_ldif
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.syncrun import Listed
from ldaprepl.errors import IncompleteRead
from ldaprepl.seed import seed

BASE = "dc=example,dc=com"


class Many:
    """Entries made as they are asked for, each with 100,000 bytes."""

    uri = "ldap://many"

    def __init__(self, count: int) -> None:
        self.count = count

    def context_csn(self) -> CsnSet:
        return CsnSet.parse(["20260101000000.000000Z#000000#000#000000"])

    def read_all(self) -> Iterator[Entry]:
        stamps = {"entryCSN": (b"20260101000000.000000Z#000000#000#000000",)}
        yield Entry(BASE, {"entryUUID": (b"0",), **stamps})
        for number in range(1, self.count):
            yield Entry(f"cn={number},{BASE}", {"entryUUID": (b"%d" % number,), **stamps, "photo": (b"x" * 100_000,)})

    def listing(self) -> Iterator[Listed]:
        return iter(())


@pytest.mark.parametrize("native", [True, False])
def test_a_directory_is_never_held(tmp_path: Path, native: bool) -> None:
    made = seed(Many(100), ReplicationScope(BASE), Schema.EMPTY, NoProgress(), native=native)
    tracemalloc.start()
    try:
        assert write_ldif(tmp_path / "seed", "", BASE, made.entries) == 100
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()
    assert (tmp_path / "seed").stat().st_size > 10_000_000


@pytest.mark.parametrize("held", [1, 1 << 20])
def test_parents_come_first_whatever_the_order_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    monkeypatch.setattr(seedfile, "_HELD", held)
    order = ["cn=x,ou=new,OU=newer", "ou=a", "ou=new,ou=newer", "", "cn=y,ou=a", "ou=newer", "cn=\\2c,ou=elsewhere"]
    entries = [Entry(f"{rdns},{BASE}" if rdns else BASE, {"cn": (b"x",)}) for rdns in order]
    assert write_ldif(tmp_path / "seed", "# head", BASE, iter(entries)) == len(order)
    lines = (tmp_path / "seed").read_text().splitlines()
    found = [line.removeprefix("dn: ").removesuffix(BASE).rstrip(",") for line in lines if line.startswith("dn: ")]
    assert sorted(found) == sorted(order) and lines[0] == "# head"
    assert found.index("") == 0
    assert found.index("ou=newer") < found.index("ou=new,ou=newer") < found.index("cn=x,ou=new,OU=newer")
    assert found.index("ou=a") < found.index("cn=y,ou=a")


def test_what_breaks_off_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "seed"
    file.write_text("old")

    def broken() -> Iterator[Entry]:
        yield Entry(BASE, {"cn": (b"x",)})
        raise IncompleteRead("cut")

    with pytest.raises(IncompleteRead):
        write_ldif(file, "", BASE, broken())
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]
