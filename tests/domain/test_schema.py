"""A subschema comes from a server that may be old, odd or hostile: reading it must end, and must not mix types up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.schema import USER_APPLICATIONS, read_attribute_types, read_class_names, read_description

NAME = (
    "( 2.5.4.41 NAME 'name' DESC 'RFC4519: common supertype of name attributes' EQUALITY caseIgnoreMatch"
    " SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{32768} )"
)
CN = "( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'RFC4519: common name(s)' SUP name )"


def test_a_type_with_everything() -> None:
    problems: list[str] = []
    types = read_attribute_types(
        [
            "( 1.2.3 NAME ( 'a' 'B-c' ) DESC 'x \\27y\\27 (z) \\5c' OBSOLETE EQUALITY caseExactMatch"
            " ORDERING caseExactOrderingMatch SUBSTR caseExactSubstringsMatch SYNTAX 1.2.3.4{64} SINGLE-VALUE"
            " COLLECTIVE NO-USER-MODIFICATION USAGE dSAOperation X-ORIGIN ( 'one' 'two' ) X-ORDERED 'VALUES' )"
        ],
        problems,
    )
    assert sorted(types) == ["1.2.3", "a", "b-c"]
    held = types["b-c"]
    assert (held.oid, held.names, held.name) == ("1.2.3", ("a", "B-c"), "a")
    assert (held.equality, held.syntax, held.usage) == ("caseExactMatch", "1.2.3.4", "dSAOperation")
    assert held.single_value
    assert held.collective
    assert held.no_user_modification
    assert problems == []


def test_description_text_is_not_taken_for_keywords() -> None:
    parts = read_description("( 1.2.3 NAME 'a' DESC 'SINGLE-VALUE ( EQUALITY evil )' SYNTAX 1.2 )", [])
    assert parts["DESC"] == ("SINGLE-VALUE ( EQUALITY evil )",)
    assert "SINGLE-VALUE" not in parts
    assert "EQUALITY" not in parts
    assert read_description("( 1.2.3 DESC '(' NAME 'NAME' SUP name )", [])["NAME"] == ("NAME",)


def test_equality_and_syntax_come_from_the_supertype() -> None:
    problems: list[str] = []
    types = read_attribute_types([CN, NAME, "( 1.2.3 NAME 'deeper' SUP 2.5.4.3 EQUALITY caseExactMatch )"], problems)
    assert types["commonname"].equality == "caseIgnoreMatch"
    assert types["cn"].syntax == "1.3.6.1.4.1.1466.115.121.1.15"
    assert types["deeper"].equality == "caseExactMatch"
    assert types["deeper"].syntax == "1.3.6.1.4.1.1466.115.121.1.15"
    assert problems == []


def test_a_supertype_may_be_called_like_a_keyword() -> None:
    assert read_attribute_types([NAME, "( 1.2.3 NAME 'a' SUP NAME )"], [])["a"].equality == "caseIgnoreMatch"


def test_389_quotes_the_syntax() -> None:
    types = read_attribute_types(["( 1.2.3 NAME 'a' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' X-ORIGIN 'x' )"], [])
    assert types["a"].syntax == "1.3.6.1.4.1.1466.115.121.1.15"


@pytest.mark.parametrize(
    ("descriptions", "problem"),
    [
        (["( 1.2.3 NAME 'a' SUP a )"], "leads back to itself"),
        (["( 1.2 NAME 'a' SUP b )", "( 1.3 NAME 'b' SUP a )"], "leads back to itself"),
        (["( 1.2.3 NAME 'a' SUP nowhere )"], "'nowhere' of attribute type 'a' is not published"),
        (["( 1.2.3 NAME 'a' )", "( 1.2.4 NAME 'a' )"], "'a' is defined twice"),
        (["1.2.3 NAME 'a'"], "without its brackets"),
        (["( 1.2.3 NAME 'a"], "quote that never ends"),
        (["( 1.2.3 NAME 'a' DESC ( 'x' "], "without its brackets"),
        (["( DESC 'nothing' )"], "without OID and name"),
        ([""], "without OID and name"),
        ([b"\xff"], "without its brackets"),
    ],
)
def test_oddities_are_told_and_survived(descriptions: list[str | bytes], problem: str) -> None:
    problems: list[str] = []
    types = read_attribute_types([*descriptions, CN, NAME], problems)
    assert any(problem in told for told in problems)
    assert types["cn"].equality == "caseIgnoreMatch"  # the rest is not lost
    assert len(problems) == len(set(problems))


def test_the_first_definition_wins_and_the_second_keeps_its_own_names() -> None:
    types = read_attribute_types(
        ["( 1.2 NAME 'a' EQUALITY caseExactMatch )", "( 1.3 NAME ( 'a' 'b' ) EQUALITY caseIgnoreMatch )"], []
    )
    assert types["a"].oid == types["1.2"].oid == "1.2"
    assert types["b"].oid == types["1.3"].oid == "1.3"


@pytest.mark.parametrize(
    ("description", "name", "usage"),
    [
        ("( 1.2.3 NAME 'a' DESC 'it's odd' USAGE dSAOperation )", "a", "dSAOperation"),  # apostrophe not escaped
        ("( 1.2.3 NAME 'a' 'b' USAGE dSAOperation )", "a", "dSAOperation"),  # names without brackets
        ("( 1.2.3 DESC 'no name' )", "1.2.3", USER_APPLICATIONS),
        ("( NAME 'a' )", "a", USER_APPLICATIONS),
        ("(1.2.3 NAME 'a' X-NEW X-OLD 'x' USAGE dSAOperation)", "a", "dSAOperation"),
        ("( 1.2.3\n\tNAME 'a'\n)", "a", USER_APPLICATIONS),
        ("( 1.2.3 name 'a' usage dSAOperation )", "a", "dSAOperation"),
    ],
)
def test_odd_writing(description: str, name: str, usage: str) -> None:
    held = read_attribute_types([description], [])[name]
    assert (held.name, held.usage) == (name, usage)


def test_class_names() -> None:
    problems: list[str] = []
    oids = read_class_names(["( 2.5.6.6 NAME ( 'person' 'Mensch' ) SUP top STRUCTURAL MUST ( sn $ cn ) )"], problems)
    assert oids == {"2.5.6.6": "2.5.6.6", "person": "2.5.6.6", "mensch": "2.5.6.6"}
    assert problems == []
    read_class_names(["( 1.2 NAME 'x' )", "( 1.3 NAME 'x' )"], problems)
    assert problems == ["object class 'x' is defined twice; the first definition counts"]


KEYWORDS = ["NAME", "SUP", "EQUALITY", "SYNTAX", "USAGE", "DESC", "SINGLE-VALUE", "X-A"]
WORDS = st.sampled_from(["(", ")", "$", "'", "'a'", "'b c'", "1.2.3", "a", "{5}", *KEYWORDS])


@given(st.lists(st.lists(WORDS).map(" ".join), max_size=5))
def test_any_heap_of_words_is_read_to_the_end(descriptions: list[str]) -> None:
    for key, held in read_attribute_types(descriptions, []).items():
        assert key in {held.oid.lower(), *(name.lower() for name in held.names)}
    read_class_names(descriptions, [])
