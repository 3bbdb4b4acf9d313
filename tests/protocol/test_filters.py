r"""A filter that means something else than in ldapsearch compares two directories in the wrong place.

libldap is the judge: what it makes of a text is taken from the request that it sends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ldap3.protocol import rfc4511
from made import element
from peers import Libldap
from pyasn1.codec.ber import decoder

from ldaprepl.domain import ldapfilter
from ldaprepl.errors import UsageError
from ldaprepl.protocol.filters import encode_filter, escape
from ldaprepl.protocol.requests import SearchRequest


@pytest.fixture(scope="module")
def libldap() -> Iterator[Libldap]:
    with Libldap() as client:
        yield client


def by_libldap(client: Libldap, text: str) -> bytes | None:
    """The filter in libldap's request, which ends with the attribute list `1.1`; None when it refuses."""
    request = client.request(text)
    if request is None:
        return None
    requested = element(0x30, element(0x04, b"1.1"))
    assert request.endswith(requested)
    head = bytes.fromhex("04000a01000a0100020100020100010100")  # base "", scope base, no limits
    return request[request.index(head) + len(head) : -len(requested)]


def ours(text: str) -> bytes | None:
    try:
        return encode_filter(text)
    except UsageError as error:
        assert error.message
        return None


# -- made filters --------------------------------------------------------------------------------------------------

TYPES = st.sampled_from(["cn", "objectClass", "2.5.4.3", "sn;lang-de", "x-y", "0.9.2342.19200300.100.1.25"])
RULES = st.sampled_from(["caseExactMatch", "2.5.13.2", "dn"])
PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="()*\\\0"), max_size=6)
ESCAPED = st.binary(min_size=1, max_size=3).map(lambda octets: "".join(f"\\{each:02x}" for each in octets))
OLD = st.sampled_from(["\\(", "\\)", "\\*", "\\\\", "\\2A", "\\fF"])
VALUES = st.lists(PLAIN | ESCAPED | OLD, max_size=3).map("".join)
PARTS = st.lists(PLAIN | ESCAPED | OLD, min_size=1, max_size=2).map("".join).filter(bool)
BLANK = st.sampled_from(["", "", "", " ", "\t\n "])


@st.composite
def items(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["=", "=", ">=", "<=", "~=", "*", "sub", ":="]))
    name = draw(TYPES)
    match kind:
        case "*":
            return f"{name}=*"
        case "sub":
            ends = draw(st.sampled_from([(0, 0), (0, 1), (1, 0), (1, 1)]))
            pieces = [draw(PARTS) for _ in range(draw(st.integers(0 if any(ends) else 1, 2)))]
            first, last = (draw(PARTS) if end else "" for end in ends)
            return f"{name}={'*'.join([first, *pieces, last])}" if pieces or any(ends) else f"{name}=*"
        case ":=":
            rule = draw(st.none() | RULES)
            head = draw(st.sampled_from([name, f"{name}:dn", f"{name}:DN"]))
            if rule:
                head = draw(st.sampled_from([head, "", ":dn"])) + f":{rule}"
                head = head.replace(":dn:dn", ":dn:2.5.13.2") if head.startswith(":") else head
            return f"{head}:={draw(VALUES)}" if head != ":dn" else f"{name}:={draw(VALUES)}"
        case _:
            return f"{name}{kind}{draw(VALUES)}"


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    sets = st.builds(
        lambda first, kind, second, each, last: f"({first}{kind}{second}{last.join(each)}{last})",
        BLANK, st.sampled_from("&|"), BLANK, st.lists(inner, max_size=3), BLANK,
    )  # fmt: skip
    negated = st.builds(lambda first, second, one: f"({first}!{second}{one})", BLANK, BLANK, inner)
    return sets | negated


FILTERS = st.recursive(st.builds(lambda blank, item: f"({blank}{item})", BLANK, items()), combined, max_leaves=6)


@given(FILTERS | items())
def test_good_filters_mean_what_they_mean_to_libldap(libldap: Libldap, text: str) -> None:
    theirs = by_libldap(libldap, text)
    assert theirs is not None, "not a good filter: the test makes nonsense"
    assert encode_filter(text) == theirs


@st.composite
def nearly(draw: st.DrawFn) -> str:
    """A filter after one to three slips of the keyboard."""
    text = draw(FILTERS | items())
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        slip = draw(st.sampled_from(["", "(", ")", "*", "=", " ", "\\", ":", "&", "!", ">", "a", "_", ".", ";", "\r"]))
        text = text[:at] + slip + text[at + draw(st.integers(0, 1)) :]
    return text


@settings(max_examples=1000)
@given(nearly())
@example("(cn=a) ")
@example(" (cn=a)")
@example("(cn=a**b)")
@example("(cn>=a*)")
@example("(cn=a\\2\u0661)")
@example("&(cn=a)")
@example("(cn=a)(cn=b)")
@example("cn=a)")
@example("(!(a=b) )")
@example("(a:b=c)")
@example("(foo_bar=x)")
@example(" ")
def test_bad_filters_are_bad_for_both(libldap: Libldap, text: str) -> None:
    """A slip must not be read as something: neither refused by us what ldapsearch takes, nor the other way round."""
    theirs = by_libldap(libldap, text) if text.strip(" ") else None  # of blanks it would make a search without a filter
    if theirs is not None and "::" in text.split("=", maxsplit=1)[0]:
        return  # libldap takes an empty matching rule for none
    assert ours(text) == theirs


