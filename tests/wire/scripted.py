"""A server that does what no LDAP server does: a script of bytes, silence and hanging up, on a real socket.

And messages to send from it, by an encoder of the tests' own.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Script = Callable[[socket.socket], None]


@contextmanager
def scripted(script: Script) -> Iterator[str]:
    """A loopback port that plays `script` to everybody who connects, and hangs up. Gives `127.0.0.1:PORT`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, script), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(120)
            assert not thread.is_alive(), "the script did not end"


def _serve(listener: socket.socket, script: Script) -> None:
    while True:
        try:
            connected, _ = listener.accept()
        except OSError:
            return
        with connected:
            connected.settimeout(120)
            try:
                script(connected)
            except OSError:
                pass  # the client was faster to leave


def request(connected: socket.socket) -> bytes:
    """Wait for a request (or several that come together)."""
    return connected.recv(1 << 20)


def until_closed(connected: socket.socket) -> None:
    """Stay silent until the client has gone."""
    while connected.recv(1 << 16):
        pass


def answering(*replies: bytes, silent: bool = False) -> Script:
    """One reply for each request; then hang up, or stay `silent`."""

    def script(connected: socket.socket) -> None:
        for reply in replies:
            request(connected)
            connected.sendall(reply)
        if silent:
            until_closed(connected)

    return script


# -- answers, with lengths of two bytes ------------------------------------------------------------------------------


def tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return bytes((tag, 0x82)) + len(content).to_bytes(2, "big") + content


def message(number: int, *parts: bytes) -> bytes:
    return tlv(0x30, tlv(0x02, number.to_bytes(4, "big")), *parts)


def result(op: int, code: int = 0, *more: bytes, text: bytes = b"") -> bytes:
    return tlv(op, tlv(0x0A, bytes((code,))), tlv(0x04, b""), tlv(0x04, text), *more)


def entry(dn: bytes) -> bytes:
    return tlv(0x64, tlv(0x04, dn), tlv(0x30, tlv(0x30, tlv(0x04, b"cn"), tlv(0x31, tlv(0x04, b"value")))))


def done(number: int, code: int = 0) -> bytes:
    return message(number, result(0x65, code))


def notice(oid: bytes = b"1.3.6.1.4.1.1466.20036") -> bytes:
    return message(0, result(0x78, 52, tlv(0x8A, oid), text=b"going down"))


def number_of(asked: bytes) -> int:
    """The message ID of the first request in `asked`."""
    at = 2 if asked[1] < 0x80 else 2 + (asked[1] & 0x7F)
    return int.from_bytes(asked[at + 2 : at + 2 + asked[at + 1]], "big")
