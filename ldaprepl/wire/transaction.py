"""LDAP transactions (RFC 5805) as slapd has them: an empty identifier, one at a time on a connection.

Operations are queued and answer 0 at once; what is wrong shows at the end, and then everything is rolled back. The
root DSE lists the extended operation but not the control.

Slapd answers a queued operation a moment before the thread that took it lets go of it, and the end of the transaction
frees it: 2.6.10 died of that in one first fill out of four, on a busy machine, whether the operations were sent at once
or one by one. So there is a pause between the last answer and the end; with it, none of 28 such fills failed.

When the end fails, back-mdb of 2.6.10 remembers attribute types that were rolled back with the rest, and what is
written afterwards cannot be read any more, not even after a restart. So nothing may be written then, and transactions
are for those who ask for them.
"""

from __future__ import annotations

import time
from typing import Any

from ldaprepl.wire import libldap  # noqa: F401  # first: it says what libldap may read

# isort: split
import ldap
import ldap.extop

from ldaprepl.errors import IncompleteRead
from ldaprepl.protocol import ber
from ldaprepl.wire.session import Result, Session, control

_PAUSE = 0.02  # seconds
START, SPECIFICATION, END = "1.3.6.1.1.21.1", "1.3.6.1.1.21.2", "1.3.6.1.1.21.3"


def specification() -> Any:
    """The control that puts an operation into the transaction."""
    return control(SPECIFICATION, b"")


def start(session: Session) -> None:
    """Begin. Raises `ServerUnavailable` where the server will not."""
    try:
        session.connection.extop_s(ldap.extop.ExtendedRequest(START, None))
    except ldap.LDAPError as error:
        raise session.lost(error) from error


def rolled_back(session: Session, result: Result) -> IncompleteRead:
    """The error for a transaction that failed at its end."""
    return IncompleteRead(
        f"{session.uri} rolled a transaction back at its end: {result}",
        "Restart slapd there before anything is written, or 2.6.10 spoils its database; then use --transactions never.",
    )


def end(session: Session, commit: bool) -> Result:
    """Commit or give up. The result's code is not 0 when all was rolled back."""
    flag = b"" if commit else ber.boolean(False)
    time.sleep(_PAUSE)
    try:
        session.connection.extop_s(ldap.extop.ExtendedRequest(END, ber.tlv(ber.SEQUENCE, flag, ber.octets(b""))))
    except ldap.LDAPError as error:
        return session.result_of(error)
    return Result(0)
