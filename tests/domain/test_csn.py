"""Wrong reading of a CSN means "in sync" for a replica that is not, or an alarm for one that is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.csn import Csn, CsnSet, Standing, parse

# As written by 2.1.30, 2.2.30 and 2.6.10.
FROM_21 = "2026112210:17:42Z#0x000a#0#0000"
FROM_22 = "20261122101743Z#00000a#00#000000"
FROM_24 = "20261122101743.123456Z#00000a#00f#000002"


ALL_SIDS = st.integers(0, 0xFFF)


def csns(sids: st.SearchStrategy[int] = ALL_SIDS) -> st.SearchStrategy[Csn]:
    numbers = st.integers(0, 0xFFFFFF)
    times = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))
    return st.builds(Csn, times, numbers, sids, numbers, st.just(""))


def test_the_form_of_24() -> None:
    csn = parse(FROM_24)
    assert csn.time == datetime(2026, 11, 22, 10, 17, 43, 123456, UTC)
    assert (csn.count, csn.sid, csn.mod, csn.raw) == (10, 15, 2, FROM_24)


@pytest.mark.parametrize(
    ("old", "modern"),
    [
        (FROM_21, "20261122101742.000000Z#00000a#000#000000"),
        ("2026112210:17:42Z#0x000a#15#0000", "20261122101742.000000Z#00000a#00f#000000"),  # 2.1 printed the ID with %d
        (FROM_22, "20261122101743.000000Z#00000a#000#000000"),
        ("20261122101743Z#00000a#1f#000000", "20261122101743.000000Z#00000a#01f#000000"),
    ],
)
def test_old_forms_are_the_same_stamp_as_their_modern_writing(old: str, modern: str) -> None:
    assert parse(old).normal == modern
    assert parse(old) == parse(modern)
    assert hash(parse(old)) == hash(parse(modern))
    assert parse(old).raw == old  # goes back to an old provider as it came


def test_21_sorts_by_time_and_not_by_its_colon() -> None:
    assert parse("2026112210:17:42Z#0x000a#0#0000") < parse("20261122101743Z#000000#00#000000")


@given(csns())
def test_writing_and_reading_gives_the_same(csn: Csn) -> None:
    assert parse(csn.normal) == csn
    assert parse(csn.normal.encode()).raw == csn.normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20261122101743.123456Z#00000a#00f",
        FROM_24 + " ",
        FROM_24 + "\n",
        "20261122101743.123456Z#00000g#00f#000000",
        "20261122101743.123456#00000a#00f#000000",
        "20261322101743.123456Z#00000a#00f#000000",
        "20260230101743.123456Z#00000a#00f#000000",
        "2026112210:17:42Z#0x000a#4096#0000",
        "２0261122101743.123456Z#00000a#00f#000000",
        b"\xff0261122101743.123456Z#00000a#00f#000000",
        "rid=001,csn=" + FROM_24,
    ],
)
def test_anything_else_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="change sequence number"):
        parse(text)


@given(csns(st.just(1)), csns(st.just(1)))
def test_order_within_a_server_is_that_of_the_normal_text(one: Csn, other: Csn) -> None:
    assert (one < other) == (one.normal < other.normal)
    assert (one <= other) == (one.normal <= other.normal)
    assert (one > other) == (one.normal > other.normal)
    assert (one >= other) == (one.normal >= other.normal)


def test_stamps_of_two_servers_have_no_order() -> None:
    with pytest.raises(ValueError, match="no order"):
        max([parse(FROM_24), parse(FROM_22)])


A1, A2, A3 = (parse(f"2026010100000{second}.000000Z#000000#00a#000000") for second in (1, 2, 3))
B1, B2 = (parse(f"2026010100000{second}.000000Z#000000#00b#000000") for second in (1, 2))


def test_a_set_keeps_the_newest_of_each_server_in_their_order() -> None:
    held = CsnSet.parse([B1.raw, A2.raw.encode(), A1.raw])
    assert held.texts() == [A2.raw, B1.raw]
    assert list(held) == [0xA, 0xB]
    assert held[0xA] == A2
    assert held == CsnSet([A2, B1])
    assert len({held, CsnSet([B1, A2])}) == 1


def test_texts_keep_the_servers_form_and_normal_texts_do_not() -> None:
    held = CsnSet.parse([FROM_22])
    assert held.texts() == [FROM_22]
    assert held.normal_texts() == [parse(FROM_22).normal]


def test_a_set_with_one_bad_value_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        CsnSet.parse([FROM_22, "nonsense"])


@pytest.mark.parametrize(
    ("consumer", "provider", "standing"),
    [
        ([A1, B1], [A1, B1], Standing()),
        ([], [], Standing()),
        ([A1, B2], [A2, B2], Standing(behind=(0xA,))),
        ([A3], [A2], Standing(ahead=(0xA,))),
        ([], [A1, B1], Standing(missing=(0xA, 0xB))),
        ([A1, B1], [A1], Standing(extra=(0xB,))),
        ([A1, B2], [A2, B1], Standing(behind=(0xA,), ahead=(0xB,))),
    ],
)
def test_standing_names_each_server(consumer: list[Csn], provider: list[Csn], standing: Standing) -> None:
    found = CsnSet(consumer).standing(CsnSet(provider))
    assert found == standing
    assert found.equal == (consumer == provider)


def test_no_stamp_at_all_is_not_up_to_date() -> None:
    # A consumer whose first refresh never ended has no contextCSN.
    assert not CsnSet()
    assert not CsnSet().covers(A1)
    assert not CsnSet().covers_all(CsnSet([A1]))
    assert CsnSet().behind(CsnSet([A1])) == CsnSet([A1])


def test_a_newer_stamp_of_another_server_covers_nothing() -> None:
    assert not CsnSet([B2]).covers(A1)
    assert CsnSet([A2, B2]).covers(A2)


@given(st.lists(csns(st.integers(0, 3))), st.lists(csns(st.integers(0, 3))))
def test_behind_is_empty_exactly_when_all_is_covered(ours: list[Csn], theirs: list[Csn]) -> None:
    consumer, provider = CsnSet(ours), CsnSet(theirs)
    standing = consumer.standing(provider)
    assert consumer.covers_all(provider) == (not consumer.behind(provider))
    assert set(consumer.behind(provider)) == {*standing.behind, *standing.missing}
    assert standing.equal == (consumer == provider)
    assert consumer.merged(provider).covers_all(consumer)
    assert consumer.merged(provider).covers_all(provider)
