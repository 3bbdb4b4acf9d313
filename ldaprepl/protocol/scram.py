"""SCRAM (RFC 5802, RFC 7677), the client's side, without channel binding: three texts go, two come.

The password is never sent, and the server has to prove that it knows it too: `verified` must be asked before anything
the server says is believed. Nonce from outside, so that the exchange can be repeated in a test.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from ldaprepl.errors import ProtocolViolation

HASHES = {f"SCRAM-SHA-{name}": f"sha{name}" for name in ("1", "224", "256", "384", "512")}
_MOST_ROUNDS = 1_000_000  # a hostile server could keep us busy for ever


@dataclass(slots=True)
class Scram:
    """One exchange: `first`, then `final` with the server's first text, then `verified` with its last."""

    mechanism: str
    name: str
    password: bytes = field(repr=False)
    nonce: str
    authzid: str = ""
    _signature: bytes = field(default=b"", repr=False)

    def first(self) -> bytes:
        """The client-first-message."""
        return (self._header() + self._bare()).encode()

    def final(self, challenge: bytes) -> bytes:
        """The client-final-message. Raises `ProtocolViolation` for a challenge that is none."""
        fields = _fields(challenge)
        try:
            nonce, salt, rounds = fields["r"], base64.b64decode(fields["s"], validate=True), int(fields["i"])
        except (KeyError, ValueError) as error:
            raise ProtocolViolation(f"the server's {self.mechanism} challenge cannot be read") from error
        if not nonce.startswith(self.nonce) or nonce == self.nonce or not 0 < rounds <= _MOST_ROUNDS:
            raise ProtocolViolation(f"the server's {self.mechanism} challenge is not an answer to ours")
        digest = HASHES[self.mechanism]
        salted = hashlib.pbkdf2_hmac(digest, _prepared(self.password), salt, rounds)
        sign: Callable[[bytes, bytes], bytes] = lambda key, text: hmac.digest(key, text, digest)  # noqa: E731
        client = sign(salted, b"Client Key")
        without_proof = f"c={_base64(self._header().encode())},r={nonce}"
        everything = b",".join((self._bare().encode(), challenge, without_proof.encode()))
        signature = sign(hashlib.new(digest, client).digest(), everything)
        proof = bytes(one ^ two for one, two in zip(client, signature, strict=True))
        self._signature = sign(sign(salted, b"Server Key"), everything)
        return f"{without_proof},p={_base64(proof)}".encode()

    def verified(self, answer: bytes) -> bool:
        """Whether the server has shown that it knows the password."""
        try:
            held = base64.b64decode(_fields(answer)["v"], validate=True)
        except (KeyError, ValueError):
            return False
        return bool(self._signature) and hmac.compare_digest(held, self._signature)

    def _header(self) -> str:
        return f"n,{f'a={_escaped(self.authzid)}' if self.authzid else ''},"

    def _bare(self) -> str:
        return f"n={_escaped(self.name)},r={self.nonce}"


def _fields(text: bytes) -> dict[str, str]:
    parts = text.decode("utf-8", "replace").split(",")
    return {part[0]: part[2:] for part in parts if part[1:2] == "="}


def _escaped(name: str) -> str:
    return unicodedata.normalize("NFKC", name).replace("=", "=3D").replace(",", "=2C")


def _prepared(password: bytes) -> bytes:
    """What SASLprep (RFC 4013) makes of an ordinary password; bytes that are no text stay as they are."""
    try:
        return unicodedata.normalize("NFKC", password.decode()).encode()
    except UnicodeDecodeError:
        return password


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
