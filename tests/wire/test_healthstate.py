"""The memory of `check`: what was saved is read again, and what is no memory counts as none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.alarm import Alarm
from ldaprepl.domain.csn import Csn
from ldaprepl.domain.health import Status
from ldaprepl.domain.judgement import Debt
from ldaprepl.errors import AlreadyRunning, UsageError
from ldaprepl.wire.healthstate import Memory, load, locked, save

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
ALARM = Alarm(("ldap://c lag CRITICAL",), Status.CRITICAL, NOW)
CSN = Csn.parse("20261122120000.123456Z#00000a#a01#000000")
DEBTS = {("ldap://c", 0xA01): Debt(CSN, NOW)}


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "state"
    assert load(path) == Memory()
    save(path, DEBTS, ALARM)
    assert load(path) == Memory(DEBTS, ALARM)
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


@given(st.text(), st.integers(0, 0xFFF), st.datetimes(timezones=st.just(UTC)))
def test_any_server_and_time(tmp_path_factory: pytest.TempPathFactory, uri: str, sid: int, since: datetime) -> None:
    path = tmp_path_factory.getbasetemp() / "any-state"
    debts = {(uri, sid): Debt(Csn.parse(f"20261122120000.123456Z#000000#{sid:03x}#000000"), since)}
    save(path, debts, Alarm((), Status.OK, since))
    assert load(path).debts == debts


def damaged() -> list[str]:
    whole = {"schema": 1, "debts": [], "alarm": {"what": [], "status": "OK", "since": NOW.isoformat()}}
    debt = {"server": "x", "sid": "001", "csn": CSN.raw, "since": NOW.isoformat()}
    return [
        "", "[]", "null", "{}", "{", "\x00", json.dumps(whole)[:-9],
        json.dumps(whole | {"schema": 2}),
        json.dumps(whole | {"debts": [debt | {"csn": "hello"}]}),
        json.dumps(whole | {"debts": [debt | {"since": "2026-11-22T12:00:00"}]}),
        json.dumps(whole | {"debts": [debt | {"sid": 1}]}),
        json.dumps(whole | {"alarm": {"what": [], "status": "FINE", "since": NOW.isoformat()}}),
    ]  # fmt: skip


@pytest.mark.parametrize("text", damaged())
def test_what_is_no_memory_counts_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state"
    path.write_text(text)
    assert load(path) == Memory(damaged=True)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"\xff\xfe")
    assert load(path).damaged


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "state"),
        pytest.raises(AlreadyRunning, match="another check holds"),
        locked(tmp_path / "state"),
    ):
        pass
    with locked(tmp_path / "state"):
        pass


def test_a_place_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be used"), locked(tmp_path / "none" / "state"):
        pass
    with pytest.raises(UsageError, match="cannot be used"):
        load(tmp_path)
