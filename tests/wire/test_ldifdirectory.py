"""A dump in a server's place. The fears: an entry taken for one of another branch, a contextCSN of another database, a
stamp that is older than the newest: each calls a loss lag, or the other way round.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain import dn as names
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.scope import ReplicationScope, Scope
from ldaprepl.errors import IncompleteRead
from ldaprepl.wire.ldifdirectory import LdifDirectory, within
from ldaprepl.wire.ldiffile import LdifFile

VALUES = st.text("aB,\\=+# ", min_size=1, max_size=4).map(lambda text: names.escape(f"x{text}x".encode()))
DNS = st.lists(VALUES, max_size=4).map(lambda values: ",".join(f"cn={value}" for value in values))


def read(folder: Path, text: str, base: str = "") -> LdifDirectory:
    """Read to its end."""
    path = folder / "dump.ldif"
    path.write_text(text)
    directory = LdifDirectory(LdifFile(str(path)), lambda: Schema.EMPTY)
    directory.start(ReplicationScope(base), base)
    while directory.step()[1] is None:
        pass
    return directory


def csn(second: int, sid: int = 1) -> str:
    return f"202501010000{second:02}.000000Z#000000#{sid:03x}#000000"


def in_scope(scope: Scope, base: str, dn: str) -> bool:
    """RFC 4511, section 4.5.1.2, on parsed names."""
    above, below = (
        [sorted((kind.lower(), value.lower()) for kind, value in rdn) for rdn in names.parse(each)]
        for each in (base, dn)
    )
    if below[len(below) - len(above) :] != above or len(below) < len(above):
        return False
    depth = len(below) - len(above)
    return {Scope.BASE: depth == 0, Scope.ONE: depth == 1, Scope.SUB: True, Scope.SUBORD: depth > 0}[scope]


@given(scope=st.sampled_from(Scope), base=DNS, above=DNS, dn=DNS, upper=st.booleans())
def test_what_lies_in_the_scope(scope: Scope, base: str, above: str, dn: str, upper: bool) -> None:
    wanted = within(scope, base, Schema.EMPTY)
    spelled = base.replace("cn=", "CN=") if upper else base
    for name in (dn, base, ",".join(filter(None, (above, spelled))), ",".join(filter(None, (dn, above, base)))):
        assert wanted(name.encode()) is in_scope(scope, base, name), name


def test_levels() -> None:
    dns = ("dc=x", "ou=a,dc=x", "cn=b,ou=a,dc=x", "cn=c,cn=b,ou=a,dc=x", "ou=a,dc=y", "dc=xx")
    for base in (*dns, "", "OU=a,DC=x"):
        for scope in Scope:
            wanted = within(scope, base, Schema.EMPTY)
            assert [dn for dn in dns if wanted(dn.encode())] == [dn for dn in dns if in_scope(scope, base, dn)], base


@pytest.mark.parametrize("scope", Scope)
def test_an_escaped_comma_ends_no_name(scope: Scope) -> None:
    wanted = within(scope, "dc=x", Schema.EMPTY)
    assert not wanted(rb"cn=a\,dc=x")
    assert wanted(rb"cn=a\\,dc=x") is (scope is not Scope.BASE)


def test_the_contextcsn_is_that_of_the_base(tmp_path: Path) -> None:
    """Of the nearest to the root where a subordinate database has its own; of no other suffix in the same file."""
    holders = (("dc=x", 1), ("dc=longer", 2), ("ou=glued,dc=longer", 3))
    text = "".join(f"dn: {dn}\nobjectClass: top\ncontextCSN: {csn(second)}\n\n" for dn, second in holders)
    for base, second in (("dc=x", 1), ("dc=longer", 2), ("ou=glued,dc=longer", 2), ("", 1)):
        assert read(tmp_path, text).context_csn(base).texts() == [csn(second)], base
    assert not read(tmp_path, text).context_csn("dc=other")
    with pytest.raises(IncompleteRead, match="contextCSN that is none"):
        read(tmp_path, "dn: dc=x\ncontextCSN: yesterday\n\n").context_csn("dc=x")


def test_the_newest_stamp_of_each_server_in_any_order(tmp_path: Path) -> None:
    stamps = (csn(2), csn(9), csn(3), csn(7, 2), csn(1, 2), "none#000000#004#000000")
    text = "".join(f"dn: cn={number},dc=x\ncn: {number}\nentryCSN: {stamp}\n\n" for number, stamp in enumerate(stamps))
    assert sorted(read(tmp_path, text).newest().texts()) == [csn(7, 2), csn(9)]
