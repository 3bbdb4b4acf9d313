"""Cutting: whatever the pieces, the same messages; whatever the rubbish, a `ProtocolViolation` and nothing worse."""

from __future__ import annotations

import itertools
import sys
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made import (
    BULK,
    DONE,
    ENTRY,
    EXTENDED,
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

from ldaprepl.errors import ProtocolViolation
from ldaprepl.protocol.frames import MAX_MESSAGE, Batch, FrameReader
from ldaprepl.protocol.messages import decode_entry

ANN = Sent(b"cn=ann", ((b"cn", (b"ann",)),))
BOB = Sent(b"cn=bob", ((b"cn", (b"bob",)), (b"photo", (b"x" * 300,))))
END = message(result())
NOTICE = message(result(EXTENDED, 52, element(0x8A, b"1.3.6.1.4.1.1466.20036"), text=b"bye"), number=0)


def fed(pieces: list[bytes], reader: FrameReader | None = None) -> tuple[Batch, FrameReader]:
    """All that comes of the pieces, one after the other."""
    reader = reader or FrameReader(BULK)
    whole = Batch([], [])
    for piece in pieces:
        batch = reader.feed(piece)
        whole.entries.extend(batch.entries)
        whole.messages.extend(batch.messages)
    return whole, reader


def singly(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def outcome(pieces: list[bytes]) -> Batch | str:
    try:
        return fed(pieces)[0]
    except ProtocolViolation as error:
        return error.message


@st.composite
def answers(draw: st.DrawFn) -> list[bytes]:
    """The messages of one answer, in their order."""
    form = st.integers(0, 4)
    others = st.sampled_from(
        [
            element(REFERENCE, element(0x04, b"ldap://other/dc=x")),
            element(INTERMEDIATE, element(0x80, b"1.2.3"), element(0x81, b"value")),
        ]
    )
    whole = [message(sent.operation(), number=BULK, form=draw(form)) for sent in draw(st.lists(entries(), max_size=5))]
    whole += [message(other, form=draw(form)) for other in draw(st.lists(others, max_size=3))]
    return [*draw(st.permutations(whole)), message(result(), form=draw(form))]


@given(answers(), st.lists(st.integers(0, 3000), max_size=8))
def test_the_pieces_do_not_matter(messages: list[bytes], cuts: list[int]) -> None:
    data = b"".join(messages)
    places = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    whole, reader = fed([data])
    assert reader.pending == 0
    assert [frame for _, frame in whole.entries] == [each for each in messages if is_entry(each)]
    assert len(whole.messages) == sum(not is_entry(each) for each in messages)
    assert all(decode_entry(frame)[0] == dn for dn, frame in whole.entries)
    assert fed([data[a:b] for a, b in itertools.pairwise(places)])[0] == whole
    assert fed(singly(data))[0] == whole


def is_entry(frame: bytes) -> bool:
    return frame[(2 if frame[1] < 0x80 else 2 + frame[1] - 0x80) + 3] == ENTRY


@given(st.lists(entries(), min_size=1, max_size=3))
def test_every_beginning_gives_the_whole_messages_in_it(sent: list[Sent]) -> None:
    frames = [each.frame() for each in sent]
    data = b"".join(frames)
    for cut in range(len(data)):
        batch, reader = fed([data[:cut]])
        assert data[:cut] == b"".join(frame for _, frame in batch.entries) + reader.rest
        assert reader.pending == len(reader.rest)


@settings(max_examples=300)
@given(mangled(st.lists(entries(), max_size=3).map(lambda sent: b"".join(each.frame() for each in sent) + END)))
def test_mangled_answers_come_to_the_same_end_in_any_pieces(data: bytes) -> None:
    whole = outcome([data])
    bits = outcome(singly(data))
    if isinstance(whole, str):
        assert isinstance(bits, str)  # in another place of the decoder, maybe, but refused as well
    else:
        assert bits == whole


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda rest: b"\x30" + rest))
@example(b"\x30\x84\xff\xff\xff\xff\x02")
@example(b"\x30\x05\x02\x01\x64\x64\x00")
@example(b"\x30\x06\x02\x01\x64\x64\x01\x04")
def test_rubbish_is_refused_or_waited_for(data: bytes) -> None:
    for reader in (FrameReader(BULK), FrameReader(0, any_id=True)):
        try:
            reader.feed(data)
        except ProtocolViolation as error:
            assert error.message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "got byte 0x48"),
        (b"H", "got byte 0x48"),
        (bytes.fromhex("15030300020246"), "got byte 0x15"),  # a TLS alert
        (b"\x30\x80\x02\x01\x64\x64\x00", "length form 0x80"),  # indefinite
        (b"\x30\x85\x00\x00\x00\x00\x05\x02", "length form 0x85"),
        (b"\x30\xff\x00\x00\x00\x00\x05\x02", "length form 0xff"),
        (b"\x30\x00", "only 0 bytes"),
        (b"\x30\x03\x02\x01\x64", "only 3 bytes"),
        (message(element(ENTRY, b"\x04\x80\x00\x00")), "DN of an entry has length form 0x80"),
        (message(element(ENTRY, b"\x04\x7f\x30\x00")), "DN of an entry is longer than the entry"),
        (message(element(ENTRY, b"\x05\x00\x30\x00")), "no DN"),
        (message(b"\x64\x80\x04\x00\x30\x00"), "entry has length form 0x80"),
        (message(b"\x64\x7f\x04\x00\x30\x00"), "longer than its message"),
        (message(b"\x64\x00"), "objectName is missing"),
        (element(0x30, b"\x02\x01\x64"), "only 3 bytes"),
        (element(0x30, b"\x04\x01\x64", result()), "messageID has tag 0x04"),
        (ANN.frame() + b"\0", "got byte 0x00"),
        (element(0x30, element(ENTRY, b"\x04\x00\x30\x00")), "messageID has tag 0x64"),
    ],
)
def test_rubbish_in_words(data: bytes, words: str) -> None:
    for pieces in ([data], singly(data)):
        with pytest.raises(ProtocolViolation, match=words):
            fed(pieces)


