"""Two values called equal that the server holds as different: a replica that is wrong and reported as right.

What is written here was seen on slapd 2.5.13; `tests/servers/test_matching_on_slapd.py` asks a live one again.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain import rules
from ldaprepl.domain.rules import Normaliser

EVERY_RULE = sorted(set(rules.BY_NAME.values()), key=lambda rule: rule.__name__)
SPACES = st.sampled_from([" ", "  ", "\u00a0", "\u3000 "])


@pytest.mark.parametrize("rule", EVERY_RULE, ids=lambda rule: rule.__name__)
@given(value=st.one_of(st.binary(max_size=20), st.text(max_size=10).map(str.encode)))
def test_any_value_has_a_normal_form_and_what_does_not_parse_keeps_apart(rule: Normaliser, value: bytes) -> None:
    normal = rule(value)
    if normal.startswith(b"\xff"):
        assert normal == rules.raw(value)
    else:
        assert rule(normal) == normal


@pytest.mark.parametrize("rule", EVERY_RULE, ids=lambda rule: rule.__name__)
def test_a_broken_value_never_meets_a_sound_one(rule: Normaliser) -> None:
    for sound in (b"a", b"1", b"20200101000000Z", b"f81d4fae-7dec-11d0-a765-00a0c91e6bf6", b"a$b", b""):
        broken = rules.raw(rule(sound))
        assert rule(broken) != rule(sound)


@given(st.lists(st.text(min_size=1, max_size=5).filter(lambda word: " " not in word), min_size=1), st.data())
def test_number_and_kind_of_spaces_do_not_count(words: list[str], data: st.DataObject) -> None:
    spaced = data.draw(SPACES).join(words)
    if data.draw(st.booleans()):
        spaced = data.draw(SPACES) + spaced + data.draw(SPACES)
    for rule in (rules.case_ignore, rules.case_exact):
        assert rule(spaced.encode()) == rule(" ".join(words).encode())


@given(st.text(st.characters(max_codepoint=0x7F)), st.data())
def test_ascii_case_counts_only_where_the_rule_says_so(text: str, data: st.DataObject) -> None:
    mixed = "".join(data.draw(st.sampled_from([char.lower(), char.upper()])) for char in text).encode()
    for rule in (rules.case_ignore, rules.case_ignore_ia5):
        assert rule(mixed) == rule(text.encode())
    for rule in (rules.case_exact, rules.case_exact_ia5):
        assert (rule(mixed) == rule(text.encode())) == (mixed == text.encode())


EQUAL = [
    (rules.case_ignore, "Barbara  Jensen ", "barbara jensen"),
    (rules.case_ignore, "MÜLLER", "müller"),
    (rules.case_ignore, "É", "e\u0301"),
    (rules.case_ignore, "ＡＢＣ", "abc"),
    (rules.case_ignore, "ﬁx", "FIX"),
    (rules.case_ignore, "①", "1"),
    (rules.case_ignore, "Å", "å"),  # angstrom sign
    (rules.case_ignore, "İ", "i"),
    (rules.case_ignore, "山田\u3000太郎", "山田 太郎"),
    (rules.case_ignore, "한", "\u1112\u1161\u11ab"),
    (rules.case_ignore, "ǅ", "Ǆ"),
    (rules.case_ignore, "   ", " "),
    (rules.case_exact, "ｶﾞ", "ガ"),
    (rules.case_exact, "a\u0323\u0307", "a\u0307\u0323"),
    (rules.case_ignore_ia5, "", "  "),
    (rules.case_exact_ia5, " a  b", "a b"),
    (rules.numeric_string, "1 2  3", "123"),
    (rules.numeric_string, "  ", " "),
    (rules.telephone_number, "+49 30 12-34", "+49301234"),
    (rules.telephone_number, "-", " "),
    (rules.case_ignore_list, "1 Main  St$ New York", "1 main st$new york"),
    (rules.case_ignore_list, "a\\5cb$\\24", "A\\5CB$\\24"),
    (rules.generalized_time, "20200101000000Z", "20200101000000.0Z"),
    (rules.generalized_time, "20200101000000Z", "2020010100Z"),
    (rules.generalized_time, "20200101000000Z", "202001010000-0000"),
    (rules.generalized_time, "20191231233000Z", "20200101010000+0130"),
    (rules.generalized_time, "20191231233000Z", "2019123122-0130"),
    (rules.generalized_time, "20200101000000.5Z", "20200101000000,50Z"),
    (rules.uuid, "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
    (rules.csn, "2026112210:17:42Z#0x000a#0#0000", "20261122101742.000000Z#00000a#000#000000"),
    (rules.csn, "20261122101743Z#00000a#0F#000000", "20261122101743.000000Z#00000a#00f#000000"),
]


@pytest.mark.parametrize(("rule", "one", "other"), EQUAL)
def test_equal(rule: Normaliser, one: str, other: str) -> None:
    assert rule(one.encode()) == rule(other.encode())
    assert not rule(one.encode()).startswith(b"\xff")


DIFFERENT = [
    (rules.case_ignore, "Straße", "STRASSE"),
    (rules.case_ignore, "ẞ", "ß"),
    (rules.case_ignore, "ς", "σ"),
    (rules.case_ignore, "ı", "i"),
    (rules.case_ignore, "İ", "i\u0307"),
    (rules.case_ignore, "ℕ", "n"),  # lower case comes before NFKC
    (rules.case_ignore, "Ⅷ", "viii"),
    (rules.case_ignore, "Ⅷ", "ⅷ"),
    (rules.case_ignore, "Ⓐ", "ⓐ"),
    (rules.case_ignore, "\U0001d678", "i"),  # mathematical monospace I
    (rules.case_ignore, "\U0001d604", "\U0001d610"),
    (rules.case_ignore, "\uf900", "\u8c48"),
    (rules.case_ignore, "Ɂ", "ɂ"),  # newer than Unicode 3.2
    (rules.case_ignore, "Ⴀ", "ⴀ"),  # old letter, newer small one
    (rules.case_ignore, "\u0323\u035e", "\u035e\u0323"),  # a mark newer than 3.2 has no order
    (rules.case_ignore, "ᴬ", "A"),
    (rules.case_ignore, "a\tb", "a b"),
    (rules.case_ignore, "a\nb", "a b"),
    (rules.case_ignore, "a\u00adb", "ab"),
    (rules.case_ignore, "a\u200bb", "ab"),
    (rules.case_ignore, "a\u2028b", "a b"),
    (rules.case_ignore, "", " "),
    (rules.case_exact, "a", "A"),
    (rules.case_exact, "é", "e"),
    (rules.numeric_string, "12", "21"),
    (rules.numeric_string, "", " "),
    (rules.telephone_number, "+1 a", "+1 A"),
    (rules.telephone_number, "+1", "1"),
    (rules.telephone_number, "(1)", "1"),
    (rules.case_ignore_list, "a$$b", "a$ $b"),
    (rules.case_ignore_list, "a$b", "a\\24b"),
    (rules.generalized_time, "202001010000.5Z", "20200101000000.5Z"),  # half a minute; slapd takes them for the same
    (rules.generalized_time, "20200101000060Z", "20200101000100Z"),
    (rules.generalized_time, "20200101000000Z", "20200101000000"),  # local time
    (rules.generalized_time, "20200230000000+0000", "20200301000000Z"),
    (rules.csn, "20261122101742.000000Z#00000A#000#000000", "20261122101742.000000Z#00000a#000#000000"),
    (rules.csn, "20261122101742.000000Z#000001#000#000000", "20261122101742.000000Z#000002#000#000000"),
    (rules.same_bytes, "a", "A"),
]


@pytest.mark.parametrize(("rule", "one", "other"), DIFFERENT)
def test_different(rule: Normaliser, one: str, other: str) -> None:
    assert rule(one.encode()) != rule(other.encode())


BROKEN = [
    (rules.case_ignore, b"A\xff"),
    (rules.case_ignore, b"A\xed\xa0\x80"),
    (rules.case_exact, b"\xc3"),
    (rules.case_ignore_ia5, "É".encode()),
    (rules.numeric_string, b"1a"),
    (rules.telephone_number, "１".encode()),
    (rules.case_ignore_list, b"A\\41"),
    (rules.case_ignore_list, b"A$\xff"),
    (rules.uuid, b"F81D4FAE7DEC11D0A76500A0C91E6BF6"),
    (rules.csn, b"A"),
    (rules.csn, b"20261122101760Z#00000a#00#000000"),
    (rules.generalized_time, b""),
    (rules.generalized_time, b"20200101000000.Z"),
    (rules.generalized_time, b"20200101240000.0Z"),
    (rules.generalized_time, b"20200101000000+2400"),
    (rules.generalized_time, b"20200101000000+0060"),
    (rules.generalized_time, b"00010101000000+0100"),  # before the first day
    (rules.generalized_time, "２０200101000000.0Z".encode()),
]


@pytest.mark.parametrize(("rule", "value"), BROKEN)
def test_what_does_not_parse_is_its_bytes_with_a_mark(rule: Normaliser, value: bytes) -> None:
    assert rule(value) == b"\xff" + value
