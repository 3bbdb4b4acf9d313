"""The fears: a dump that was cut and passes for whole, a record that joins its neighbour, a line that nobody names.

Every good file comes three ways: in one piece, byte by byte, and cut in two at any place.
"""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import LdifError, entries, entry_text
from ldaprepl.domain.ldifstream import LdifReader, decode_lines, record_entry, split_record

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}(;[a-z][a-z0-9-]{0,4}){0,2}", fullmatch=True).filter(
    lambda name: name.lower().partition(";")[0] not in ("changetype", "dn")
)
VALUES = st.one_of(st.binary(max_size=200), st.text(max_size=120).map(lambda text: text.encode("utf-8", "replace")))
ATTRIBUTES = st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=3).map(tuple), max_size=5).filter(
    lambda held: len({name.lower() for name in held}) == len(held)
)
ENTRIES = st.lists(st.builds(Entry, st.text(min_size=1, max_size=60), ATTRIBUTES), max_size=6)

ADA = b"dn: uid=ada,dc=x\nuid: ada\nsn: Lovelace\n\n"
BOB = b"dn: uid=bob,dc=x\nuid: bob\n\n"
END = b"# search result\nsearch: 2\nresult: 0 Success\n\n# numResponses: 3\n# numEntries: 2\n"
HEAD = b"# extended LDIF\n#\n# LDAPv3\n# base <dc=x> with scope subtree\n# filter: (objectclass=*)\n#\n\n"


def read(*pieces: bytes) -> list[Entry]:
    reader = LdifReader()
    records = [record for piece in pieces for _, record in reader.feed(piece)]
    return [record_entry(record) for record in (*records, *(record for _, record in reader.finish()))]


def dns(*pieces: bytes) -> list[str]:
    return [entry.dn for entry in read(*pieces)]


def failure(*pieces: bytes) -> LdifError:
    with pytest.raises(LdifError) as caught:
        read(*pieces)
    return caught.value


@given(held=ENTRIES, width=st.sampled_from([0, 20, 76]), cut=st.integers(0, 2000), crlf=st.booleans())
def test_what_is_written_reads_back(held: list[Entry], width: int, cut: int, crlf: bool) -> None:
    text = "".join(entry_text(entry, width) for entry in held).encode()
    text = text.replace(b"\n", b"\r\n") if crlf else text
    assert read(text) == held
    assert read(text[:cut], text[cut:]) == held
    assert read(*(text[at : at + 1] for at in range(len(text)))) == held


@given(held=ENTRIES)
def test_fast_and_slow_reader_agree(held: list[Entry]) -> None:
    text = "".join(map(entry_text, held))
    assert read(text.encode()) == list(entries(text.split("\n")))


@given(held=ENTRIES.filter(len), data=st.data())
def test_no_cut_passes_for_whole(held: list[Entry], data: st.DataObject) -> None:
    """Wherever it is cut, the file is refused, or what is left ends with a whole entry."""
    text = "".join(map(entry_text, held)).encode()
    cut = data.draw(st.integers(1, len(text) - 1))
    try:
        left = read(text[:cut])
    except LdifError:
        return
    assert text[:cut].endswith(b"\n\n")
    assert left == held[: len(left)]


@given(garbage=st.binary(max_size=300), cut=st.integers(0, 300))
def test_rubbish_is_an_error_or_entries_and_never_anything_else(garbage: bytes, cut: int) -> None:
    try:
        whole = read(garbage)
    except LdifError as error:
        assert error.line >= 1
        with pytest.raises(LdifError):
            read(garbage[:cut], garbage[cut:])
    else:
        assert read(garbage[:cut], garbage[cut:]) == whole


@given(st.lists(st.sampled_from([ADA, BOB, b"\n", b"# a comment\n", b"# folded\n comment\n", b"\n\n"]), max_size=8))
def test_comments_and_empty_lines_do_not_matter(pieces: list[bytes]) -> None:
    wanted = ["uid=ada,dc=x" if piece is ADA else "uid=bob,dc=x" for piece in pieces if piece in (ADA, BOB)]
    assert dns(b"".join(pieces)) == wanted