@given(items())
def test_an_asn1_library_reads_what_was_asked(item: str) -> None:
    """The parts of one item, by the ASN.1 of RFC 4511."""
    read, rest = decoder.decode(encode_filter(item), asn1Spec=rfc4511.Filter())
    assert not rest
    part = read.getComponent()
    name, _, value = item.partition("=")
    octets = unescaped(value)
    match read.getName():
        case "present":
            assert (name, value, bytes(part)) == (name, "*", name.encode())
        case "substringFilter":
            pieces = [(each.getName(), bytes(each.getComponent())) for each in part["substrings"]]
            star = re.sub(r"\\([()*\\])", lambda found: f"\\{ord(found[1]):02x}", value).split("*")
            kinds = ["initial", *["any"] * (len(star) - 2), "final"]
            assert pieces == [(kind, unescaped(each)) for kind, each in zip(kinds, star, strict=True) if each]
        case "extensibleMatch":
            head = name.removesuffix(":").split(":")
            assert bytes(part["matchValue"]) == octets
            assert bool(part["dnAttributes"]) == (len(head) > 1 and head[1].lower() == "dn")
        case kind:
            operator = {"greaterOrEqual": ">", "lessOrEqual": "<", "approxMatch": "~", "equalityMatch": ""}[kind]
            assert bytes(part["attributeDesc"]).decode() + operator == name
            assert bytes(part["assertionValue"]) == octets


def unescaped(value: str) -> bytes:
    return re.sub(
        rb"\\([0-9a-fA-F]{2}|.)",
        lambda found: bytes.fromhex(found[1].decode()) if len(found[1]) == 2 else found[1],
        value.encode(),
    )


# -- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the search filter is empty"),
        ("(cn=a", "expected ')' at position 6, found the end"),
        ("(cn=a))", "expected the end at position 7, found ')'"),
        ("(cn=a)(b=c)", "expected the end at position 7, found '('"),
        ("cn=a)", "expected the end at position 5, found ')'"),
        ("(&(a=b)x)", "expected ')' at position 8, found 'x'"),
        ("(!)", "expected '(' at position 3, found ')'"),
        ("(!(a=b)(c=d))", "expected ')' at position 8, found '('"),
        ("((a=b))", "expected an attribute description at position 2"),
        ("cn", "expected attribute=value at position 1"),
        ("(=a)", "expected attribute=value at position 2"),
        ("(c n=a)", "expected an attribute description at position 2, found 'c'"),
        ("(cn=a\\)", "expected ')' at position 8, found the end"),
        ("(cn=a\\2)", "expected a backslash and two hexadecimal digits at position 6"),
        ("(cn=a(b))", r"expected '\28' for a parenthesis in a value at position 6, found '('"),
        ("(cn=a\0)", r"expected '\00' for a zero byte in a value at position 6"),
        ("(cn=\\2a**b)", "expected a value between two asterisks at position 9"),
        ("(cn>=\\2a*b)", r"expected '\2a' for an asterisk in this value at position 9, found '*'"),
        ("(cn::=x)", "expected attribute[:dn][:rule]:=value or [:dn]:rule:=value at position 2"),
        ("(:dn:=x)", "expected attribute[:dn]"),
        ("(!" * 200 + "(a=b)" + ")" * 200, "nested more than 100 levels deep"),
    ],
)
def test_the_error_names_the_position(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        encode_filter(text)
    assert words in caught.value.message


def test_a_wrong_filter_is_told_before_anything_is_sent() -> None:
    with pytest.raises(UsageError, match="position 5"):
        SearchRequest("", filter="(cn=").encoder()


@given(st.binary(max_size=20))
def test_every_value_can_be_escaped(value: bytes) -> None:
    assert encode_filter(f"(cn={escape(value)})") == element(0xA3, element(0x04, b"cn"), element(0x04, value))
    assert escape(value).isascii()


def test_bytes_of_a_terminal_that_are_not_utf8_are_sent_as_they_are() -> None:
    typed = b"(cn=\xff)".decode("utf-8", "surrogateescape")
    assert encode_filter(typed) == element(0xA3, element(0x04, b"cn"), element(0x04, b"\xff"))
    with pytest.raises(UsageError, match="half a character"):
        encode_filter("(cn=\ud800)")


def test_deep_filters() -> None:
    text = "(!" * 99 + "(a=b)" + ")" * 99
    assert encode_filter(text).startswith(b"\xa2")


# -- the validator of stanzas --------------------------------------------------------------------------------------


@settings(max_examples=500)
@given(FILTERS | items() | nearly())
def test_the_validator_of_stanzas_judges_the_same(text: str) -> None:
    """It says before a stanza is written what slapd, and we, would say of it later."""
    assert (ldapfilter.problem(text) == "") == (ours(text) is not None), ldapfilter.problem(text)
