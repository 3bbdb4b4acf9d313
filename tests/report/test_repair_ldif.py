"""The LDIF of a repair: read back, it is the same changes, whatever the values are; and its comments stay comments."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from ldaprepl.domain import dn as names
from ldaprepl.domain.change import Add, Change, Delete, Mod, Modify, Rename
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import Record
from ldaprepl.domain.ldif import records as read_records
from ldaprepl.domain.repair import RepairMode, RepairReport, Unrepaired
from ldaprepl.domain.verdict import ConsumerReport, VerifyReport
from ldaprepl.report.repair import document, lines, render

VALUES = st.binary(min_size=0, max_size=120) | st.text(max_size=40).map(str.encode)
NAMES = st.sampled_from(["cn", "sn", "userPassword", "jpegPhoto", "cn;lang-de", "userCertificate;binary", "2.5.4.13"])
RDNS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).map(
    lambda text: f"cn={names.escape(text.encode())}"
)
DNS = st.lists(RDNS, min_size=1, max_size=3).map(",".join)
ATTRIBUTES = st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=3).map(tuple), min_size=1, max_size=4)
MODS = st.lists(
    st.builds(Mod, st.sampled_from(["add", "replace"]), NAMES, st.lists(VALUES, min_size=1, max_size=3).map(tuple))
    | st.builds(Mod, st.just("delete"), NAMES, st.lists(VALUES, max_size=2).map(tuple)),
    min_size=1, max_size=4,
).map(tuple)  # fmt: skip
CHANGES = (
    st.builds(Add, st.just(""), st.just(""), DNS, ATTRIBUTES)
    | st.builds(Delete, st.just(""), st.just(""), DNS)
    | st.builds(Rename, st.just(""), st.just(""), DNS, RDNS, st.just("") | DNS, st.booleans())
    | st.builds(Modify, st.just(""), st.just(""), DNS, MODS, st.just(Entry("", {})))
)


def change_of(record: Record) -> Change:
    """One change record as a change (RFC 2849)."""
    (word, kind), *rest = record.pairs
    assert word == "changetype"
    match kind:
        case b"add":
            held: dict[str, tuple[bytes, ...]] = {}
            for name, value in rest:
                held[name] = (*held.get(name, ()), value)
            return Add("", "", record.dn, held)
        case b"delete":
            assert not rest
            return Delete("", "", record.dn)
        case b"modrdn":
            said = dict(rest)
            above = said.get("newsuperior", b"").decode()
            return Rename("", "", record.dn, said["newrdn"].decode(), above, said["deleteoldrdn"] == b"1")
    mods: list[Mod] = []
    open_: Mod | None = None
    for name, value in rest:
        if name == "-":
            assert open_ is not None
            mods.append(open_)
            open_ = None
        elif open_ is None:
            open_ = Mod(name, value.decode())
        else:
            assert name == open_.name
            open_ = Mod(open_.how, open_.name, (*open_.values, value))
    assert open_ is None
    return Modify("", "", record.dn, tuple(mods), Entry("", {}))


def rendered(made: RepairReport) -> str:
    consumer = ConsumerReport("ldap://b", repair=made)
    return render(VerifyReport("dc=x", "ldap://a", CsnSet(), (consumer,)))


@settings(max_examples=200, deadline=None)
@given(st.lists(CHANGES, max_size=6), st.sampled_from(list(RepairMode)), st.text(max_size=30))
def test_it_reads_back(changes: list[Change], mode: RepairMode, hostile: str) -> None:
    refused = (Unrepaired(f"cn={hostile}\ndn: cn=smuggled", f"because\n{hostile}"),)
    made = RepairReport(mode, changes=tuple(changes), planned=len(changes), refused=refused, written="updatedn")
    text = rendered(made)
    assert text.isascii() or all(line.startswith("#") for line in text.splitlines() if not line.isascii())
    assert [change_of(record) for record in read_records(io.StringIO(text, newline="\n"))] == changes


def test_no_record_where_the_brake_held() -> None:
    change = Delete("", "", "cn=a,dc=x")
    made = RepairReport(RepairMode.APPLY, changes=(change,), planned=1, halted="too many", written="updatedn")
    assert list(read_records(rendered(made).splitlines())) == []
    assert "too many" in rendered(made)


def test_no_secret_but_in_the_ldif() -> None:
    change = Modify("", "", "cn=a,dc=x", (Mod("replace", "userPassword", (b"hunter2",)),), Entry("cn=a,dc=x", {}))
    made = RepairReport(RepairMode.APPLY, changes=(change,), planned=1, written="updatedn")
    assert "hunter2" in rendered(made)
    assert "keep it closed" in rendered(made)
    assert "hunter2" not in repr(document(made)) + "\n".join(lines(made))
