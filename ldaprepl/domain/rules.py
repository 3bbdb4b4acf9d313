"""Equality matching rules as normalisers: two values match when their normal forms are the same bytes (RFC 4517,
section 4.2).

A verifier must never call two values equal that the server holds as different, so slapd's own behaviour is followed
and not the RFC's wish. Seen on slapd 2.5.13, for every character of Unicode, with `slapdn -N` and the compare
operation:

- Strings: letters become lower case first (one to one: 'ẞ' and 'ß', 'ς' and 'σ', 'STRASSE' and 'Straße' all stay
different), then NFKC. So fullwidth
  letters, ligatures and composed or combining accents are equal, but 'ℕ' becomes 'N' and never meets 'n'. Characters
  newer than Unicode 3.2 are left alone, and so are the mathematical letters U+1D60F-1D7FF and the CJK compatibility
  ideographs U+F900-F901 and U+2F800-2FA1D.
- Only U+0020, and what NFKC makes of other spaces (no-break, ideographic), is a space: runs count once, none at the
ends. Tab, newline, soft hyphen and
  zero width space count as letters. A value of spaces only is one space; in an IA5 string it is the empty value.
- Telephone numbers lose spaces and hyphens and keep their case. 'a$$b' and 'a$ $b' are different postal addresses.

A value that is not of the rule's syntax compares as bytes: it gets a mark (0xFF) that no normal form begins with.
Nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import groupby
from unicodedata import ucd_3_2_0 as unicode_3_2

from ldaprepl.domain.csn import Csn

Normaliser = Callable[[bytes], bytes]

_RAW = b"\xff"
_NOT_DECOMPOSED = (("\uf900", "\uf901"), ("\U0001d60f", "\U0001d7ff"), ("\U0002f800", "\U0002fa1d"))
_TELEPHONE = bytes(range(0x20, 0x7F))
_NUMERIC = b"0123456789 "
_UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIME = re.compile(
    rb"(\d{4})(\d\d)(\d\d)(\d\d)(?:(\d\d)(?:([0-5]\d|60))?)?(?:[.,](\d+))?(?:Z|([+-])([01]\d|2[0-3])([0-5]\d)?)"
)
_MODERN_CSN = re.compile(rb"\d{14}\.\d{6}Z#[0-9a-f]{6}#[0-9a-f]{3}#[0-9a-f]{6}")
_CAPITAL_COUNT = re.compile(rb"[^#]*#[^#]*[A-F]")
_POSTAL_ESCAPE = re.compile(rb"\\(24|5[cC])")


def raw(value: bytes) -> bytes:
    """The mark for a value that does not follow the syntax, so that it can only equal itself."""
    return _RAW + value


def same_bytes(value: bytes) -> bytes:
    """octetStringMatch, and every rule that is not known here."""
    return value


class _Lower(dict[int, int]):
    """Character -> its lower case, as slapd's Unicode 3.2 tables have it: only letters, and only where both cases are
    in 3.2."""

    def __missing__(self, code: int) -> int:
        char = chr(code)
        lower = char.lower()[0] if unicode_3_2.category(char) in ("Lu", "Lt") else char
        self[code] = ord(lower if unicode_3_2.category(lower) != "Cn" else char)
        return self[code]


class _Untouched(dict[str, bool]):
    """Character -> whether slapd neither decomposes it nor moves it among combining marks.

    Python's 3.2 tables still order marks by their class of today, so characters that are newer must be kept out of
    them.
    """

    def __missing__(self, char: str) -> bool:
        self[char] = unicode_3_2.category(char) == "Cn" or any(low <= char <= high for low, high in _NOT_DECOMPOSED)
        return self[char]


_LOWER = _Lower()
_UNTOUCHED = _Untouched()


def case_ignore(value: bytes) -> bytes:
    """caseIgnoreMatch on a Directory String or one of its kin."""
    if value.isascii():
        value = value.lower()
        return _squeeze(value) or b" " if b"  " in value or value[:1] == b" " or value[-1:] == b" " else value
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return raw(value)
    return _squeeze(_compose(text.translate(_LOWER)).encode()) or b" "


def case_exact(value: bytes) -> bytes:
    """caseExactMatch: as `case_ignore`, but for the case."""
    if value.isascii():
        return _squeeze(value) or b" " if b"  " in value or value[:1] == b" " or value[-1:] == b" " else value
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return raw(value)
    return _squeeze(_compose(text).encode()) or b" "


def _compose(text: str) -> str:
    """NFKC of Unicode 3.2, around the characters that slapd leaves alone."""
    if not any(map(_UNTOUCHED.__getitem__, text)):
        return unicode_3_2.normalize("NFKC", text)
    runs = groupby(text, _UNTOUCHED.__getitem__)
    return "".join(
        "".join(run) if untouched else unicode_3_2.normalize("NFKC", "".join(run)) for untouched, run in runs
    )


def _squeeze(value: bytes) -> bytes:
    return b" ".join([word for word in value.split(b" ") if word])


def case_ignore_ia5(value: bytes) -> bytes:
    """caseIgnoreIA5Match: ASCII only; spaces only is the same as empty."""
    return _squeeze(value.lower()) if value.isascii() else raw(value)


def case_exact_ia5(value: bytes) -> bytes:
    """caseExactIA5Match."""
    return _squeeze(value) if value.isascii() else raw(value)


def case_ignore_list(value: bytes) -> bytes:
    """caseIgnoreListMatch on a postal address: line by line, with `\\24` for a dollar and `\\5C` for a backslash in a
    line."""
    lines: list[bytes] = []
    for line in value.split(b"$"):
        if line.count(b"\\") != len(_POSTAL_ESCAPE.findall(line)):
            return raw(value)
        normal = case_ignore(line.replace(b"\\24", b"$").replace(b"\\5C", b"\\").replace(b"\\5c", b"\\"))
        if normal.startswith(_RAW):
            return raw(value)
        lines.append(normal.replace(b"\\", b"\\5C").replace(b"$", b"\\24"))
    return b"$".join(lines)


def numeric_string(value: bytes) -> bytes:
    """numericStringMatch: spaces do not count; spaces only is one space."""
    if value.translate(None, _NUMERIC):
        return raw(value)
    return value.replace(b" ", b"") or value[:1]


def telephone_number(value: bytes) -> bytes:
    """telephoneNumberMatch: spaces and hyphens do not count; nothing else is one space. slapd minds the case of
    letters."""
    if value.translate(None, _TELEPHONE):
        return raw(value)
    return value.translate(None, b" -") or (b" " if value else value)


def uuid(value: bytes) -> bytes:
    """UUIDMatch (RFC 4530): case does not count."""
    return value.lower() if _UUID.fullmatch(value) else raw(value)


def csn(value: bytes) -> bytes:
    """CSNMatch: the forms of 2.1 to 2.3 are the same as their modern writing. slapd minds the case of the
    digits of the change count, and of no others."""
    if _MODERN_CSN.fullmatch(value):
        return value
    if _CAPITAL_COUNT.match(value):
        return raw(value)
    try:
        return Csn.parse(value).normal.encode()
    except ValueError:
        return raw(value)


def generalized_time(value: bytes) -> bytes:
    """generalizedTimeMatch: the same instant in UTC, to the second, with the fraction where there is one.

    Missing minutes and seconds are zero, zeros at the end of a fraction do not count, and second 60 stays. slapd
    reads a fraction of a minute or an hour as one of a second; they compare as bytes here.
    """
    if len(value) == 15 and value.endswith(b"Z") and value[:14].isdigit():
        return value
    match = _TIME.fullmatch(value)
    if match is None:
        return raw(value)
    year, month, day, hour, minute, second, fraction, sign, ahead_hours, ahead_minutes = match.groups()
    fraction = (fraction or b"").rstrip(b"0")
    if fraction and second is None:
        return raw(value)
    try:
        time = datetime(int(year), int(month), int(day), int(hour), int(minute or 0))
        if sign:
            ahead = timedelta(hours=int(ahead_hours), minutes=int(ahead_minutes or 0))
            time = time + ahead if sign == b"-" else time - ahead
    except (ValueError, OverflowError):
        return raw(value)
    stamp = f"{time.year:04d}{time.month:02d}{time.day:02d}{time.hour:02d}{time.minute:02d}".encode()
    return stamp + (second or b"00") + (b"." + fraction if fraction else b"") + b"Z"


# Name and OID of each rule that is a function of the value alone. What needs the schema (names, OIDs) is in
# `matching`; what is not listed there or here compares as bytes: certificateExactMatch, privateKeyMatch, the
# FirstComponent rules (they would call two definitions with one OID equal), integerMatch, booleanMatch and
# bitStringMatch (slapd takes one spelling only), octetStringMatch, and any rule of a vendor.
BY_NAME: dict[str, Normaliser] = {
    "caseignorematch": case_ignore,
    "2.5.13.2": case_ignore,
    "caseexactmatch": case_exact,
    "2.5.13.5": case_exact,
    "numericstringmatch": numeric_string,
    "2.5.13.8": numeric_string,
    "caseignorelistmatch": case_ignore_list,
    "2.5.13.11": case_ignore_list,
    "telephonenumbermatch": telephone_number,
    "2.5.13.20": telephone_number,
    "generalizedtimematch": generalized_time,
    "2.5.13.27": generalized_time,
    "caseexactia5match": case_exact_ia5,
    "1.3.6.1.4.1.1466.109.114.1": case_exact_ia5,
    "caseignoreia5match": case_ignore_ia5,
    "1.3.6.1.4.1.1466.109.114.2": case_ignore_ia5,
    "uuidmatch": uuid,
    "1.3.6.1.1.16.2": uuid,
    "csnmatch": csn,
    "1.3.6.1.4.1.4203.666.11.2.2": csn,
}
