"""The fear: a proof that is built on where it should not be, or a window with a gap."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.csn import Csn, CsnSet
from ldaprepl.domain.proof import MARGIN, Mark, Moment, Proof, balance, changed_filter, doubt
from ldaprepl.domain.verdict import Finding, Kind

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def csn(seconds: float, sid: int = 1) -> Csn:
    time = NOON + timedelta(seconds=seconds)
    return Csn.parse(f"{time:%Y%m%d%H%M%S.%f}Z#000000#{sid:03x}#000000")


def mark(*csns: Csn) -> Mark:
    return Mark(CsnSet(csns), "20261101000000Z", "abc")


PROOF = Proof(mark(csn(0)), mark(csn(0)), NOON, NOON)
NOW = Moment(mark(csn(60)), mark(csn(60)), NOON + timedelta(minutes=5), 3600.0)


def test_nothing_speaks_against_it() -> None:
    assert doubt(PROOF, NOW) == ""


@pytest.mark.parametrize("side", ["provider", "consumer"])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"csns": CsnSet()}, "shows no contextCSN"),
        ({"started": "20261122115900Z"}, "was restarted"),
        ({"started": ""}, "does not show when it was started"),
        ({"schema": "abd"}, "the schema of"),
        ({"by_csn": False}, "does not find entries by their entryCSN"),
        ({"csns": CsnSet([csn(-1)])}, "went back (server ID 001)"),
        ({"csns": CsnSet([csn(60, 2)])}, "has lost server ID 001"),
        ({"csns": CsnSet([csn(60), csn(60, 0xABC)])}, "has a new server ID abc"),
    ],
)
def test_every_doubt_of_either_side(side: str, change: dict[str, object], why: str) -> None:
    now = replace(NOW, **{side: replace(mark(csn(60)), **change)})  # type: ignore[arg-type]  # checked by the class
    assert why in doubt(PROOF, now)
    assert f"the {side}" in doubt(PROOF, now)


def test_doubts_of_the_proof_itself() -> None:
    assert "nothing proven" in doubt(None, NOW)
    assert "3 entries showed no entryCSN" in doubt(replace(PROOF, unstamped=3), NOW)
    assert "clock of this machine" in doubt(replace(PROOF, at=NOON + timedelta(days=1)), NOW)
    assert "2 h old" in doubt(replace(PROOF, full=NOON - timedelta(hours=1, minutes=55)), NOW)
    assert doubt(replace(PROOF, full=NOON - timedelta(days=900)), replace(NOW, full_every=None)) == ""


stamps = st.dictionaries(st.integers(0, 4), st.integers(0, 10**7), min_size=1, max_size=4)


@given(
    then=stamps,
    steps=st.lists(st.integers(0, 10**6), min_size=5, max_size=5),
    more=st.integers(1, 10**6),
    sides=st.sets(st.sampled_from(["provider", "consumer"]), min_size=1),
)
def test_no_change_after_the_proof_falls_out_of_the_window(
    then: dict[int, int], steps: list[int], more: int, sides: set[str]
) -> None:
    """Whatever server made it: a server ID that moved from a to b may have brought any stamp in (a, b]."""
    before = CsnSet(csn(seconds, sid) for sid, seconds in then.items())
    after = CsnSet(csn(seconds + steps[sid], sid) for sid, seconds in then.items())
    proof = replace(PROOF, provider=Mark(before, "s", "s"), consumer=Mark(before, "s", "s"))
    moved = {side: Mark(after if side in sides else before, "s", "s") for side in ("provider", "consumer")}
    now = replace(NOW, **moved)
    low = changed_filter("(objectClass=*)", proof, now).partition("entryCSN>=")[2].rstrip(")")
    for sid, seconds in then.items():
        if steps[sid]:
            assert csn(seconds + min(more, steps[sid]), sid).normal >= low
    newest = max(seconds for seconds in then.values())
    assert csn(newest - MARGIN.total_seconds() + 1).normal >= low, "a local write, its clock a little late"


def test_an_idle_server_does_not_widen_the_window() -> None:
    old = csn(-86400 * 365, 2)
    proof = replace(PROOF, provider=mark(csn(0), old))
    now = replace(NOW, provider=mark(csn(60), old))
    assert changed_filter("(uid=a)", proof, now) == ("(&(uid=a)(entryCSN>=20261122115000.000000Z#000000#000#000000))")
    awake = replace(NOW, provider=mark(csn(60), csn(-86400 * 300, 2)))
    assert "entryCSN>=20251122115000" in changed_filter("(uid=a)", proof, awake)


def test_a_filter_without_parentheses() -> None:
    assert changed_filter("uid=a", PROOF, NOW).startswith("(&(uid=a)(entryCSN>=")


def test_times_from_the_beginning_of_time() -> None:
    first = Csn.parse("00010101000000.000000Z#000000#001#000000")
    proof = replace(PROOF, provider=mark(first), consumer=mark(first))
    assert "entryCSN>=00010101000000.000000Z" in changed_filter("(uid=a)", proof, NOW)


def test_only_missing_and_extra_entries_weigh() -> None:
    kinds = [Kind.MISSING, Kind.MISSING, Kind.EXTRA, Kind.DIFFERS, Kind.RENAMED, Kind.IDENTITY]
    assert balance(Finding(kind, "dc=x") for kind in kinds) == 1
