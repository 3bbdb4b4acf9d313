"""A DN read wrongly is an entry compared with the wrong partner, or written to the wrong place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain import dn

TYPES = st.from_regex(r"(?:[A-Za-z][A-Za-z0-9-]{0,8}|[0-9](?:\.[0-9]{1,3}){1,3})", fullmatch=True)
# Characters that mean something in a DN must come often, not once in a thousand.
VALUES = st.one_of(
    st.binary(max_size=8),
    st.text(st.sampled_from(' ,+"\\<>;=#ab\0\n\té漢\U0001f600'), max_size=8).map(str.encode),
)
RDNS = st.lists(st.lists(st.tuples(TYPES, VALUES), min_size=1, max_size=3).map(tuple), max_size=4).map(tuple)


@given(RDNS)
def test_what_is_written_reads_the_same(rdns: tuple[dn.Rdn, ...]) -> None:
    text = dn.render(rdns)
    assert dn.parse(text) == rdns
    assert text.encode().decode() == text  # always valid UTF-8
    assert not any(char < " " for char in text)  # fits on one line of a report


@given(RDNS.filter(len))
def test_cutting_keeps_every_rdn(rdns: tuple[dn.Rdn, ...]) -> None:
    text = dn.render(rdns)
    assert dn.depth(text) == len(rdns)
    assert [dn.parse(part) for part in dn.split(text)] == [(rdn,) for rdn in rdns]
    assert dn.parse(dn.parent(text)) == rdns[1:]
    assert dn.is_below(text, dn.parent(text))


@given(st.text(st.sampled_from(' ,+"\\<>;=#cn2f\0\n漢\ud800'), max_size=20))
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    try:
        rdns = dn.parse(text)
    except ValueError as error:
        assert "at character " in str(error)
    else:
        assert dn.parse(dn.render(rdns)) == rdns


@pytest.mark.parametrize(
    ("text", "rdns"),
    [
        ("", ()),
        ("UID=jsmith,DC=example", ((("UID", b"jsmith"),), (("DC", b"example"),))),
        ("OU=Sales+CN=J.  Smith,DC=net", ((("OU", b"Sales"), ("CN", b"J.  Smith")), (("DC", b"net"),))),
        (r"CN=James \"Jim\" Smith\, III", ((("CN", b'James "Jim" Smith, III'),),)),
        (r"CN=Before\0dAfter", ((("CN", b"Before\rAfter"),),)),
        ("1.3.6.1.4.1.1466.0=#04024869", ((("1.3.6.1.4.1.1466.0", b"Hi"),),)),
        (r"CN=Lu\C4\8Di\C4\87", ((("CN", "Lučić".encode()),),)),
        # slapd's leniencies, seen on 2.5.13
        ("cn=a;dc=x", ((("cn", b"a"),), (("dc", b"x"),))),
        (" cn = a b , dc = x ", ((("cn", b"a b"),), (("dc", b"x"),))),
        ('cn="a, b+c" , dc=x', ((("cn", b"a, b+c"),), (("dc", b"x"),))),
        ("cn=a=b", ((("cn", b"a=b"),),)),
        ("cn=a#b", ((("cn", b"a#b"),),)),
        ("cn=a\tb", ((("cn", b"a\tb"),),)),
        ("\tcn\n=\ra\t,\n dc=x\n", ((("cn", b"a"),), (("dc", b"x"),))),
        ("cn=\t\\09a\\09\t", ((("cn", b"\ta\t"),),)),
        ('cn="\ta"', ((("cn", b"\ta"),),)),
        # spaces
        (r"cn=\ a\ ", ((("cn", b" a "),),)),
        (r"cn= \20\20a\20 ", ((("cn", b"  a "),),)),
        ("cn=a \\  ,dc=x", ((("cn", b"a  "),), (("dc", b"x"),))),
        (r"cn=\ ,dc=x", ((("cn", b" "),), (("dc", b"x"),))),
        # other servers
        ("OID.2.5.4.3=a", ((("2.5.4.3", b"a"),),)),
        ("cn=", ((("cn", b""),),)),
        ('cn="",dc=x', ((("cn", b""),), (("dc", b"x"),))),
        ("cn=#1E0400480069", ((("cn", b"Hi"),),)),  # BMPString
        ("cn=#1401E9", ((("cn", "é".encode()),),)),  # T.61, read as Latin-1
        ("cn=#0c8103414243", ((("cn", b"ABC"),),)),  # long form of the length
        ("cn;lang-de=a", ((("cn;lang-de", b"a"),),)),
        ("cn=\udcff", ((("cn", b"\xff"),),)),  # a byte that was no UTF-8, as Python keeps it
    ],
)
def test_reading(text: str, rdns: tuple[dn.Rdn, ...]) -> None:
    assert dn.parse(text) == rdns


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("cn", "'=' expected after 'cn' at character 3, found the end"),
        ("  ", "attribute type expected at character 3, found the end"),
        ("=a", "attribute type expected at character 1, found '=a'"),
        ("cn=a,", "attribute type expected at character 6, found the end"),
        ("cn=a,,dc=x", "attribute type expected at character 6, found ',dc=x'"),
        ("cn=a;", "attribute type expected at character 6, found the end"),
        ("cn=a+,dc=x", "attribute type expected at character 6, found ',dc=x'"),
        (",cn=a", "attribute type expected at character 1"),
        ("cn=\\zz", "no such escape at character 4, found '\\\\\\\\zz'"),
        ("cn=a\\", "no such escape at character 5"),
        ("cn=a\\4", "no such escape at character 5"),
        ('cn=a"b', "this character must be escaped at character 5"),
        ("cn=a<b", "this character must be escaped at character 5"),
        ("cn=a\0", "this character must be escaped at character 5"),
        ('cn="a', "quoted value without an end at character 4"),
        ('cn="a"b', "',' or '+' expected at character 7"),
        ("cn=#", "hexadecimal digits expected after '#' at character 4"),
        ("cn=#0", "hexadecimal digits expected after '#' at character 4"),
        ("cn=#0402486", "not the BER encoding of a string at character 4"),
        ("cn=#04", "not the BER encoding of a string at character 4"),
        ("cn=#300304014A", "not the BER encoding of a string at character 4"),  # a SEQUENCE has no text form
        ("cn=#1c0400110000", "not the BER encoding of a string at character 4"),  # beyond Unicode
        ("cn=ab\ud800", "not a character at character 6"),
    ],
)
def test_refusal_names_the_place_and_the_token(text: str, where: str) -> None:
    with pytest.raises(ValueError, match=where.replace("+", r"\+")):
        dn.parse(text)


def test_parent_and_depth() -> None:
    assert dn.parent(r"cn=a\,b, ou=c ,dc=d") == "ou=c ,dc=d"
    assert dn.parent("dc=d") == ""
    assert dn.parent('cn="a,b"') == ""
    assert [dn.depth(text) for text in ("", "dc=x", r"cn=a\,b,dc=x", 'cn="a,b",dc=x', "cn=a;dc=x")] == [0, 1, 2, 2, 2]
    with pytest.raises(ValueError, match="no parent"):
        dn.parent("")


@pytest.mark.parametrize(
    ("name", "base", "below"),
    [
        ("cn=a,dc=x", "dc=x", True),
        ("dc=x", "dc=x", True),
        ("cn=A , DC=X", "dc=x", True),
        ("cn=a,dc=x", "", True),
        ("", "", True),
        ("", "dc=x", False),
        ("dc=x", "cn=a,dc=x", False),
        ("cn=a,dc=yx", "dc=x", False),
        (r"cn=a\,dc=x", "dc=x", False),  # the end of a value is not a base
        ("cn=b+sn=a,dc=x", "sn=A+cn=B,dc=x", True),
        (r"cn=\61,dc=x", "cn=a,dc=x", True),
        ("cn=x,ou=A  b,dc=x", "ou=a b ,dc=x", True),
        ("cn=x,ou=ab,dc=x", "ou=a b,dc=x", False),
    ],
)
def test_is_below(name: str, base: str, below: bool) -> None:
    assert dn.is_below(name, base) is below


@pytest.mark.parametrize(
    ("name", "contexts", "found"),
    [
        ("ou=x,dc=a", ["dc=b", "dc=a"], "dc=a"),
        ("ou=x, DC=A", ["dc=a"], "dc=a"),
        ("cn=1,ou=x,dc=a", ["dc=a", "ou=x,dc=a", "cn=config"], "ou=x,dc=a"),
        ("dc=a", ["dc=a"], "dc=a"),
        ("dc=xa", ["dc=a", "a"], None),  # what is no name holds nothing, and keeps no other from it
        ("dc=a", ["no name", "dc=a"], "dc=a"),
        ("no name", ["dc=a"], None),
        ("dc=a", ["", "dc=b"], ""),  # a server whose suffix is empty holds everything
        ("dc=a", [], None),
    ],
)
def test_the_context_that_holds_a_name(name: str, contexts: list[str], found: str | None) -> None:
    assert dn.context_of(name, contexts) == found


@pytest.mark.parametrize(
    ("name", "old", "new", "moved"),
    [
        (r"cn=a\,b,OU=People,dc=x", "dc=x", "o=y", r"cn=a\,b,OU=People,o=y"),
        ("ou=People , dc=X", "dc=x", "dc=y,dc=z", "ou=People,dc=y,dc=z"),
        ("dc=x", "dc=x", "o=y", "o=y"),
        ("cn=a , dc=x", "dc=x", "o=y", "cn=a,o=y"),
        ("cn=a;ou=b,dc=x", "dc=x", "o=y", "cn=a;ou=b,o=y"),
        (r"cn=a\,dc=x,dc=x", "dc=x", "o=y", r"cn=a\,dc=x,o=y"),
        ("cn=a,dc=x", "", "o=y", "cn=a,dc=x,o=y"),
        ("cn=a,dc=x", "dc=x", "", "cn=a"),
        ('cn="a,dc=x";dc=x', "dc=x", "o=y", 'cn="a,dc=x",o=y'),
    ],
)
def test_move(name: str, old: str, new: str, moved: str) -> None:
    assert dn.move(name, old, new) == moved


@pytest.mark.parametrize("name", ["cn=a,dc=y", "cn=a,adc=x", r"cn=a\,dc=x", 'cn="a,dc=x"', "", "dc=y"])
def test_an_entry_outside_is_not_moved(name: str) -> None:
    with pytest.raises(ValueError, match="not below"):
        dn.move(name, "dc=x", "o=y")
    assert dn.moved(name, "dc=x", "o=y") == name


def test_a_base_in_another_spelling_is_the_same_base() -> None:
    """The canary's DN comes from a person, and so does the base."""
    assert dn.moved("ou=a, DC=x", "dc=x", "o=y") == "ou=a,o=y"
    assert dn.moved("no DN", "dc=x", "o=y") == "no DN"


@given(RDNS, st.sampled_from(["dc=x", "ou=a\\,b,dc=x", ""]), st.sampled_from(["o=y", "dc=p,dc=q"]))
def test_moving_there_and_back(rdns: tuple[dn.Rdn, ...], base: str, other: str) -> None:
    below = dn.render(rdns)
    name = ",".join(part for part in (below, base) if part)
    there = dn.move(name, base, other)
    assert dn.parse(there) == rdns + dn.parse(other)
    assert dn.parse(dn.move(there, other, base)) == dn.parse(name)