def test_an_oversized_message_is_refused_at_its_header() -> None:
    """Not when it has been gathered: that is how a server, or somebody in its place, fills a client's memory."""
    head = b"\x30\x84" + (MAX_MESSAGE + 1).to_bytes(4, "big") + b"\x02"
    for pieces in ([head], singly(head)):
        with pytest.raises(ProtocolViolation, match=f"{MAX_MESSAGE + 1} bytes exceeds the limit"):
            fed(pieces)
    with pytest.raises(ProtocolViolation, match="exceeds the limit of 100 bytes"):
        FrameReader(BULK, 100).feed(BOB.frame())
    size = len(BOB.frame()) - 4
    assert len(FrameReader(BULK, size).feed(BOB.frame()).entries) == 1


def test_a_large_message_is_joined_once_and_kept_once() -> None:
    """Joined with every piece, a photo of 8 MiB in small pieces would cost gigabytes of copying."""
    data = Sent(b"cn=large", ((b"photo", (b"x" * (8 << 20),)),)).frame()
    tracemalloc.start()
    try:
        pieces = [data[at : at + 4096] for at in range(0, len(data), 4096)]
        last = pieces.pop()
        alone = [sys.getrefcount(piece) for piece in pieces[1:]]
        _, reader = fed(pieces)
        assert [sys.getrefcount(piece) - 1 for piece in pieces[1:]] == alone, "the reader holds each piece as it came"
        batch, _ = fed([last], reader)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert batch.entries == [(b"cn=large", data)]
    assert peak < 4 * len(data)


