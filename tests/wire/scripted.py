"""A server that does what no LDAP server does: a script of bytes, silence and hanging up, on a real socket."""

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
            thread.join(20)
            assert not thread.is_alive(), "the script did not end"


def _serve(listener: socket.socket, script: Script) -> None:
    while True:
        try:
            connected, _ = listener.accept()
        except OSError:
            return
        with connected:
            connected.settimeout(15)
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
