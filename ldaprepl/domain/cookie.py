"""Sync cookies: opaque to the protocol, but we must know which ones can be resumed from, and how to write them.

    2.4 and later  rid=001[,sid=002],csn=CSN[;CSN...][,delcsn=CSN]
    2.3            csn=CSN,rid=000
    2.2            csn=CSN[,sid=NNN][,rid=NNN]

Rules learnt from servers: a cookie without csn (or none that parses) is answered with everything and with
refreshDeletes TRUE, as if nothing had been deleted, so it is no cookie; 2.3 and later need rid; `sid` means a session
log on 2.2, loses deletes and can kill the server, so it is never sent; `delcsn` belongs to one message, not to us.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ldaprepl.domain.csn import CsnSet

_RID = "001"  # any: the provider only echoes it
_OLD_FORM = re.compile(r"\d{14}Z#")


@dataclass(frozen=True, slots=True)
class SyncCookie:
    """A cookie that can be resumed from: it holds at least one CSN."""

    csns: CsnSet

    @classmethod
    def parse(cls, text: str | None) -> SyncCookie | None:
        """None for no cookie, an empty one, another vendor's, or one without a readable csn."""
        found = [field.strip()[4:] for field in (text or "").split(",") if field.strip().lower().startswith("csn=")]
        if len(found) != 1:
            return None
        try:
            csns = CsnSet.parse(part for part in found[0].split(";") if part)
        except ValueError:
            return None
        return cls(csns) if csns else None

    def render(self) -> str:
        """As it goes to the provider, in the dialect that wrote it."""
        csns = ";".join(self.csns.texts())
        if _OLD_FORM.match(csns):
            return f"csn={csns},rid={_RID}"
        return f"rid={_RID},csn={csns}"
