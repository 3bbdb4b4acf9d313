"""Decoding of single LDAPMessages (RFC 4511, section 4): results, entries, references, controls.

Pure functions from a whole frame to frozen values. Every field is named in the error that it causes; nothing is
guessed. Diagnostic text is decoded for display, with a replacement character for what is not UTF-8; DNs and values
stay bytes.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ldaprepl.errors import ProtocolViolation
from ldaprepl.protocol import ber

_CONTROLS, _REFERRAL, _RESPONSE_NAME, _RESPONSE_VALUE = 0xA0, 0xA3, 0x8A, 0x8B
_SASL_CREDENTIALS = 0x87
_INTERMEDIATE_NAME, _INTERMEDIATE_VALUE = 0x80, 0x81
_ENTRY = 0x64
NOTICE_OF_DISCONNECTION = "1.3.6.1.4.1.1466.20036"


class Message(NamedTuple):
    """One LDAPMessage: `op` is the tag of the protocol operation, `body` its content; `controls` maps OID to value
    (None: no value).
    """

    id: int
    op: int
    body: bytes
    controls: Mapping[str, bytes | None] = {}


class Result(NamedTuple):
    """LDAPResult (RFC 4511, section 4.1.9) with the controls of its message; `name` is the OID of an extended
    response, `value` its value, or what the server says in a SASL bind.
    """

    code: int
    matched: str = ""
    text: str = ""
    referrals: tuple[str, ...] = ()
    controls: Mapping[str, bytes | None] = {}
    name: str = ""
    value: bytes | None = None


def decode_message(frame: bytes) -> Message:
    """Decode the envelope of one whole frame. Raises `ProtocolViolation`."""
    message_id, pos, end = _message_id(frame)
    op, body, stop = ber.header(frame, pos, end, "protocolOp")
    controls = _controls(frame, stop, len(frame)) if stop < len(frame) else {}
    return Message(message_id, op, frame[body:stop], controls)


def _message_id(frame: bytes) -> tuple[int, int, int]:
    """messageID, offset behind it, end of the frame."""
    start, end = ber.expect(ber.SEQUENCE, frame, 0, len(frame), "LDAPMessage")
    if end != len(frame):
        raise ProtocolViolation(f"{len(frame) - end} bytes follow the LDAPMessage")
    message_id, pos = ber.read_integer(frame, start, end, "messageID")
    return message_id, pos, end


def decode_entry(frame: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """DN and attributes `(description, encoded SET OF values)` of a search result entry (RFC 4511, section 4.5.2).

    The values stay encoded: two attributes with the same bytes are equal, and only the others need `decode_values`.
    Raises `ProtocolViolation`.
    """
    _, pos, end = _message_id(frame)
    start, stop = ber.expect(_ENTRY, frame, pos, end, "SearchResultEntry")
    if stop < end:
        _controls(frame, stop, end)
    return decode_entry_body(frame, start, stop)


def decode_entry_body(frame: bytes, start: int, end: int) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The same from the content of a SearchResultEntry that lies in `frame[start:end]`."""
    dn, pos = ber.read_octets(frame, start, end, "objectName")
    pos, stop = ber.expect(ber.SEQUENCE, frame, pos, end, "attributes")
    if stop != end:
        raise ProtocolViolation("bytes follow the attributes of an entry")
    attributes = []
    while pos < stop:
        # Nearly every attribute has lengths of one byte: read them here, and leave the others to the general form.
        if pos + 6 <= stop and frame[pos] == ber.SEQUENCE and (size := frame[pos + 1]) < 0x80:
            last = pos + 2 + size
            first = pos + 4 + frame[pos + 3]  # the tag of the values, where the name has a length of one byte
            if (
                last <= stop
                and first + 2 <= last
                and frame[pos + 2] == ber.OCTET_STRING
                and frame[pos + 3] < 0x80
                and frame[first] == ber.SET
                and first + 2 + frame[first + 1] == last
            ):
                attributes.append((frame[pos + 4 : first], frame[first + 2 : last]))
                pos = last
                continue
        at, last = ber.expect(ber.SEQUENCE, frame, pos, stop, "attribute")
        name, at = ber.read_octets(frame, at, last, "attribute description")
        first, after = ber.expect(ber.SET, frame, at, last, "attribute values")
        if after != last:
            raise ProtocolViolation("bytes follow the values of an attribute")
        attributes.append((name, frame[first:after]))
        pos = last
    return dn, attributes


