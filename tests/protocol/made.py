"""Messages as servers might send them, made by an encoder of the tests' own, in every length form that BER allows.

And what can happen to bytes on the way: `mangled`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

BULK = 100
ENTRY, DONE, REFERENCE, INTERMEDIATE, EXTENDED = 0x64, 0x65, 0x73, 0x79, 0x78


def element(tag: int, *parts: bytes, form: int = 0) -> bytes:
    """One BER element. `form` is the number of length bytes behind 0x8N; 0 is the shortest form."""
    content = b"".join(parts)
    shortest = 0 if len(content) < 0x80 else (len(content).bit_length() + 7) // 8
    form = max(form, shortest)
    head = bytes((0x80 | form,)) + len(content).to_bytes(form, "big") if form else bytes((len(content),))
    return bytes((tag,)) + head + content


def message(operation: bytes, *rest: bytes, number: int = BULK, form: int = 0) -> bytes:
    """An LDAPMessage around `operation`."""
    return element(0x30, number_(number), operation, *rest, form=form)


def number_(value: int, tag: int = 0x02) -> bytes:
    """An integer in the shortest form."""
    size = 1
    while not -(1 << (8 * size - 1)) <= value < 1 << (8 * size - 1):
        size += 1
    return element(tag, value.to_bytes(size, "big", signed=True))


def result(op: int = DONE, code: int = 0, *more: bytes, matched: bytes = b"", text: bytes = b"") -> bytes:
    """An operation that is an LDAPResult."""
    return element(op, number_(code, 0x0A), element(0x04, matched), element(0x04, text), *more)


def control(oid: bytes, *more: bytes) -> bytes:
    """One control; `more` is criticality and value, encoded."""
    return element(0x30, element(0x04, oid), *more)


def controls(*each: bytes) -> bytes:
    """The controls of a message."""
    return element(0xA0, *each)


@dataclass(frozen=True)
class Sent:
    """An entry that a server sends; `forms` are the length forms of its elements, in the order of their making."""

    dn: bytes
    attributes: tuple[tuple[bytes, tuple[bytes, ...]], ...]
    forms: tuple[int, ...] = field(default=(), compare=False)

    def operation(self) -> bytes:
        """The SearchResultEntry."""
        forms = iter(self.forms)

        def made(tag: int, *parts: bytes) -> bytes:
            return element(tag, *parts, form=next(forms, 0))

        attributes = [
            made(0x30, made(0x04, name), made(0x31, *(made(0x04, value) for value in values)))
            for name, values in self.attributes
        ]
        return made(ENTRY, made(0x04, self.dn), made(0x30, *attributes))

    def frame(self, number: int = BULK, form: int = 0) -> bytes:
        """The whole message."""
        return message(self.operation(), number=number, form=form)


BAD_LENGTHS = (b"\0", b"\x80", b"\x81\x05", b"\x84\xff\xff\xff\xff", b"\x85\0")
FORMS = st.lists(st.sampled_from((0, 0, 0, 1, 2, 3, 4)), max_size=12).map(tuple)
NAMES = st.from_regex(rb"[A-Za-z][A-Za-z0-9-]{0,12}(;[a-z0-9-]{1,6})?", fullmatch=True)
VALUES = st.one_of(st.binary(max_size=20), st.integers(120, 260).map(bytes), st.just(b"\x30\x84"))
DNS = st.text(max_size=30).map(str.encode) | st.integers(120, 260).map(lambda size: b"cn=" + b"x" * size)


@st.composite
def entries(draw: st.DrawFn) -> Sent:
    """Any entry; every attribute once, as the protocol wants it."""
    names = draw(st.lists(NAMES, max_size=5, unique_by=bytes.lower))
    values = [tuple(draw(st.lists(VALUES, max_size=4, unique=True))) for _ in names]
    return Sent(draw(DNS), tuple(zip(names, values, strict=True)), draw(FORMS))


@st.composite
def mangled(draw: st.DrawFn, source: st.SearchStrategy[bytes]) -> bytes:
    """What is left of a message after one to three accidents."""
    data = bytearray(draw(source))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(("set", "flip", "insert", "delete", "cut", "length"))):
            case "set" if at < len(data):
                data[at] = draw(st.integers(0, 255))
            case "flip" if at < len(data):
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "insert":
                data[at:at] = draw(st.binary(min_size=1, max_size=4))
            case "delete":
                del data[at : at + draw(st.integers(1, 4))]
            case "cut":
                del data[at:]
            case "length" if at < len(data):
                data[at : at + 1] = draw(
                    st.sampled_from((b"\x80", b"\x81\x05", b"\x84\xff\xff\xff\xff", b"\x85\0", b"\0"))
                )
    return bytes(data)
