"""A length that is believed without a look is how a decoder reads what was never sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import element, number_
from pyasn1.codec.ber import decoder, encoder
from pyasn1.type import univ

from ldaprepl.errors import ProtocolViolation, UsageError
from ldaprepl.protocol import ber

SIZES = (0, 127, 128, 255, 256, 65535, 65536)


@given(st.integers(-(1 << 63), (1 << 63) - 1) | st.sampled_from([1 << n for n in range(63)]).map(lambda n: -n))
def test_integers_are_short_and_come_back(value: int) -> None:
    for number in (value, ~value):
        encoded = ber.integer(number)
        assert encoded == number_(number)
        assert decoder.decode(encoded)[0] == number
        assert ber.read_integer(encoded, 0, len(encoded), "x") == (number, len(encoded))


@given(st.binary(max_size=300) | st.sampled_from(SIZES).map(bytes))
def test_octets_come_back_from_every_length_form(value: bytes) -> None:
    assert ber.octets(value) == encoder.encode(univ.OctetString(value))
    for form in range(5):
        data = b"ahead" + element(0x04, value, form=form) + b"behind"
        assert ber.read_octets(data, 5, len(data), "x") == (value, len(data) - 6)


@pytest.mark.parametrize("value", [True, False])
def test_booleans(value: bool) -> None:
    assert decoder.decode(ber.boolean(value), asn1Spec=univ.Boolean())[0] == value


def test_text_is_utf8_and_bytes_that_are_not_survive() -> None:
    assert ber.octets("ä") == b"\x04\x02\xc3\xa4"
    assert ber.octets(b"\xff".decode("utf-8", "surrogateescape")) == b"\x04\x01\xff"
    with pytest.raises(UsageError, match="position 2"):
        ber.octets("a\ud800")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "name is missing or cut off at byte 0"),
        ("04", "name is missing or cut off at byte 0"),
        ("0401", "name claims 1 bytes at byte 0, but only 0 are left"),
        ("048101", "name claims 1 bytes"),
        ("0482ff", "name is cut off in its length at byte 1"),
        ("0484ffffffff00", "name claims 4294967295 bytes"),
        ("0480", "name has an invalid length form 0x80 at byte 1"),
        ("0485000000000100", "name has an invalid length form 0x85 at byte 1"),
        ("04ff", "name has an invalid length form 0xff at byte 1"),
        ("0500", "name has tag 0x05 instead of 0x04 at byte 0"),
        ("1f8100", "name has a tag of several bytes at byte 0"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(data: str, words: str) -> None:
    octets = bytes.fromhex(data)
    with pytest.raises(ProtocolViolation, match=words):
        ber.read_octets(octets, 0, len(octets), "name")


def test_an_element_may_not_reach_beyond_its_parent() -> None:
    data = b"\x04\x03abc"
    with pytest.raises(ProtocolViolation):
        ber.read_octets(data, 0, 4, "x")
    assert ber.read_octets(data, 0, 5, "x") == (b"abc", 5)


@pytest.mark.parametrize("data", ["0200", "0209" + "00" * 9])
def test_integers_of_no_or_too_many_bytes(data: str) -> None:
    octets = bytes.fromhex(data)
    with pytest.raises(ProtocolViolation, match="count is an integer of"):
        ber.read_integer(octets, 0, len(octets), "count")


@given(st.binary(max_size=40), st.integers(0, 45), st.integers(0, 45))
def test_no_header_leads_out_of_its_room(data: bytes, pos: int, end: int) -> None:
    end = min(end, len(data))
    try:
        tag, start, stop = ber.header(data, pos, end, "x")
    except ProtocolViolation:
        return
    assert tag == data[pos]
    assert pos + 2 <= start <= stop <= end


@given(st.binary(max_size=30))
def test_what_is_read_is_what_another_decoder_reads(data: bytes) -> None:
    data = b"\x04" + data
    try:
        value, end = ber.read_octets(data, 0, len(data), "x")
    except ProtocolViolation:
        return
    other, rest = decoder.decode(data, asn1Spec=univ.OctetString())
    assert (value, data[end:]) == (bytes(other), rest)
