"""What a repair says of itself in the text report: done, left, and why, in this order; hostile values escaped."""

from __future__ import annotations

from ldaprepl.domain.change import Delete, Mod, Modify, Rename
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.repair import RepairMode, RepairReport, Unrepaired
from ldaprepl.report.repair import document, lines

CHANGES = (
    Delete("", "", "cn=\x1b[31ma,dc=x"),
    Rename("", "", "cn=b,dc=x", "cn=c", "ou=d,dc=x"),
    Modify("", "", "cn=e,dc=x", (Mod("replace", "sn", (b"1",)), Mod("delete", "mail")), Entry("cn=e,dc=x", {})),
)


def test_nothing_asked_for_and_nothing_to_do() -> None:
    assert lines(None) == []
    assert lines(RepairReport(RepairMode.APPLY)) == ["  repair: nothing to do"]


def test_what_would_be_done() -> None:
    assert lines(RepairReport(RepairMode.APPLY, planned=3, changes=CHANGES)) == [
        "  repair on the consumer: 3 findings would be repaired, 0 refused",
        "    would delete cn=\\x1b[31ma,dc=x",
        "    would rename cn=b,dc=x to cn=c,ou=d,dc=x",
        "    would modify cn=e,dc=x (sn, mail)",
        "    Nothing was written: --yes does it, --format ldif shows it whole.",
    ]
    assert "    … and 2 more (--limit 0 shows all)" in lines(
        RepairReport(RepairMode.TOUCH, planned=3, changes=CHANGES), 1
    )


def test_what_was_done_and_what_was_not() -> None:
    refused = (Unrepaired("cn=a,dc=x", "no\nway"),)
    made = RepairReport(RepairMode.TOUCH, True, 3, 2, 1, refused, CHANGES, notes=("n",))
    assert lines(made) == [
        "  repair by touching the provider: 2 of 3 done, 1 healed, 1 refused",
        "    refused: cn=a,dc=x: no\\x0away",
        "    note: n",
    ]


def test_what_stopped_it() -> None:
    made = RepairReport(RepairMode.APPLY, halted="it is shut", cure="Open it.")
    assert lines(made) == ["  repair on the consumer: nothing was done", "    it is shut.", "    Open it."]
    assert document(made)["halted"] == {"text": "it is shut", "cure": "Open it."}