def decode_values(encoded: bytes) -> tuple[bytes, ...]:
    """The values of one attribute from the content of their SET OF. Raises `ProtocolViolation`."""
    pos, end = 0, len(encoded)
    if end > 1 and encoded[0] == ber.OCTET_STRING and encoded[1] < 0x80 and encoded[1] + 2 == end:
        return (encoded[2:],)  # one short value, as most attributes have
    values = []
    while pos < end:
        value, pos = ber.read_octets(encoded, pos, end, "attribute value")
        values.append(value)
    return tuple(values)


def decode_result(message: Message) -> Result:
    """The LDAPResult in a SearchResultDone, BindResponse or ExtendedResponse. Raises `ProtocolViolation`."""
    body, end = message.body, len(message.body)
    code, pos = ber.read_integer(body, 0, end, "resultCode", ber.ENUMERATED)
    matched, pos = ber.read_octets(body, pos, end, "matchedDN")
    text, pos = ber.read_octets(body, pos, end, "diagnosticMessage")
    referrals: tuple[str, ...] = ()
    name, value = "", None
    while pos < end:
        tag, start, stop = ber.header(body, pos, end, "LDAPResult")
        if tag == _REFERRAL:
            referrals = tuple(value.decode(errors="replace") for value in decode_values(body[start:stop]))
        elif tag == _RESPONSE_NAME and message.op == 0x78:
            name = body[start:stop].decode(errors="replace")
        elif (tag, message.op) in ((_RESPONSE_VALUE, 0x78), (_SASL_CREDENTIALS, 0x61)):
            value = body[start:stop]
        pos = stop
    words = (matched.decode(errors="replace"), text.decode(errors="replace"))
    return Result(code, *words, referrals, message.controls, name, value)


def decode_reference(message: Message) -> tuple[str, ...]:
    """The URIs of a SearchResultReference (RFC 4511, section 4.5.3). Raises `ProtocolViolation`."""
    return tuple(value.decode(errors="replace") for value in decode_values(message.body))


def decode_intermediate(message: Message) -> tuple[str, bytes]:
    """Name (OID, may be empty) and value of an IntermediateResponse (RFC 4511, section 4.13). Raises
    `ProtocolViolation`.
    """
    name, value, pos, end = "", b"", 0, len(message.body)
    while pos < end:
        tag, start, stop = ber.header(message.body, pos, end, "IntermediateResponse")
        if tag == _INTERMEDIATE_NAME:
            name = message.body[start:stop].decode(errors="replace")
        elif tag == _INTERMEDIATE_VALUE:
            value = message.body[start:stop]
        pos = stop
    return name, value


def _controls(frame: bytes, pos: int, end: int) -> dict[str, bytes | None]:
    """Controls (RFC 4511, section 4.1.11), criticality and value may each be absent."""
    pos, stop = ber.expect(_CONTROLS, frame, pos, end, "controls")
    if stop != end:
        raise ProtocolViolation("bytes follow the controls of a message")
    controls: dict[str, bytes | None] = {}
    while pos < stop:
        at, last = ber.expect(ber.SEQUENCE, frame, pos, stop, "control")
        oid, at = ber.read_octets(frame, at, last, "controlType")
        value: bytes | None = None
        if at < last and frame[at] == ber.BOOLEAN:  # criticality, of no meaning in a response
            _, at = ber.expect(ber.BOOLEAN, frame, at, last, "criticality")
        if at < last:
            value, at = ber.read_octets(frame, at, last, "controlValue")
        if at < last:
            raise ProtocolViolation(f"a control holds an element with tag 0x{frame[at]:02x}")
        controls[oid.decode(errors="replace")] = value
        pos = last
    return controls
