"""A directory that is too large to be on the way all at once, and how its streams are read."""

from __future__ import annotations

from collections.abc import Iterator

from ldaprepl.protocol.frames import Op
from ldaprepl.protocol.messages import decode_result
from ldaprepl.wire.stream import Stream

BASE = "dc=example,dc=com"
PEOPLE = f"ou=people,{BASE}"
MANY, MISSING = 3000, 7  # people, of whom every seventh does not exist


def crowd() -> Iterator[str]:
    """24 MB of LDIF: the base, many people, and a referral to elsewhere."""
    yield f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: x\n\n"
    yield f"dn: {PEOPLE}\nobjectClass: organizationalUnit\n\n"
    for number in range(MANY):
        if number % MISSING:
            yield f"dn: cn=person {number},{PEOPLE}\nobjectClass: person\nsn: {number}\ndescription: {'x' * 8000}\n\n"
    yield f"dn: ou=elsewhere,{BASE}\nobjectClass: referral\nobjectClass: extensibleObject\n"
    yield "ref: ldap://elsewhere.example.com/dc=other\n\n"


def bulk(stream: Stream) -> Iterator[tuple[bytes, bytes]]:
    """All entries of a started read; ends with success only."""
    while True:
        batch = stream.receive()
        yield from batch.entries
        for message in batch.messages:
            if message.op == Op.SEARCH_DONE:
                assert decode_result(message).code == 0
                return
