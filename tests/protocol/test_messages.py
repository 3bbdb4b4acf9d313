"""What an entry, a result, a control say: the same to us as to decoders that others wrote, also after an accident."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ldap3.protocol import rfc4511
from made import (
    BULK,
    DONE,
    ENTRY,
    EXTENDED,
    FORMS,
    INTERMEDIATE,
    REFERENCE,
    Sent,
    control,
    controls,
    element,
    entries,
    mangled,
    message,
    number_,
    result,
)
from peers import Decoded, Libldap, by_ldap3, by_pyasn1
from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import PyAsn1Error

from ldaprepl.errors import ProtocolViolation
from ldaprepl.protocol.frames import FrameReader
from ldaprepl.protocol.messages import (
    Message,
    decode_entry,
    decode_intermediate,
    decode_message,
    decode_reference,
    decode_result,
    decode_values,
)
from ldaprepl.protocol.results import name_of

URIS = st.lists(st.text(min_size=1, max_size=10), min_size=1, max_size=3)


def ours(data: bytes, number: int = BULK) -> Decoded | None:
    """The one entry in `data`, through the same steps as in a bulk read; None when there is none (yet)."""
    batch = FrameReader(number).feed(data)
    if not batch.entries:
        return None
    dn, frame = batch.entries[0]
    decoded, attributes = decode_entry(frame)
    assert decoded == dn
    held: dict[bytes, list[bytes]] = {}
    for name, values in attributes:
        held.setdefault(name, []).extend(decode_values(values))
    return dn, held


def ours_or_none(data: bytes, number: int = BULK) -> Decoded | None:
    """Also None when we refuse it."""
    try:
        return ours(data, number)
    except ProtocolViolation:
        return None


def decoded(sent: Sent) -> Decoded:
    return sent.dn, {name: list(values) for name, values in sent.attributes}


# -- entries -------------------------------------------------------------------------------------------------------


@given(entries(), st.integers(0, 4))
def test_an_entry_arrives_as_it_was_sent(sent: Sent, form: int) -> None:
    frame = sent.frame(form=form)
    assert ours(frame) == decoded(sent) == by_pyasn1(frame)


@given(entries())
def test_ldap3_agrees(sent: Sent) -> None:
    frame = sent.frame()
    found = ours(frame)
    assert found is not None
    assert (found[0], {name: values or None for name, values in found[1].items()}) == by_ldap3(frame)


@settings(max_examples=60)
@given(entries(), st.integers(0, 4))
def test_libldap_agrees(sent: Sent, form: int) -> None:
    frame = sent.frame(number=1, form=form)
    with Libldap() as libldap:
        theirs = libldap.entry(frame)
    if b"\0" not in sent.dn:  # where C's strings end
        assert theirs == ours(frame, 1)


@given(entries())
def test_what_an_asn1_library_writes(sent: Sent) -> None:
    entry = rfc4511.SearchResultEntry()
    entry["object"] = sent.dn
    entry["attributes"] = rfc4511.PartialAttributeList()
    for place, (name, values) in enumerate(sent.attributes):
        attribute = rfc4511.PartialAttribute()
        attribute["type"] = name
        attribute["vals"] = rfc4511.Vals()
        attribute["vals"].extend(rfc4511.AttributeValue(value) for value in values)
        entry["attributes"][place] = attribute
    whole = rfc4511.LDAPMessage()
    whole["messageID"] = BULK
    whole["protocolOp"] = rfc4511.ProtocolOp().setComponentByName("searchResEntry", entry)
    dn, attributes = ours(encoder.encode(whole)) or (b"", {})
    assert dn == sent.dn
    assert {name: set(values) for name, values in attributes.items()} == {
        name: set(values) for name, values in sent.attributes
    }


@settings(max_examples=400)
@given(mangled(entries().map(Sent.frame)))
def test_a_mangled_entry_is_refused_or_is_what_a_strict_decoder_sees(data: bytes) -> None:
    found = ours_or_none(data)
    if found is not None:
        frame = data[: len(data) - len(rest_of(data))]
        assert found == by_pyasn1(frame)


@settings(max_examples=200)
@given(mangled(entries().map(Sent.frame)))
def test_nothing_is_refused_that_a_strict_decoder_takes(data: bytes) -> None:
    """Unless it answers something else, or has what BER allows and LDAP forbids (RFC 4511, section 5.1): indefinite
    lengths (0x80, on which pyasn1 may crash) and strings in parts (0x24).
    """
    if number_(BULK) in data[2:9] and not {0x24, 0x80} & set(data):
        theirs = by_pyasn1(data)
        assert theirs is None or ours(data) == theirs


@settings(max_examples=100)
@given(mangled(entries().map(lambda sent: sent.frame(number=1))))
def test_libldap_sees_the_same_in_a_mangled_entry(data: bytes) -> None:
    found = ours_or_none(data, 1)
    with Libldap() as libldap:
        theirs = libldap.entry(data)
    if found is None or theirs is None or any(b"\0" in name for name in (found[0], *found[1])):
        return
    parts = decode_entry(data[: len(data) - len(rest_of(data))])[1]
    if len({name.lower() for name, _ in parts}) == len(parts):  # python-ldap keeps one part of two
        assert theirs == found


def rest_of(data: bytes) -> bytes:
    """What follows the first message."""
    behind = 2 if data[1] < 0x80 else 2 + data[1] - 0x80
    size = data[1] if data[1] < 0x80 else int.from_bytes(data[2:behind], "big")
    return data[behind + size :]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "objectName is missing"),
        (element(0x04, b"cn=a"), "attributes is missing"),
        (element(0x04) + element(0x31), "attributes has tag 0x31"),
        (element(0x04) + element(0x30) + b"\x05\x00", "bytes follow the attributes of an entry"),
        (element(0x04) + element(0x30, b"\x04\x00"), "attribute has tag 0x04"),
        (element(0x04) + element(0x30, element(0x30)), "attribute description is missing"),
        (element(0x04) + element(0x30, element(0x30, b"\x0c\x01a", element(0x31))), "attribute description has tag"),
        (element(0x04) + element(0x30, element(0x30, element(0x04, b"cn"))), "attribute values is missing"),
        (element(0x04) + element(0x30, element(0x30, element(0x04, b"cn"), element(0x30))), "attribute values has tag"),
        (
            element(0x04) + element(0x30, element(0x30, element(0x04, b"cn"), element(0x31), b"\x05\x00")),
            "bytes follow the values of an attribute",
        ),
        (element(0x04) + b"\x30\x02\x30\x01", "attribute claims 1 bytes"),
        (element(0x04) + element(0x30, b"\x30\x05\x04\x01a\x31\x01"), "attribute values claims 1 bytes"),
        (element(0x04) + element(0x30, b"\x30\x05\x04\x04a\x31\x00"), "attribute description claims 4 bytes"),
    ],
)
def test_the_error_names_the_field(body: bytes, words: str) -> None:
    with pytest.raises(ProtocolViolation, match=words):
        decode_entry(message(element(ENTRY, body)))


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (message(result()), "SearchResultEntry has tag 0x65 instead of 0x64"),
        (Sent(b"", ()).frame() + b"\0", "1 bytes follow the LDAPMessage"),
        (message(Sent(b"", ()).operation(), b"\x05\x00"), "controls has tag 0x05"),
        (message(Sent(b"", ()).operation(), b"\xa0\x00\x05\x00"), "bytes follow the controls"),
        (b"\x31\x00", "LDAPMessage has tag 0x31"),
    ],
)
def test_what_is_no_entry(frame: bytes, words: str) -> None:
    with pytest.raises(ProtocolViolation, match=words):
        decode_entry(frame)


@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(0, 4))
def test_values(values: list[bytes], form: int) -> None:
    encoded = b"".join(element(0x04, value, form=form) for value in values)
    assert decode_values(encoded) == tuple(values)


@pytest.mark.parametrize("form", range(5))
def test_lengths_that_look_like_another_form(form: int) -> None:
    """128 bytes behind 0x81 0x80 are 131 bytes together: as many as a short length of 0x81 would mean."""
    for size in range(115, 145):
        value = bytes(size)
        assert decode_values(element(0x04, value, form=form)) == (value,)
        for sent in (Sent(b"", ((b"cn", (value,)),)), Sent(b"", ((value, (b"x",)),)), Sent(value, ((b"cn", ()),))):
            frame = Sent(sent.dn, sent.attributes, (form,) * 4).frame(form=form)
            assert ours(frame) == decoded(sent)


def test_an_attribute_does_not_reach_into_the_controls() -> None:
    """The bytes are there, and they are not its own."""
    behind = controls(control(b"1.2.3"))
    value = element(0x04, b"x") + behind
    attribute = element(0x30, element(0x04, b"cn"), element(0x31, value))[: -len(behind)]
    frame = message(element(ENTRY, element(0x04, b"cn=a"), element(0x30, attribute)), behind)
    with pytest.raises(ProtocolViolation, match=f"attribute claims {len(attribute) - 2 + len(behind)} bytes"):
        decode_entry(frame)


@given(st.binary(max_size=30) | st.binary(max_size=20).map(lambda rest: b"\x04" + rest))
def test_values_that_are_none(encoded: bytes) -> None:
    """Either all bytes are values, or none is believed."""
    try:
        values = decode_values(encoded)
    except ProtocolViolation:
        return
    theirs, rest = decoder.decode(element(0x31, encoded), asn1Spec=rfc4511.Vals())
    assert not rest
    assert sorted(values) == sorted(bytes(value) for value in theirs)


# -- results -------------------------------------------------------------------------------------------------------


def settled(frame: bytes) -> Message:
    """The message in a frame, the way it comes out of a reader."""
    batch = FrameReader(BULK).feed(frame)
    assert not batch.entries
    return batch.messages[0]


@given(
    st.sampled_from([0, 1, 10, 32, 50, 51, 127, 128, 4096, 16654]),
    st.text(max_size=20),
    st.text(max_size=20),
    st.none() | URIS,
    FORMS,
)
def test_results(code: int, matched: str, text: str, uris: list[str] | None, forms: tuple[int, ...]) -> None:
    form = max(forms, default=0)
    more = [] if uris is None else [element(0xA3, *(element(0x04, uri.encode(), form=form) for uri in uris), form=form)]
    frame = message(result(DONE, code, *more, matched=matched.encode(), text=text.encode()), form=form)
    found = decode_result(settled(frame))
    assert (found.code, found.matched, found.text) == (code, matched, text)
    assert found.referrals == tuple(uris or ())
    theirs = decoder.decode(frame, asn1Spec=rfc4511.LDAPMessage())[0]["protocolOp"].getComponent()
    assert int(theirs["resultCode"]) == code
    if uris is not None:
        assert tuple(str(uri) for uri in theirs["referral"]) == found.referrals


def test_text_that_is_not_utf8_is_shown_with_a_mark() -> None:
    found = decode_result(settled(message(result(DONE, 80, matched=b"cn=\xff", text=b"na\xefve"))))
    assert (found.matched, found.text) == ("cn=\ufffd", "na\ufffdve")


def test_what_a_newer_protocol_adds_is_passed_over() -> None:
    """RFC 4511, section 4: trailing elements with unknown tags are ignored."""
    found = decode_result(settled(message(result(DONE, 0, element(0x85, b"x"), element(0xA9, b"\xff")))))
    assert found.code == 0


def test_an_extended_response_has_a_name() -> None:
    notice = message(result(EXTENDED, 52, element(0x8A, b"1.3.6.1.4.1.1466.20036")), number=0)
    assert decode_result(decode_message(notice)).name == "1.3.6.1.4.1.1466.20036"
    assert decode_result(settled(message(result(DONE, 0, element(0x8A, b"1.2"))))).name == ""


@pytest.mark.parametrize("cut", range(1, 8))
def test_results_that_are_cut_off(cut: int) -> None:
    body = result(DONE, 0)[2:-cut]
    with pytest.raises(ProtocolViolation, match=r"resultCode|matchedDN|diagnosticMessage"):
        decode_result(Message(BULK, DONE, body))


@settings(max_examples=300)
@given(
    mangled(URIS.map(lambda uris: message(result(DONE, 10, element(0xA3, *(element(4, u.encode()) for u in uris))))))
)
def test_mangled_results(data: bytes) -> None:
    """Never success out of something else: that would turn a failed read into missing entries."""
    try:
        batch = FrameReader(BULK).feed(data)
        found = [decode_result(each) for each in batch.messages if each.op == DONE]
    except ProtocolViolation:
        return
    if found:
        try:
            theirs = decoder.decode(data, asn1Spec=rfc4511.LDAPMessage())[0]
        except PyAsn1Error:
            return  # it has an element of its own at the end, which we may not mind
        assert int(theirs["protocolOp"].getComponent()["resultCode"]) == found[0].code


def test_every_result_code_can_be_said() -> None:
    for code in [*range(-1, 130), 4096, 16654, 2**31]:
        assert str(code) in name_of(code)
        assert name_of(code) != str(code)
    others = {int(rfc4511.ResultCode(name)): name for name in rfc4511.ResultCode.namedValues}
    differing = {code for code, name in others.items() if code <= 80 and name_of(code) != f"{code} {name}"}
    assert differing == {54, 71}  # RFC 4511 says loopDetect and affectsMultipleDSAs


# -- references, intermediate messages, controls ---------------------------------------------------------------------


@given(URIS)
def test_references(uris: list[str]) -> None:
    frame = message(element(REFERENCE, *(element(0x04, uri.encode()) for uri in uris)))
    assert decode_reference(settled(frame)) == tuple(uris)


def test_a_reference_that_is_none() -> None:
    with pytest.raises(ProtocolViolation, match="attribute value"):
        decode_reference(settled(message(element(REFERENCE, b"\x02\x01\x00"))))


@given(st.none() | st.text(max_size=9), st.none() | st.binary(max_size=300))
def test_intermediate_messages(name: str | None, value: bytes | None) -> None:
    parts = [] if name is None else [element(0x80, name.encode())]
    parts += [] if value is None else [element(0x81, value)]
    assert decode_intermediate(settled(message(element(INTERMEDIATE, *parts)))) == (name or "", value or b"")


CRITICAL = st.sampled_from([b"", b"\x01\x01\xff", b"\x01\x01\x00", b"\x01\x01\x01"])


@given(
    st.lists(st.tuples(st.text("0123456789.", min_size=1), CRITICAL, st.none() | st.binary(max_size=300)), max_size=4)
)
def test_controls(sent: list[tuple[str, bytes, bytes | None]]) -> None:
    """Criticality and value may each be there or not; slapd 2.2 marks its response controls critical."""
    each = [
        control(oid.encode(), critical, b"" if value is None else element(0x04, value)) for oid, critical, value in sent
    ]
    for operation in (result(), element(REFERENCE, element(0x04, b"ldap://x")), element(INTERMEDIATE)):
        found = settled(message(operation, controls(*each))).controls
        assert found == {oid: value for oid, _, value in sent}
    assert decode_result(settled(message(result(), controls(*each)))).controls == {oid: v for oid, _, v in sent}


@pytest.mark.parametrize(
    ("encoded", "words"),
    [
        (b"\xa0\x02\x30\x00", "controlType is missing"),
        (b"\xa0\x02\x04\x00", "control has tag 0x04"),
        (controls(control(b"1", b"\x04\x01a\x04\x01b")), "a control holds an element with tag 0x04"),
        (controls(control(b"1", b"\x04\x01a\x01\x01\xff")), "a control holds an element with tag 0x01"),
        (controls(control(b"1", b"\x05\x00")), "controlValue has tag 0x05"),
        (controls(control(b"1", b"\x01\x02\xff")), "criticality claims 2 bytes"),
        (b"\xa3\x00", "controls has tag 0xa3"),
        (b"\xa0\x00\xa0\x00", "bytes follow the controls"),
        (b"\xa0\x80", "controls has an invalid length form 0x80"),
    ],
)
def test_controls_that_are_none(encoded: bytes, words: str) -> None:
    for operation in (result(), Sent(b"cn=a", ()).operation()):
        with pytest.raises(ProtocolViolation, match=words):
            decode_message(message(operation, encoded))
    with pytest.raises(ProtocolViolation, match=words):
        decode_entry(message(Sent(b"cn=a", ()).operation(), encoded))


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_bodies_of_rubbish(body: bytes) -> None:
    for decode, op in ((decode_result, DONE), (decode_reference, REFERENCE), (decode_intermediate, INTERMEDIATE)):
        try:
            decode(Message(BULK, op, body))
        except ProtocolViolation as error:
            assert error.message
