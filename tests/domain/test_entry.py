"""An entry must give back what the server sent, under any spelling of a name, and never another attribute's values."""

from __future__ import annotations

from ldaprepl.domain.entry import Entry

UUID = b"F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"


def entry(**attributes: tuple[bytes, ...]) -> Entry:
    return Entry("cn=a,dc=x", attributes)


def test_names_match_in_any_case_and_values_stay_as_received() -> None:
    held = entry(mailBox=(b" b ", b"a", b"\xff"))
    assert held.values("MAILBOX") == held.values("mailBox") == (b" b ", b"a", b"\xff")
    assert held.first("mailbox") == b" b "


def test_what_is_not_there_is_empty() -> None:
    held = Entry("", {"cn": ()})
    assert held.values("sn") == ()
    assert held.first("cn") is None
    assert held.uuid is None
    assert held.csn is None


def test_options_make_another_attribute() -> None:
    held = Entry("", {"cn;lang-de": (b"x",)})
    assert held.values("cn") == ()
    assert held.values("CN;Lang-DE") == (b"x",)


def test_uuid_is_lower_case_whatever_the_server_writes() -> None:
    assert entry(entryuuid=(UUID,)).uuid == UUID.decode().lower()


def test_broken_operational_values_do_not_raise() -> None:
    held = entry(entryUUID=(b"\xff",), entryCSN=(b"\xff",))
    assert held.uuid == held.csn == "�"
