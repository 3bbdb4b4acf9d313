"""Glue: what stands for an entry that the provider does not send, where entries below it were sent.

A filter may leave containers out, an ACL may hide them, the base's own parents may be outside of the base; no server
takes an entry without a parent. Native syncrepl makes entries of the class `glue` there, which slapd hides from
everybody but ManageDsaIT, and so do we. Glue has no identity of the provider's: its key is its place. It goes when the
last entry below it goes, and the real entry takes its place over when it comes.
"""

from __future__ import annotations

from ldaprepl.domain.entry import Entry

_KEY = "glue:"  # how keys of glue entries begin
CLASS = b"glue"
SEARCH = "(objectClass=glue)"


def key_at(dn_key: bytes) -> str:
    """The key of glue at the place with this normal form."""
    return _KEY + dn_key.decode("utf-8", "surrogateescape")


def is_glue(key: str) -> bool:
    """Whether the key is that of glue."""
    return key.startswith(_KEY)


def entry_at(dn: str) -> Entry:
    """Glue as a server holds it; slapd asks for no naming attribute."""
    return Entry(dn, {"objectClass": (b"top", CLASS), "structuralObjectClass": (CLASS,)})
