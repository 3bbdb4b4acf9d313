"""The splitters must mean what slapd means, and what the writers write must come back; the fear is a wrong password.

The tables were checked against slapd 2.5 (tests/servers/test_stanza_on_slapd.py binds with such passwords).
"""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ldaprepl.domain.words import Form, Place, Unwritable, quote, split, split_conf, split_config

AWKWARD = st.text(alphabet=st.sampled_from(" \t\"\\'#={}(),;:<*é€+ab"), max_size=12)
ANY = st.text(alphabet=st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"]), max_size=20)


def texts(text: str, form: Form) -> list[str]:
    return [word.text for word in split(text, form)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        (" \t ", []),
        ("a b\tc", ["a", "b", "c"]),
        ('se"cr"et', ["secret"]),
        ('"searchbase=dc=a, dc=b" x', ["searchbase=dc=a, dc=b", "x"]),
        (r"a\ b", ["a b"]),
        (r'"a\"b\\c"', ['a"b\\c']),
        (r"end\\", ["end\\"]),
        ("end\\", ["end\\"]),
        ("x\\ ", ["x "]),
        ("it's a", ["it's", "a"]),
        ('e=""', ["e="]),
        ("a\u00a0b", ["a\u00a0b"]),
        ("a\x0bb", ["a\x0bb"]),
    ],
)
def test_slapd_conf_words(line: str, words: list[str]) -> None:
    assert texts(line, Form.SLAPD_CONF) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", []),
        ('credentials="a b" x', ["credentials=a b", "x"]),
        (r"credentials=a\b", [r"credentials=a\b"]),
        (r'credentials="a\\b"', [r"credentials=a\\b"]),
        ('"credentials=my"x""', ['credentials=my"x']),
        ('"credentials=a b"c"" rid=1', ['credentials=a b"c', "rid=1"]),
        ('"credentials=ab"""', ['credentials=ab"']),
        (r'credentials="my\"x"', ['credentials="my\\x']),
        ('credentials="my"x"', ['credentials="myx']),
        ('e=""', ["e="]),
        ("a\x0bb", ["a", "b"]),
        ("a ", ["a"]),
        (" ", [""]),
        ('credentials=x" "y z', ['credentials=x" y z']),
        ('a"b c" d', ["ab c", "d"]),
    ],
)
def test_cn_config_words(value: str, words: list[str]) -> None:
    assert texts(value, Form.CN_CONFIG) == words


def test_an_unterminated_quote_is_marked() -> None:
    assert [word.open_quote for word in split_conf('a b="c d')] == [False, True]
    assert not any(word.open_quote for word in split_conf('a b="c d"'))


def test_words_know_where_they_begin() -> None:
    assert [word.offset for word in split_conf(' a  "b c" d')] == [1, 4, 10]
    assert [word.offset for word in split_config(' a  "b c" d')] == [1, 4, 10]


@pytest.mark.parametrize("form", Form)
@given(st.one_of(AWKWARD, ANY), st.sampled_from(["", "credentials", "filter"]))
@example("", "credentials")
@example("a b", "")
@example('"', "credentials")
@example('{"', "credentials")
@example("\\", "credentials")
def test_what_is_written_comes_back_alone_and_among_others(form: Form, value: str, key: str) -> None:
    word = f"{key}={value}" if key else value
    try:
        written = quote(value, form, key)
    except Unwritable:
        assert form is Form.CN_CONFIG and '"' in value
        return
    assert texts(written, form) == [word]
    assert texts(f"a=b {written} c=d", form) == ["a=b", word, "c=d"]


@given(ANY.filter(lambda value: '"' not in value))
def test_cn_config_takes_everything_without_a_double_quote(value: str) -> None:
    quote(value, Form.CN_CONFIG, "credentials")


@pytest.mark.parametrize("value", ['my"x', 'a b"c', 'ab"', '"ab"', '""', 'x" y', 'x" ', 'a "b"c d', "\\\"'"])
def test_cn_config_takes_these_double_quotes(value: str) -> None:
    assert texts(quote(value, Form.CN_CONFIG, "credentials"), Form.CN_CONFIG) == [f"credentials={value}"]


@pytest.mark.parametrize("value", ['a " b', '" " b', 'p"q" s', 'a "b" c'])
def test_cn_config_cannot_express_these_and_says_why_without_saying_what(value: str) -> None:
    with pytest.raises(Unwritable) as caught:
        quote(value, Form.CN_CONFIG, "credentials")
    assert "credentials" in str(caught.value) and "double quote" in str(caught.value)
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("form", "value"), [(Form.SLAPD_CONF, "a\nb"), (Form.CN_CONFIG, "a\nb"), (Form.SLAPD_CONF, "\0")]
)
def test_line_breaks_and_nul_are_refused(form: Form, value: str) -> None:
    with pytest.raises(Unwritable):
        quote(value, form)


def test_bytes_that_are_not_utf8_fit_into_a_file_but_not_into_cn_config() -> None:
    value = b"p\xff".decode("utf-8", "surrogateescape")
    assert texts(quote(value, Form.SLAPD_CONF, "credentials"), Form.SLAPD_CONF) == [f"credentials={value}"]
    with pytest.raises(Unwritable):
        quote(value, Form.CN_CONFIG, "credentials")


def test_a_place_prints_as_file_and_line() -> None:
    assert str(Place("slapd.conf", 12)) == "slapd.conf:12" and str(Place("olcDatabase={1}mdb,cn=config")).endswith(
        "config"
    )
