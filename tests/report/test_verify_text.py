"""The fears: a report that says more, less or something else than was found; data that paints on the terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.verdict import (
    AttributeDifference,
    Cause,
    ConsumerReport,
    Finding,
    Kind,
    Problem,
    State,
    VerifyReport,
)
from ldaprepl.report.text import render_verify

CSN = "20260102030405.678901Z#000000#001#000000"
FINDINGS = (
    Finding(Kind.MISSING, "cn=a,dc=x", uuid="1"),
    Finding(Kind.MISSING, "cn=b,dc=x", uuid="2", state=State.BEHIND),
    Finding(Kind.EXTRA, "cn=c,dc=x", "cn=c,dc=x", "3"),
    Finding(Kind.RENAMED, "cn=d,dc=x", "cn=e,dc=x", "4"),
    Finding(
        Kind.DIFFERS,
        "cn=f,dc=x",
        "cn=f,dc=x",
        "5",
        attributes=(
            AttributeDifference("mail", (b"f@x",), (b"g@x", b"h@x")),
            AttributeDifference("userPassword", (b"s3cr3t",), ()),
            AttributeDifference("member", tuple(b"cn=%d" % n for n in range(1006)), ()),
        ),
        cause=Cause("LR-1", "somebody wrote there", "Ask who"),
    ),
    Finding(Kind.IDENTITY, "cn=g,dc=x", "cn=g,dc=x", "6"),
)
CONSUMER = ConsumerReport(
    "ldap://b", provider_entries=1234, consumer_entries=1233, equal=1229, findings=FINDINGS, notes=("a note",)
)
REPORT = VerifyReport("dc=x", "ldap://a", CsnSet.parse([CSN]), (CONSUMER,), 1.25)


def test_a_diverged_consumer() -> None:
    text = render_verify(REPORT)
    digest = text.partition("userPassword  provider: ")[2].partition("\n")[0]
    assert digest.startswith("digest:")
    assert (
        text
        == f"""\
DIVERGED: ldap://b, 6 findings (2 missing, 1 extra, 1 renamed, 1 differs, 1 identity), 1,229 of 1,234 entries equal
  missing (only the provider has it): 2
    - cn=a,dc=x
    - cn=b,dc=x  (behind)
  extra (only the consumer has it): 1
    + cn=c,dc=x
  renamed (another DN on the consumer): 1
    > cn=d,dc=x
        on the consumer: cn=e,dc=x
  differs (other values on the consumer): 1
    LR-1, 1: somebody wrote there
      -> Ask who
      * cn=f,dc=x
          mail  provider: "f@x"
                consumer: "g@x", "h@x"
          userPassword  provider: {digest}
                        consumer: (none)
          member  provider: "cn=0", "cn=1", "cn=2", "cn=3" and 1,002 more
                  consumer: (none)
  identity (another entry under this DN on the consumer): 1
    ! cn=g,dc=x
  note: a note

provider ldap://a, base dc=x
its contextCSN: {CSN}; 1.2 s
"""
    )


def test_equal_behind_and_undecided() -> None:
    equal = replace(CONSUMER, findings=(), equal=1234, notes=())
    behind = replace(CONSUMER, findings=FINDINGS[1:2], equal=1233, notes=())
    undecided = replace(CONSUMER, findings=(), problem=Problem("it was cut", "Lift the limit."), notes=())
    text = render_verify(replace(REPORT, base="", contextcsn=CsnSet(), consumers=(equal, behind, undecided)))
    assert (
        text
        == """\
EQUAL: ldap://b, 1,234 of 1,234 entries equal

BEHIND: ldap://b, 1 finding (1 missing), 1,233 of 1,234 entries equal
  missing (only the provider has it): 1
    - cn=b,dc=x  (behind)
  Only lag: the consumer has not passed the provider's contextCSN yet. Look again later.

UNDECIDED: ldap://b
  it was cut.
  Lift the limit.
  Nothing is called missing: 1,234 entries of the provider, 1,233 of the consumer were read.