def test_what_other_writers_write() -> None:
    odd = (
        b"\xef\xbb\xbfversion: 1\nDN:uid=ada,dc=x\nuid:ada\nUID:  eve\njpegPhoto:: AAE=\ncn;lang-de: \xc3\xa4\n"
        b"# within\ndescription:\n\n\n\ndn:: dWlkPWJvYixkYz14\nsn: a\n  b\n\ndn: dc=x\n\n"
    )
    ada, bob, bare = read(odd)
    assert ada.dn == "uid=ada,dc=x"
    assert ada.attributes == {
        "uid": (b"ada", b"eve"),
        "jpegPhoto": (b"\0\1",),
        "cn;lang-de": ("ä".encode(),),
        "description": (b"",),
    }
    assert (bob.dn, bob.values("sn")) == ("uid=bob,dc=x", (b"a b",))
    assert (bare.dn, dict(bare.attributes)) == ("dc=x", {})


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (ADA + b"dn: uid=eve,dc=x\nuid: eve\n", 6, "not ended by an empty line"),
        (ADA + b"dn: uid=eve,dc=x\nuid: e", 6, "not ended by an empty line"),
        (ADA + b"dn: uid=eve,dc=x", 5, "not ended by an empty line"),
        (ADA + b"dn: uid=eve,dc=x\nuid eve\n\n", 6, "no attribute name and colon"),
        (ADA + b"dn: uid=eve,dc=x\nsn: a\n b\n c\nuid eve\n\n", 9, "no attribute name and colon"),
        (
            ADA + b"dn: uid=eve,dc=x\n# folded\n comment\nmy attribute: eve\n\n",
            8,
            "'my attribute' is no attribute name",
        ),
        (ADA + b"uid: eve\n\n", 5, "a record must begin with dn:"),
        (ADA + b" sn: eve\n\n", 5, "no attribute name"),
        (ADA + b"dn: uid=eve,dc=x\nsn: a\ndn: uid=bob,dc=x\nsn: b\n\n", 7, "a second dn:"),
        (ADA + b"dn: uid=eve,dc=x\nsn: a\nDN: uid=bob,dc=x\nsn: b\n\n", 7, "a second dn:"),
        (ADA + b"dn: uid=eve,dc=x\nchangetype: delete\n\n", 6, "a change record"),
        (ADA + b"dn: uid=eve,dc=x\nCHANGETYPE: modify\nreplace: sn\nsn: x\n-\n\n", 6, "a change record"),
        (ADA + b"dn: uid=eve,dc=x\nsn: x\n-\n\n", 7, "a change record"),
        (ADA + b"dn: uid=eve,dc=x\nsn:: Zm9v!\n\n", 6, "not valid base64"),
        (ADA + b"dn: uid=eve,dc=x\nsn:: Zm9vY\n\n", 6, "not valid base64"),
        (ADA + b"dn: uid=eve,dc=x\nsn:: Z\xc3\xa4==\n\n", 6, "not valid base64"),
        (ADA + b"dn:: !!!\nsn: x\n\n", 5, "not valid base64"),
        (ADA + b"dn: uid=eve,dc=x\njpegPhoto:< file:///etc/passwd\n\n", 6, "not read"),
        ("dn: dc=x\n\n".encode("utf-16"), 1, "UTF-16"),
        (b"\x7fELF\0\0\0" * 40, 1, "no LDIF at all"),
        (HEAD + ADA + BOB, 14, "the end of ldapsearch's output is not there"),
        (HEAD + ADA + END.replace(b"Entries: 2", b"Entries: 7"), 17, "counted 7 entries, but 1 is there"),
        (HEAD + ADA + b"# search result\nsearch: 2\nresult: 4 Size limit exceeded\n\n", 14, "4 (Size limit exceeded)"),
        (ADA + b"search: 2\nresult: 11\n\n", 6, "ended with result 11"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: bytes, line: int, words: str) -> None:
    for pieces in ([text], [text[at : at + 1] for at in range(len(text))]):
        error = failure(*pieces)
        assert words in error.reason
        assert error.line == line


def test_a_record_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ldaprepl.domain.ldifstream.LIMIT", 1000)
    assert "no empty line within" in failure(b"dn: dc=x\n", *[b"description: x\n"] * 200).reason


def test_ldapsearch_ended_well() -> None:
    assert dns(HEAD + ADA + BOB + END) == ["uid=ada,dc=x", "uid=bob,dc=x"]
    page = b"# search result\nsearch: 6\nresult: 0 Success\npagedresults: cookie=DwAA\n"
    assert len(dns(HEAD + ADA + page + HEAD.strip(b"\n") + b"\n\n" + BOB + END)) == 2
    reader = LdifReader()
    reader.feed(HEAD + ADA + b"# search reference\nref: ldap://b/dc=y??sub\n\n" + BOB + END)
    reader.finish()
    assert (reader.entries, reader.references) == (2, 1)


def test_an_entry_cannot_pretend_that_the_search_failed_or_ended() -> None:
    entry = b"# result: 4 Size limit exceeded\ndn: cn=x,dc=x\nsearch: 2\nresult: 4 Size limit exceeded\ncn: x\n\n"
    assert dns(HEAD + entry + BOB + END) == ["cn=x,dc=x", "uid=bob,dc=x"]


def test_records_are_the_same_bytes_however_they_were_folded() -> None:
    long = Entry("uid=ada,dc=x", {"description": (b"word " * 60 + b"end",), "photo": (bytes(range(256)),)})
    records = {
        record for width in (0, 30, 76) for _, record in LdifReader().feed(entry_text(long, width).encode() + b"\n")
    }
    assert len(records) == 1
    dn, attributes = split_record(records.pop())
    assert dn == b"uid=ada,dc=x"
    assert {name: decode_lines(lines) for name, lines in attributes} == {
        b"description": long.values("description"),
        b"photo": long.values("photo"),
    }


def test_values_are_decoded_only_when_asked_for() -> None:
    record = b"dn: dc=x\nsn: a\nphoto:: " + base64.b64encode(b"\0") + b"\nSN: b"
    assert split_record(record)[1] == [(b"sn", b" a"), (b"photo", b": AA=="), (b"SN", b" b")]
    assert record_entry(record).attributes == {"sn": (b"a", b"b"), "photo": (b"\0",)}
