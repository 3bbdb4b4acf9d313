"""What a sync session means. Each test is a way in which somebody's replica once went wrong without a word."""

from __future__ import annotations

import pytest

from ldaprepl.domain.cookie import SyncCookie
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.refresh import Kind, NoSync, ProviderWentBack, Refresh, RefreshRequired
from ldaprepl.errors import IncompleteRead

OLD, NEW = (
    "rid=001,csn=20261122101743.000001Z#000000#001#000000",
    "rid=000,csn=20261122101744.000001Z#000000#001#000000",
)
OLD_22, NEW_22 = "csn=20261122102017Z#000001#00#000000", "csn=20261122102053Z#000001#00#000000"


def cookie(text: str) -> SyncCookie:
    found = SyncCookie.parse(text)
    assert found
    return found


def machine(sent: str | None = OLD) -> Refresh:
    return Refresh(cookie(sent) if sent else None)


def person(uuid: str) -> Entry:
    return Entry(f"uid={uuid},dc=lab", {"entryUUID": (uuid.encode(),)})


def test_refresh_deletes_on_a_complete_answer_does_not_mean_incremental() -> None:
    made = machine(None)
    made.entry("a", person("a"))
    outcome = made.finish(0, "", (NEW, True))
    assert outcome.kind is Kind.FULL and outcome.keep == {"a"} and outcome.cookie == cookie(NEW)


def test_what_is_carried_out_already_is_kept_and_not_received() -> None:
    made, first = machine(None), person("a")
    made.entry("a", first)
    made.taken("a", first)
    outcome = made.finish(0, "", (NEW, True))
    assert outcome.kind is Kind.FULL and outcome.keep == {"a"} and not outcome.received


def test_an_entry_that_comes_again_is_newer_than_what_was_carried_out() -> None:
    """It changed while a long answer was read, and its first version was written at that moment."""
    made, first, second = machine(None), person("a"), person("a")
    made.entry("a", first)
    made.entry("a", second)
    made.taken("a", first)
    outcome = made.finish(0, "", (NEW, True))
    assert outcome.keep == {"a"} and outcome.received["a"] is second


def test_no_change_of_2_2_is_not_an_empty_present_phase() -> None:
    outcome = machine(OLD_22).finish(0, "", (OLD_22, False))
    assert outcome.kind is Kind.UNCHANGED and outcome.cookie is None


def test_no_change_of_2_3_and_later_keeps_the_old_cookie() -> None:
    outcome = machine().finish(0, "", (None, True))
    assert outcome.kind is Kind.UNCHANGED and outcome.cookie is None


def test_the_transcript_of_2_2() -> None:
    made = machine(OLD_22)
    made.entry("a", person("a"))
    made.id_set(("b", "c"), deletes=False)
    made.id_set(("d",), deletes=False)
    outcome = made.finish(0, "", (NEW_22, False))
    assert outcome.kind is Kind.PRESENT and outcome.keep == {"a", "b", "c", "d"}


def test_delete_phase_and_entries_that_win_over_it() -> None:
    made = machine()
    made.id_set(("a", "b"), deletes=True)
    made.entry("b", person("b"))
    outcome = made.finish(0, "", (NEW, True))
    assert outcome.kind is Kind.DELTA and outcome.deleted == {"a"} and set(outcome.received) == {"b"}


def test_changes_only_without_present_list_delete_nothing() -> None:
    """389 DS; also slapd's answer to a cookie of another server."""
    made = machine()
    made.entry("a", person("a"))
    assert made.finish(0, "", (NEW, False)).kind is Kind.DOUBTFUL


def test_a_cookie_that_did_not_move_deletes_nothing_by_absence() -> None:
    made = machine()
    made.id_set(("a",), deletes=False)
    assert made.finish(0, "", (OLD, False)).kind is Kind.DOUBTFUL


def test_a_delete_set_before_a_failure_is_worth_nothing() -> None:
    made = machine()
    made.id_set(("a", "b"), deletes=True)
    with pytest.raises(IncompleteRead):
        made.finish(32, "", None)


@pytest.mark.parametrize("code", [3, 4, 11, 50, 51, 52, 80])
def test_no_end_no_outcome(code: int) -> None:
    made = machine()
    made.entry("a", person("a"))
    with pytest.raises(IncompleteRead):
        made.finish(code, "", None)


def test_success_without_sync_done_is_no_sync() -> None:
    """2.0 and 2.1 ignore a control that is not critical; other backends do too."""
    with pytest.raises(NoSync):
        machine(None).finish(0, "", None)
    with pytest.raises(NoSync):
        machine(None).finish(12, "critical extension is not recognized", None)


@pytest.mark.parametrize("code", [4096, 0x4100])
def test_both_codes_of_refresh_required(code: int) -> None:
    with pytest.raises(RefreshRequired):
        machine().finish(code, "", None)


def test_a_provider_that_went_back_is_told_apart() -> None:
    with pytest.raises(ProviderWentBack):
        machine().finish(53, "consumer state is newer than provider!", None)


def test_an_empty_or_foreign_cookie_is_not_kept() -> None:
    for raw in ("", "localhost:389#cn=x:dc=lab:(objectClass=*)#12", "rid=000", "csn=hello,rid=0"):
        assert machine(None).finish(0, "", (raw, True)).cookie is None


def test_another_uuid_than_the_attribute_is_no_sync_for_us() -> None:
    """389 DS answers with nsUniqueId."""
    with pytest.raises(NoSync):
        machine(None).entry("x", person("a"))


@pytest.mark.parametrize(
    ("received", "sent"),
    [
        ("rid=000,sid=001," + OLD.partition(",")[2], OLD),
        (f"{OLD},delcsn=20261122101743.000009Z#000000#001#000000", OLD),
        ("csn=20261122102017Z#000001#00#000000,sid=001,rid=001", "csn=20261122102017Z#000001#00#000000,rid=001"),
        ("csn=20261122102017Z#000001#00#000000", "csn=20261122102017Z#000001#00#000000,rid=001"),
    ],
)  # fmt: skip
def test_cookies_go_back_with_a_rid_and_never_with_a_session(received: str, sent: str) -> None:
    assert cookie(received).render() == sent
