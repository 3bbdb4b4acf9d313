"""The fear: a memory that comes back as something else, and a file that stops a run for good."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.memory import NOTHING, Recollection
from ldaprepl.domain.proof import Mark, Proof
from ldaprepl.domain.verdict import AttributeDifference, Finding, Kind, State
from ldaprepl.errors import ExitCode, LdapreplError, UsageError
from ldaprepl.wire.verifystate import PairKey, VerifyState

KEY = PairKey({"provider": "ldap://a", "consumer": "ldap://b", "base": "dc=x", "to": "dc=x"}, {"scope": "all of it"})
CSN = "20260102030405.678901Z#000000#001#000000"
# DNs are bytes: what is no UTF-8 comes as lone surrogates (PEP 383)
TEXT = st.binary(max_size=12).map(lambda octets: octets.decode("utf-8", "surrogateescape"))
MARKS = st.builds(Mark, st.sampled_from([CsnSet(), CsnSet.parse([CSN])]), TEXT, TEXT, st.booleans())
MOMENTS = st.datetimes(timezones=st.just(UTC))
PROOFS = st.builds(Proof, MARKS, MARKS, MOMENTS, MOMENTS, st.none() | st.integers(), st.integers(0))
FINDINGS = st.builds(
    Finding,
    kind=st.sampled_from(Kind),
    dn=TEXT,
    consumer_dn=TEXT,
    uuid=TEXT,
    state=st.sampled_from(State),
    attributes=st.lists(TEXT, max_size=2).map(lambda names: tuple(AttributeDifference(n, (), ()) for n in names)),
)
MEMORIES = st.builds(Recollection, st.lists(FINDINGS, max_size=3).map(tuple), st.none() | PROOFS, st.booleans())


def kept(path: Path, what: Recollection, key: PairKey = KEY) -> None:
    state = VerifyState(path)
    state.keep(key, what)
    state.save()


@given(MEMORIES)
def test_what_is_kept_comes_back(tmp_path_factory: pytest.TempPathFactory, what: Recollection) -> None:
    path = tmp_path_factory.mktemp("state") / "verify.json"
    kept(path, what)
    state = VerifyState(path)
    assert state.recall(KEY) == what
    assert state.notes == []
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().isascii()


def test_pairs_do_not_know_each_other(tmp_path: Path) -> None:
    path = tmp_path / "verify.json"
    other = PairKey({**KEY.pair, "consumer": "ldap://c"}, KEY.binding)
    kept(path, Recollection(trouble=True))
    kept(path, Recollection(), other)
    state = VerifyState(path)
    assert (state.recall(KEY).trouble, state.recall(other).trouble) == (True, False)
    narrower = PairKey(KEY.pair, {"scope": "a part"})
    assert state.recall(narrower) == NOTHING
    assert "another scope" in state.notes[0]


def damaged(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    document = json.loads(path.read_text())
    (pair,) = document["pairs"].values()
    change(pair)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        lambda pair: pair.pop("proof"),
        lambda pair: pair.update(findings=[{}]),
        lambda pair: pair.update(findings=3),
        lambda pair: pair["proof"].update(at="yesterday"),
        lambda pair: pair["proof"].update(full="2026-11-22T12:00:00"),
        lambda pair: pair["proof"]["provider"].update(csns=["x"]),
        lambda pair: pair["proof"].update(offset="many"),
    ],
)
def test_a_damaged_pair_is_forgotten_and_said(tmp_path: Path, change: Callable[[dict[str, object]], object]) -> None:
    path = tmp_path / "verify.json"
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    kept(path, Recollection((), Proof(Mark(), Mark(), moment, moment)))
    damaged(path, change)
    state = VerifyState(path)
    assert state.recall(KEY) == NOTHING
    assert "beginning anew" in state.notes[0]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', '{"schema": 9, "command": "verify", "pairs": {}}',
                                  '{"schema": 1, "command": "verify", "pairs": {"x": 3}}', "\xff"])  # fmt: skip
def test_another_file_is_no_memory(tmp_path: Path, text: str) -> None:
    path = tmp_path / "verify.json"
    path.write_bytes(text.encode("latin-1"))
    state = VerifyState(path)
    assert state.recall(KEY) == NOTHING
    assert "could not be understood" in state.notes[0]


def test_a_file_that_may_not_be_used(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be used"):
        VerifyState(tmp_path)
    with pytest.raises(UsageError, match="cannot be used"):
        kept(tmp_path / "nowhere" / "verify.json", NOTHING)


def test_a_full_disk_leaves_the_old_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "verify.json"
    kept(path, Recollection(trouble=True))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(LdapreplError, match="No space") as raised:
        kept(path, NOTHING)
    assert raised.value.exit_code == ExitCode.UNDECIDED
    assert VerifyState(path).recall(KEY).trouble
    assert list(tmp_path.iterdir()) == [path], "nothing is left beside it"