@pytest.mark.parametrize("number", [1, 99, 101, -1, 2**31 - 1, 100 + (1 << 32)])
def test_messages_that_nobody_asked_for(number: int) -> None:
    for stranger in (ANN.frame(number), message(result(), number=number)):
        for pieces in ([ANN.frame(), stranger], singly(ANN.frame() + stranger)):
            with pytest.raises(ProtocolViolation, match=f"message {number}, which was never asked"):
                fed(pieces)


@pytest.mark.parametrize("op", [0x42, 0x60, 0x63, 0x77, 0x30, 0x04, 0xA0, 0x7F])
def test_operations_that_no_server_sends(op: int) -> None:
    for reader in (FrameReader(BULK), FrameReader(0, any_id=True)):
        with pytest.raises(ProtocolViolation):
            reader.feed(message(element(op, b"")))


def test_an_entry_with_a_longer_message_id_is_not_lost() -> None:
    """Some encoders write every integer in four bytes. Such an entry left out would be reported as missing."""
    frame = element(0x30, b"\x02\x04\0\0\0\x64", ANN.operation())
    batch, _ = fed([BOB.frame() + frame + END])
    assert [dn for dn, _ in batch.entries] == [b"cn=bob", b"cn=ann"]
    assert batch.entries[1][1] == frame
    assert len(batch.messages) == 1


def test_entries_with_controls_keep_them_in_the_frame() -> None:
    """A sync state control comes with each entry of RFC 4533."""
    frame = message(ANN.operation(), controls(control(b"1.2.3", element(0x04, b"v"))))
    batch, _ = fed([frame])
    assert batch.entries == [(b"cn=ann", frame)]


@pytest.mark.parametrize("late", [ANN.frame(), END, message(element(REFERENCE, element(0x04, b"ldap://x")))])
def test_nothing_comes_after_the_end(late: bytes) -> None:
    """An entry behind the final result belongs to no answer, whether it comes with it or later."""
    for pieces in ([ANN.frame() + END + late], [ANN.frame() + END, late], singly(END + late)):
        with pytest.raises(ProtocolViolation, match="after the end"):
            fed(pieces)


def test_a_notice_may_come_at_any_time() -> None:
    for pieces in ([NOTICE], [ANN.frame() + NOTICE], [END + NOTICE], [END, NOTICE], singly(END + NOTICE)):
        batch, _ = fed(pieces)
        assert batch.messages[-1].id == 0
        assert batch.messages[-1].op == EXTENDED
    with pytest.raises(ProtocolViolation, match="without a message ID"):
        fed([ANN.frame(0)])


def test_the_next_reader_takes_over_what_the_last_one_began() -> None:
    first = FrameReader(BULK)
    first.feed(END + NOTICE[:9])
    second = FrameReader(101, begun=first.rest)
    batch = second.feed(NOTICE[9:] + BOB.frame(101))
    assert [each.id for each in batch.messages] == [0]
    assert [dn for dn, _ in batch.entries] == [b"cn=bob"]


def test_all_messages_of_several_operations() -> None:
    reader = FrameReader(0, any_id=True)
    data = ANN.frame(7) + BOB.frame(8) + message(result(), number=8) + message(result(code=32), number=7) + NOTICE
    for pieces in ([data], singly(data)):
        batch, _ = fed(pieces, reader)
        assert not batch.entries
        assert [(each.id, each.op) for each in batch.messages] == [
            (7, ENTRY), (8, ENTRY), (8, DONE), (7, DONE), (0, EXTENDED),
        ]  # fmt: skip


@pytest.mark.parametrize("number", [0, 1, 127, 128, 255, 256, 65535, 65536, 2**31 - 1])
def test_every_size_of_message_id(number: int) -> None:
    if number:
        batch, _ = fed([ANN.frame(number) + message(result(), number=number)], FrameReader(number))
        assert len(batch.entries) == len(batch.messages) == 1
    assert number_(number) in message(result(), number=number)