provider ldap://a, base (root)
its contextCSN: none to be seen; 1.2 s
"""
    )


def test_long_lists_are_cut_and_say_so() -> None:
    many = tuple(Finding(Kind.EXTRA, f"cn={number},dc=x") for number in range(1500))
    text = render_verify(replace(REPORT, consumers=(replace(CONSUMER, findings=many),)), limit=3)
    assert "  extra (only the consumer has it): 1,500\n" in text
    assert text.count("    + ") == 3
    assert "    … and 1,497 more (--limit 0 shows all)\n" in text
    assert render_verify(replace(REPORT, consumers=(replace(CONSUMER, findings=many),)), limit=0).count("+ ") == 1500


LOST = Cause("lost-update", "the consumer holds an older version", "Send it again.")


def test_many_of_one_cause_are_one_paragraph_and_hide_nothing_rare() -> None:
    def differs(number: int, name: str, parent: str, cause: Cause | None = LOST) -> Finding:
        dn = f"cn={number:04},{parent}"
        return Finding(Kind.DIFFERS, dn, dn, attributes=(AttributeDifference(name, (b"a",), (b"b",)),), cause=cause)

    many = [differs(number, "mail", "ou=people,dc=x") for number in range(1000)]
    many += [differs(2000, "sn", "ou=people,dc=x"), differs(2001, "mail", "ou=groups,dc=x")]
    many += [differs(3000 + number, "cn", "dc=x", None) for number in range(3)]
    text = render_verify(replace(REPORT, consumers=(replace(CONSUMER, findings=tuple(many)),)), limit=8)
    kept = [line for line in text.splitlines() if "vider: " not in line and "sumer: " not in line]
    assert kept[1:] == [
        "  differs (other values on the consumer): 1,005",
        "    lost-update, 1,002: the consumer holds an older version",
        "      -> Send it again.",
        "      they differ in: mail 1,001; sn 1",
        "      they lie below: ou=people,dc=x 1,001; ou=groups,dc=x 1",
        "      * cn=0000,ou=people,dc=x",
        "      * cn=0001,ou=people,dc=x",
        "      * cn=0002,ou=people,dc=x",
        "      * cn=2000,ou=people,dc=x",
        "      * cn=2001,ou=groups,dc=x",
        "      … and 997 more (--limit 0 shows all)",
        "    cause not known: 3",
        "      * cn=3000,dc=x",
        "      * cn=3001,dc=x",
        "      * cn=3002,dc=x",
        "  note: a note",
        "",
        "provider ldap://a, base dc=x",
        f"its contextCSN: {CSN}; 1.2 s",
    ]
    whole = render_verify(replace(REPORT, consumers=(replace(CONSUMER, findings=tuple(many)),)), limit=0)
    assert whole.count("      * ") == 1005
    assert "they lie" not in whole


def test_each_group_is_seen_however_low_the_limit() -> None:
    found = tuple(
        Finding(Kind.MISSING, f"cn={number},dc=x", cause=Cause(f"c{number % 5}", "why")) for number in range(50)
    )
    text = render_verify(replace(REPORT, consumers=(replace(CONSUMER, findings=found),)), limit=1)
    assert text.count("    - ") == 5


@pytest.mark.parametrize("width", [40, 72, 110])
def test_sentences_of_ours_are_wrapped_where_the_terminal_ends(width: int) -> None:
    finding = Finding(Kind.EXTRA, "cn=a,dc=x", cause=Cause("LR-1", "words " * 60, "more words " * 40))
    text = render_verify(replace(REPORT, consumers=(replace(CONSUMER, findings=(finding,)),)), width=width)
    sentences = [line for line in text.splitlines() if "words" in line]
    assert width - 12 < max(map(len, sentences)) <= width


def test_long_words_of_ours_are_wrapped() -> None:
    finding = Finding(Kind.MISSING, "cn=a,dc=x", cause=Cause("c", "word " * 60, "do " * 60))
    text = render_verify(replace(REPORT, consumers=(replace(CONSUMER, findings=(finding,)),)))
    assert max(map(len, text.splitlines())) <= 110


def test_colour_is_on_our_own_words_only() -> None:
    plain, coloured = render_verify(REPORT), render_verify(REPORT, colour=True)
    assert coloured == plain.replace("DIVERGED", "\x1b[1;31mDIVERGED\x1b[0m", 1)


HOSTILE = st.text(
    st.sampled_from("a=,\x1b[31m\n\r\t\u202e\u2066\u200b\u2028\x9b\0<script>\"'\\\udcff\x7f"), max_size=30
)


@given(HOSTILE, HOSTILE, HOSTILE, st.binary(max_size=30))
def test_no_data_acts_on_the_terminal_or_makes_up_lines(dn: str, name: str, words: str, value: bytes) -> None:
    """Wherever a server may put what it likes: names, values, its own words, its address."""
    hostile = Finding(
        Kind.DIFFERS,
        dn,
        dn,
        words,
        attributes=(AttributeDifference(name, (value,), (words.encode("utf-8", "surrogateescape"),)),),
        cause=Cause("LR-1", words, words),
    )
    renamed = Finding(Kind.RENAMED, dn, words)
    consumer = replace(CONSUMER, uri=words, findings=(hostile, renamed), notes=(words,))
    broken = replace(consumer, findings=(), problem=Problem(words, words), notes=())
    text = render_verify(VerifyReport(words, words, CsnSet(), (consumer, broken)))
    assert all(char == "\n" or char.isprintable() for char in text)
    harmless = replace(hostile, dn="d", uuid="u", attributes=(AttributeDifference("n", (b"v",), (b"v",)),))
    harmless = replace(harmless, cause=Cause("LR-1", "w", "w" if words else ""))
    calm = replace(consumer, uri="u", findings=(harmless, Finding(Kind.RENAMED, "d", "w")), notes=("w",))
    quiet = replace(calm, findings=(), problem=Problem("w", "w" if words else ""), notes=())
    assert text.count("\n") == render_verify(VerifyReport("b", "p", CsnSet(), (calm, quiet))).count("\n")
