"""The fears: a value that changes on its way, one that smuggles lines in, an escape sequence on a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import Record, entries, entry_text, line, records

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}(;[a-z][a-z0-9-]{0,4}){0,2}", fullmatch=True)
VALUES = st.one_of(st.binary(max_size=200), st.text(max_size=120).map(lambda text: text.encode("utf-8", "replace")))
ATTRIBUTES = st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=3).map(tuple), max_size=5)


def unfolded(text: str) -> list[str]:
    return text.replace("\n ", "").splitlines()


@given(dn=st.text(max_size=60), attributes=ATTRIBUTES, width=st.sampled_from([0, 20, 76]))
def test_what_is_written_reads_back(dn: str, attributes: dict[str, tuple[bytes, ...]], width: int) -> None:
    attributes = {name: values for name, values in attributes.items() if name.lower() not in ("changetype", "dn")}
    if len({name.lower() for name in attributes}) < len(attributes):
        return
    text = entry_text(Entry(dn, attributes), width)
    assert list(entries(text.split("\n"))) == [Entry(dn, attributes)]
    assert text.isascii() and all(len(part) <= (width or len(part)) for part in text.split("\n"))


@given(value=VALUES)
def test_nothing_unprintable_reaches_a_terminal(value: bytes) -> None:
    assert line("description", value).replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "value", [b" x", b"x ", b":x", b"<x", b"\x00", b"a\nb", b"a\rb", "é".encode(), b"\x1b[2J", b"\x7f"]
)
def test_unsafe_values_are_base64(value: bytes) -> None:
    assert line("cn", value).startswith("cn:: ")


@pytest.mark.parametrize("value", [b"x", b"a: b", b"a<b", b"#x", b"-", b"a  b", b"x" * 70])
def test_safe_values_are_readable(value: bytes) -> None:
    assert line("cn", value) == f"cn: {value.decode()}\n"


def test_the_empty_value() -> None:
    assert line("cn", b"") == "cn:\n"
    assert list(entries(["dn: o=x", "cn:", "sn: "])) == [Entry("o=x", {"cn": (b"",), "sn": (b"",)})]


@pytest.mark.parametrize("size", [70, 71, 72, 73, 74, 75, 76, 77, 146, 147, 148, 149, 150, 1000])
def test_folding_at_every_border(size: int) -> None:
    text = line("cn", b"x" * size)
    assert unfolded(text) == ["cn: " + "x" * size]
    assert max(map(len, text.splitlines())) == min(76, size + 4)


@pytest.mark.parametrize("name", ["", "cn\ndn", "cn: x", "c n", "é", "-", "cn;\r"])
def test_a_name_cannot_smuggle_lines_in(name: str) -> None:
    with pytest.raises(ValueError, match="not an attribute description"):
        line(name, b"x")
    with pytest.raises(ValueError, match="not an attribute description"):
        entry_text(Entry("o=x", {name: (b"x",)}))


def test_a_dn_cannot_smuggle_lines_in() -> None:
    entry = Entry("cn=x\nchangetype: delete\n\ndn: o=y", {"cn": (b"x",)})
    assert list(entries(entry_text(entry).splitlines())) == [entry]


def test_what_other_programs_write_is_read() -> None:
    text = (
        "\ufeffversion: 1\r\n"
        "# a comment\r\n"
        "#  that is\r\n folded\r\n"
        "\r\n\r\n"
        "DN:cn=first,o=x\r\n"
        "cn:first\r\n"
        "description: two words\r\n   continued\r\n"
        "CN: second\r\n"
        "# comment inside\r\n"
        "o:: w6k=\r\n"
        "raw: é\r\n"
        "\r\n"
        "dn:: Y249w6ksbz14\r\n"
        "cn: last"
    )
    assert list(entries(text.split("\n"))) == [
        Entry(
            "cn=first,o=x",
            {
                "cn": (b"first", b"second"),
                "description": (b"two words  continued",),
                "o": ("é".encode(),),
                "raw": ("é".encode(),),
            },
        ),
        Entry("cn=é,o=x", {"cn": (b"last",)}),
    ]


def test_a_change_record_is_read_as_it_stands() -> None:
    text = "\ndn: o=x\nchangetype: modify\nreplace: cn\ncn: a\n-\ndelete: sn\n-\n"
    pairs = (("changetype", b"modify"), ("replace", b"cn"), ("cn", b"a"), ("-", b""), ("delete", b"sn"), ("-", b""))
    assert list(records(text.splitlines())) == [Record(2, "o=x", pairs)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("dn: o=x\nno colon", "line 2: no attribute name"),
        ("\n\ncn: x", "line 3: a record must begin with dn"),
        ("dn: o=x\n\n continued", "line 3: no attribute name"),
        ("dn: o=x\ncn:: ###", "line 2: cn: is not valid base64"),
        ("dn: o=x\ncn:: YQ", "line 2: cn: is not valid base64"),
        ("dn: o=x\ncn:: é", "line 2: cn: is not valid base64"),
        ("dn: o=x\ncn:< file:///etc/passwd", "line 2: cn:< names a file"),
        ("dn: o=x\n\ndn: o=y\nchangetype: delete", "line 3: a change record"),
        ("dn: o=x\ncn: a\n-", "line 1: a change record"),
    ],
)
def test_what_cannot_be_read_names_the_line(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        list(entries(text.split("\n")))


@given(text=st.text(alphabet="dn:cob=x \n#-<é\r\ufeff", max_size=60))
def test_rubbish_is_an_error_and_nothing_else(text: str) -> None:
    try:
        list(entries(text.split("\n")))
    except ValueError as error:
        assert str(error).startswith("line ")
