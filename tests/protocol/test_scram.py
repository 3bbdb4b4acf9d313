"""SCRAM: the exchanges that the RFCs print, and servers that are not what they say."""

from __future__ import annotations

import pytest

from ldaprepl.errors import ProtocolViolation
from ldaprepl.protocol.scram import Scram

PRINTED = {  # RFC 5802, section 5; RFC 7677, section 3
    "SCRAM-SHA-1": (
        "fyko+d2lbbFgONRv9qkxdawL",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    "SCRAM-SHA-256": (
        "rOprNGfwEbeRWgbNEkqO",
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
}


@pytest.mark.parametrize("mechanism", PRINTED)
def test_the_printed_exchange(mechanism: str) -> None:
    nonce, challenge, reply, proof = PRINTED[mechanism]
    scram = Scram(mechanism, "user", b"pencil", nonce)
    assert scram.first() == f"n,,n=user,r={nonce}".encode()
    assert scram.final(challenge) == reply
    assert scram.verified(proof)
    assert not scram.verified(b"v=" + b"A" * 28)
    assert not scram.verified(b"e=other-error")


def test_names_and_another_identity_are_escaped() -> None:
    assert Scram("SCRAM-SHA-1", "a,b=c", b"x", "n", "u:d,e").first() == b"n,a=u:d=2Ce,n=a=2Cb=3Dc,r=n"


@pytest.mark.parametrize(
    "challenge",
    [
        b"", b"nonsense", b"r=other,s=QSXC,i=4096", b"r=nonce,s=QSXC,i=4096", b"r=nonce1,s=QSXC,i=0",
        b"r=nonce1,s=QSXC,i=9999999999", b"r=nonce1,s=*,i=1", b"r=nonce1,s=QSXC,i=x", b"\xff\xfe",
    ],
)  # fmt: skip
def test_a_challenge_that_is_none(challenge: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        Scram("SCRAM-SHA-256", "user", b"pencil", "nonce").final(challenge)


def test_no_proof_before_a_challenge_and_no_secret_in_words() -> None:
    scram = Scram("SCRAM-SHA-1", "user", b"pencil", "n")
    assert not scram.verified(b"v=")
    assert "pencil" not in repr(scram)
