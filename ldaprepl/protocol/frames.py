"""LDAPMessages out of a stream of bytes, at wire speed.

`FrameReader` is fed whatever the socket gave and hands back whole messages. Search result entries, which are nearly
all there is in a bulk read, are cut out as `(DN bytes, frame bytes)` without being decoded: a consumer filled by
syncrepl answers with the same bytes as its provider, so most entries are decided by comparing two frames. Everything
else is decoded at once. What arrives is hostile until proven otherwise: each length on the way is checked against its
parent, a message may not exceed a limit, and a message of an operation that nobody asked for is an error.
"""

from enum import IntEnum
from typing import NamedTuple

from ldaprepl.errors import ProtocolViolation
from ldaprepl.protocol import ber
from ldaprepl.protocol.messages import Message, decode_entry, decode_message

MAX_MESSAGE = 64 * 1024 * 1024  # bytes; jpegPhoto and CRLs are large, nothing honest is larger than this
_MIN_MESSAGE = 5  # bytes of content: a messageID and an operation without content
_ENTRY = 0x64
_NEVER = b"-"  # compared with no bytes at all: no entry takes the fast path


class Op(IntEnum):
    """Protocol operations that a client may receive, by their tag (RFC 4511, section 4.2 to 4.13)."""

    BIND_RESPONSE = 0x61
    SEARCH_ENTRY = 0x64
    SEARCH_DONE = 0x65
    MODIFY_RESPONSE = 0x67
    ADD_RESPONSE = 0x69
    SEARCH_REFERENCE = 0x73
    EXTENDED_RESPONSE = 0x78
    INTERMEDIATE = 0x79


_ANSWERS = frozenset(Op)
_NOT_LAST = frozenset((Op.SEARCH_ENTRY, Op.SEARCH_REFERENCE, Op.INTERMEDIATE))


class Batch(NamedTuple):
    """What one feed gave: raw entries `(DN, frame)` and, in wire order, the decoded other messages."""

    entries: list[tuple[bytes, bytes]]
    messages: list[Message]


class FrameReader:
    """Cuts the answer of one operation (`message_id`) into messages; `begun` is what the last reader's `rest` was.

    With `any_id` the messages of every operation come, all of them decoded.
    Message ID 0 (unsolicited notification, RFC 4511 section 4.4) is passed on too. Messages of another ID, operations
    that no server sends, and whatever follows the final message of the answer end in `ProtocolViolation`.
    """

    def __init__(self, message_id: int, limit: int = MAX_MESSAGE, *, any_id: bool = False, begun: bytes = b"") -> None:
        self._id = _NEVER if any_id else ber.integer(message_id)
        self._id_size = 0 if any_id else len(self._id)
        self._any_id = any_id
        self._limit = limit
        self._parts = [begun] if begun else []
        self._have, self._need = len(begun), 0
        self._ended = False
        self.message_id = message_id

    @property
    def pending(self) -> int:
        """Bytes of a message that has not arrived whole."""
        return self._have

    @property
    def rest(self) -> bytes:
        """The beginning of a message that has not arrived whole."""
        return b"".join(self._parts)

    def feed(self, data: bytes) -> Batch:
        """Take the next bytes from the wire and return what is whole now.

        Raises `ProtocolViolation` on anything that is not an LDAPMessage of this operation.
        """
        batch = Batch([], [])
        self._parts.append(data)
        self._have += len(data)
        if self._have < self._need:  # the rest of a large message: joined once, not with every piece
            return batch
        buffer = b"".join(self._parts) if len(self._parts) > 1 else data
        self._need = 0
        append = batch.entries.append
        wanted, id_size = self._id, self._id_size
        pos, size = 0, len(buffer)
        # The loop is the hot path: it reads tag, length, messageID, tag, length, DN and nothing else of an entry.
        while pos + 6 < size:
            if buffer[pos] != ber.SEQUENCE:
                raise ProtocolViolation(f"expected an LDAP message, got byte 0x{buffer[pos]:02x}")
            length = buffer[pos + 1]
            start = pos + 2
            if length >= 0x80:
                count = length & 0x7F
                if not 0 < count <= ber.MAX_LENGTH_BYTES:
                    raise ProtocolViolation(f"expected an LDAP message, got length form 0x{length:02x}")
                length = int.from_bytes(buffer[start : start + count], "big")
                start += count
            if length > self._limit:
                raise ProtocolViolation(f"a message of {length} bytes exceeds the limit of {self._limit} bytes")
            end = start + length
            if end > size:
                self._need = end - pos
                break
            body = start + id_size
            if buffer[start:body] != wanted or body + 4 > end or buffer[body] != _ENTRY:
                self._other(buffer[pos:end], batch)
                wanted, id_size = self._id, self._id_size
                pos = end
                continue
            length = buffer[body + 1]
            start = body + 2
            if length >= 0x80:
                count = length & 0x7F
                if not 0 < count <= ber.MAX_LENGTH_BYTES:
                    raise ProtocolViolation(f"an entry has length form 0x{length:02x}")
                length = int.from_bytes(buffer[start : start + count], "big")
                start += count
            stop = start + length
            if stop > end or start + 2 > stop or buffer[start] != ber.OCTET_STRING:
                raise ProtocolViolation("an entry is longer than its message or has no DN")
            length = buffer[start + 1]
            start += 2
            if length >= 0x80:
                count = length & 0x7F
                if not 0 < count <= ber.MAX_LENGTH_BYTES:
                    raise ProtocolViolation(f"the DN of an entry has length form 0x{length:02x}")
                length = int.from_bytes(buffer[start : start + count], "big")
                start += count
            if start + length > stop:
                raise ProtocolViolation("the DN of an entry is longer than the entry")
            append((buffer[start : start + length], buffer[pos:end]))
            pos = end
        if pos < size and buffer[pos] != ber.SEQUENCE:
            raise ProtocolViolation(f"expected an LDAP message, got byte 0x{buffer[pos]:02x}")
        if pos + 1 < size and buffer[pos + 1] < _MIN_MESSAGE:
            raise ProtocolViolation(f"expected an LDAP message, got only {buffer[pos + 1]} bytes")
        self._parts = [buffer[pos:]] if pos < size else []
        self._have = size - pos
        return batch

    def _other(self, frame: bytes, batch: Batch) -> None:
        """All but the plain entries: decode it, and judge whether it may come now."""
        message = decode_message(frame)
        if message.id == 0:
            if message.op != Op.EXTENDED_RESPONSE:
                raise ProtocolViolation(f"operation 0x{message.op:02x} came without a message ID")
        elif message.op not in _ANSWERS:
            raise ProtocolViolation(f"operation 0x{message.op:02x} is nothing that a server sends")
        elif not self._any_id:
            if message.id != self.message_id:
                raise ProtocolViolation(f"the server answered message {message.id}, which was never asked")
            if self._ended:
                raise ProtocolViolation("more came after the end of the answer")
            if message.op == Op.SEARCH_ENTRY:  # its message ID is not in the shortest form
                batch.entries.append((decode_entry(frame)[0], frame))
                return
            if message.op not in _NOT_LAST:
                self._ended, self._id, self._id_size = True, _NEVER, 0
        batch.messages.append(message)
