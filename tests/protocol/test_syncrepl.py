"""The four BER values, from messages that servers really sent."""

from __future__ import annotations

import pytest

from ldaprepl.errors import ProtocolViolation
from ldaprepl.protocol.syncrepl import State, SyncDone, decode_done, decode_info, decode_state, encode_request

# From slapd 2.2.30: the control and intermediate values of whole messages.
STATE_22 = bytes.fromhex("30150a010104106ae8ed707ab01041987c9ef234e4bc48")
ID_SET_22 = bytes.fromhex(
    "a35c315a04106ae8fcd47ab01041987d9ef234e4bc4804106ae90de67ab01041987e9ef234e4bc4804106ae91fca7ab01041987f9ef234e4bc48"
    "04106ae933fc7ab0104198809ef234e4bc4804106ae947527ab0104198819ef234e4bc48"
)
DONE_22 = bytes.fromhex("3026042463736e3d32303236313132323131303535315a2330303030303123303023303030303030")
PRESENT_22 = bytes.fromhex("a226042463736e3d32303236313132323131303535315a2330303030303123303023303030303030")
COOKIE_22 = "csn=20261122110551Z#000001#00#000000"


def test_slapd_2_2_as_recorded() -> None:
    state = decode_state(STATE_22)
    assert (state.state, state.uuid, state.cookie) == (State.ADD, "6ae8ed70-7ab0-1041-987c-9ef234e4bc48", None)
    ids = decode_info(ID_SET_22)
    assert ids.uuids is not None and len(ids.uuids) == 5 and not ids.refresh_deletes and ids.cookie is None
    assert decode_done(DONE_22) == SyncDone(COOKIE_22, False)
    assert decode_info(PRESENT_22).cookie == COOKIE_22


def test_no_change_of_slapd_2_3_has_no_cookie_and_refresh_deletes() -> None:
    assert decode_done(bytes.fromhex("30030101ff")) == SyncDone(None, True)


def test_an_empty_cookie_is_not_the_same_as_none() -> None:
    assert decode_done(bytes.fromhex("30050400" + "0101ff")) == SyncDone("", True)


def test_a_set_of_deletes_with_cookie() -> None:
    uuid = bytes(range(16))
    value = bytes.fromhex("a31d" + "0404") + b"rid=" + bytes.fromhex("0101ff" + "3112" + "0410") + uuid
    value = bytes((0xA3, len(value) - 2)) + value[2:]
    info = decode_info(value)
    assert info.refresh_deletes and info.uuids == ("00010203-0405-0607-0809-0a0b0c0d0e0f",) and info.cookie == "rid="


def test_the_request_leaves_an_empty_cookie_out() -> None:
    """2.3 answers an empty one with code 2."""
    assert encode_request("") == encode_request(None) == bytes.fromhex("30030a0101")
    assert encode_request("rid=1") == bytes.fromhex("300a0a01010405") + b"rid=1"


@pytest.mark.parametrize("cut", range(1, len(ID_SET_22), 7))
def test_a_cut_value_is_a_violation_and_never_a_shorter_list(cut: int) -> None:
    with pytest.raises(ProtocolViolation):
        decode_info(ID_SET_22[:cut])


@pytest.mark.parametrize("value", ["300a0a010504106ae8ed70", "30080a010104036ae8ed", "85020a00"])
def test_nonsense_is_a_violation(value: str) -> None:
    with pytest.raises(ProtocolViolation):
        decode_state(bytes.fromhex(value))
