"""When does a certificate end? Read from its DER form (RFC 5280, section 4.1), because Python shows the fields of a
certificate only when it was verified, and a check wants the date in any case.
"""

from __future__ import annotations

from datetime import UTC, datetime

from ldaprepl.errors import ProtocolViolation
from ldaprepl.protocol import ber

_VERSION, _UTC_TIME = 0xA0, 0x17


def not_after(der: bytes) -> datetime | None:
    """The end of its validity (UTC); None when these bytes are no certificate."""
    try:
        start, end = ber.expect(ber.SEQUENCE, der, 0, len(der), "Certificate")
        pos, end = ber.expect(ber.SEQUENCE, der, start, end, "tbsCertificate")
        tag, _, after = ber.header(der, pos, end, "version")
        pos = after if tag == _VERSION else pos
        for field in ("serialNumber", "signature", "issuer"):
            pos = ber.header(der, pos, end, field)[2]
        pos, end = ber.expect(ber.SEQUENCE, der, pos, end, "validity")
        pos = ber.header(der, pos, end, "notBefore")[2]
        tag, start, end = ber.header(der, pos, end, "notAfter")
        text = der[start:end].decode("ascii")
        if tag == _UTC_TIME:  # years 50 to 99 are of the last century (RFC 5280, section 4.1.2.5.1)
            text = ("19" if text[:2] >= "50" else "20") + text
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except (ProtocolViolation, ValueError):
        return None
