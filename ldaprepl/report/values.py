"""Values from a directory are hostile text: here they become safe to show.

Control characters, terminal escapes, marks that turn the writing direction and bytes that are no text are written as
escapes; values of secret attributes as a digest, keyed anew in every run so that nobody can try passwords against a
report, but the same on both sides, so that one sees whether they differ.
"""

from __future__ import annotations

import os
import unicodedata

from ldaprepl.domain.secretnames import is_secret

_UNSHOWN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"))  # every blank but the plain one looks like it
_KEY = os.urandom(32)


def digest(value: bytes) -> str:
    """What stands for a secret value."""
    import hmac  # brings OpenSSL with it, and few reports hold a secret

    return f"digest:{hmac.digest(_KEY, value, 'sha256').hex()[:16]}"


def printable(text: str) -> str:
    """Text that no terminal acts upon and no reader mistakes: control, format and lone surrogate characters escaped."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _is_plain(char) else _escaped(char) for char in text)


def shown(name: str, value: bytes, width: int = 0) -> str:
    """A value as one short text: a digest for a secret, hexadecimal for binary, cut to `width` (0: not)."""
    if is_secret(name):
        return digest(value)
    try:
        text = value.decode()
        if sum(not _is_plain(char) for char in text) * 4 > len(text):
            raise ValueError
        text = f'"{printable(text)}"'
    except ValueError:
        text = f"{len(value)} bytes {value[:16].hex()}{'…' if len(value) > 16 else ''}"
    return (
        text
        if not width or len(text) <= width
        else f"{text[: max(width - 2, 0)]}…" + ('"' if text.startswith('"') else "")
    )


def _is_plain(char: str) -> bool:
    return char == " " or unicodedata.category(char) not in _UNSHOWN


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8 (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


__all__ = ["digest", "is_secret", "printable", "shown"]
