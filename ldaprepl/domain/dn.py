"""Distinguished names as text: taking apart, writing, parent, moving from one base to another (RFC 4514).

Reading is as lenient as slapd: spaces, tabs and line ends around `=`, `,` and `+`, `;` between RDNs, quoted values
(RFC 1779). Writing is strict RFC 4514. A value is bytes after all escapes are resolved, so two spellings of one name
give the same tuples. What needs no schema is here; whether two names are the same entry needs the matching rule of
each attribute: `Schema.dn_key`.

slapd 2.5 refuses `#hex` values, `OID.` before a number, an empty value and an unescaped `"`, `<` or `>`. Here the
string types of `#hex`, `OID.` and an empty value are read, as other servers have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

Ava = tuple[str, bytes]  # attribute type as written, value
Rdn = tuple[Ava, ...]

_TYPE = re.compile(r"(?:[oO][iI][dD]\.(?=\d))?([A-Za-z][A-Za-z0-9_-]*(?:;[A-Za-z0-9_-]+)*|\d+(?:\.\d+)*)")
_SPACE = " \t\n\r"
_SPACES = re.compile(r"[ \t\n\r]*")
_RUN = re.compile(r'[^\\,;+"<>\0]+')
_QUOTED_RUN = re.compile(r'[^\\"\0]+')
_ESCAPE = re.compile(r'\\(?:([0-9A-Fa-f]{2})|([ "#+,;<=>\\]))')
_HEX = re.compile(r"#((?:[0-9A-Fa-f]{2})+)")
_ESCAPING = re.compile(r'["+,;<>\\\x00-\x1f\x7f]')  # what render() escapes anywhere in a value
_NEEDS_SCAN = re.compile(r'[\\"]')

# Universal BER tags of string types, and how their contents become UTF-8 (X.690, section 8.23); "" where they already
# are.
_STRING_TAGS = {4: "", 12: "", 18: "", 19: "", 22: "", 26: "", 20: "latin-1", 28: "utf-32-be", 30: "utf-16-be"}


def parse(dn: str) -> tuple[Rdn, ...]:
    """The RDNs, leaf first; the empty DN is (). Raises ValueError, which names the position, counted from 1, and the
    token."""
    return tuple(rdn for rdn, _, _ in _scan(dn))


def render(rdns: Iterable[Rdn]) -> str:
    """RFC 4514 text, such that `parse(render(rdns)) == rdns`. Bytes that are no UTF-8 and control characters become
    `\\hh`."""
    return ",".join("+".join(f"{name}={escape(value)}" for name, value in rdn) for rdn in rdns)


def escape(value: bytes) -> str:
    """One attribute value as it stands in a DN (RFC 4514, section 2.4)."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(f"\\{byte:02x}" for byte in value)
    text = _ESCAPING.sub(_escaped, text)
    if text[:1] in (" ", "#"):
        text = "\\" + text
    if text[-1:] == " " and len(value) > 1:
        text = text[:-1] + "\\ "
    return text


def _escaped(match: re.Match[str]) -> str:
    char = match.group()
    return f"\\{ord(char):02x}" if char < " " or char == "\x7f" else "\\" + char


def split(dn: str) -> list[str]:
    """The RDNs as they are written, leaf first, without the spaces around them.

    Raises ValueError where escapes or quotes are wrong; a DN without any is only cut at its commas.
    """
    if not _NEEDS_SCAN.search(dn) and ";" not in dn:
        return [part.strip(_SPACE) for part in dn.split(",")] if dn else []
    return [dn[start:end] for _, start, end in _scan(dn)]


def parent(dn: str) -> str:
    """The DN of the entry above, as written; "" above a suffix of one RDN. Raises ValueError for the empty DN, which
    has none."""
    if not _NEEDS_SCAN.search(dn) and ";" not in dn:
        leaf, _, rest = dn.partition(",")
        if not leaf:
            raise ValueError("the empty DN has no parent")
        return rest.lstrip(_SPACE)
    spans = _scan(dn)
    return dn[spans[1][1] :] if len(spans) > 1 else ""


def ancestors(dn: str) -> Iterator[str]:
    """The DNs of all that stands above an entry, nearest first, as written; no more where it does not parse."""
    try:
        while dn := parent(dn):
            yield dn
    except ValueError:
        return


def depth(dn: str) -> int:
    """Number of RDNs: parents sort before their children by it. Raises ValueError."""
    return len(split(dn))


def is_below(dn: str, base: str) -> bool:
    """Whether `dn` is `base` or below it. Raises ValueError.

    Types and values match in any case and with any number of spaces, as they do for all usual naming attributes.
    Where aliases of types or case-exact naming matter use `Schema.is_below`.
    """
    names, ancestors = parse(dn), parse(base)
    if not ancestors:
        return True
    return len(names) >= len(ancestors) and _loose(names[-len(ancestors) :]) == _loose(ancestors)


def folded(dn: str) -> str:
    """A spelling to compare by where no schema is known: case, spaces and ways of escaping do not count."""
    try:
        return render(parse(dn)).lower()
    except ValueError:
        return dn.strip().lower()


def context_of(dn: str, contexts: Iterable[str]) -> str | None:
    """The deepest of a server's naming contexts that holds `dn`; None where none does, or where `dn` is no name."""
    holding = []
    for name in contexts:
        try:
            if is_below(dn, name):
                holding.append(name)
        except ValueError:  # what is no name holds nothing
            continue
    return max(holding, key=depth, default=None)


def move(dn: str, old_base: str, new_base: str) -> str:
    """The name of the same entry when `old_base` is called `new_base` (slapd's suffixmassage); RDNs below the base
    stay as written.

    Raises ValueError if `dn` is not below `old_base`.
    """
    # Nearly every DN ends with the very letters of its base; without escapes and quotes that comma is a separator.
    if new_base and old_base and dn.endswith("," + old_base) and not _NEEDS_SCAN.search(dn):
        return dn.removesuffix(old_base) + new_base
    if not is_below(dn, old_base):
        raise ValueError(f"DN {dn!r} is not below {old_base!r}")
    own = split(dn)
    kept = own[: len(own) - depth(old_base)]
    return ",".join([*kept, new_base]) if new_base else ",".join(kept)


def moved(dn: str, old_base: str, new_base: str) -> str:
    """The same; a DN that lies elsewhere, or is none, as it is."""
    try:
        return move(dn, old_base, new_base)
    except ValueError:
        return dn


def _loose(rdns: tuple[Rdn, ...]) -> list[list[tuple[str, str]]]:
    return [sorted((name.lower(), _loose_value(value)) for name, value in rdn) for rdn in rdns]


def _loose_value(value: bytes) -> str:
    words = value.decode("utf-8", "surrogateescape").lower().split(" ")
    return " ".join(word for word in words if word)


def _scan(dn: str) -> list[tuple[Rdn, int, int]]:
    """Each RDN with the place of its text in `dn`."""
    found: list[tuple[Rdn, int, int]] = []
    if not dn:
        return found
    at = _skip(dn, 0)
    while True:
        start = at
        avas: list[Ava] = []
        while True:
            name, at = _scan_type(dn, at)
            value, end = _scan_value(dn, at)
            avas.append((name, value))
            at = _skip(dn, end)
            if at == len(dn) or dn[at] != "+":
                break
            at = _skip(dn, at + 1)
        found.append((tuple(avas), start, end))
        if at == len(dn):
            return found
        if dn[at] not in ",;":
            raise _error(dn, at, "',' or '+' expected")
        at = _skip(dn, at + 1)


def _skip(dn: str, at: int) -> int:
    match = _SPACES.match(dn, at)
    return match.end() if match else at


def _scan_type(dn: str, at: int) -> tuple[str, int]:
    """The attribute type, and where its value begins."""
    match = _TYPE.match(dn, at)
    if match is None:
        raise _error(dn, at, "an attribute type expected")
    equals = _skip(dn, match.end())
    if dn[equals : equals + 1] != "=":
        raise _error(dn, equals, f"'=' expected after {match.group()!r}")
    return match.group(1), _skip(dn, equals + 1)


def _scan_value(dn: str, at: int) -> tuple[bytes, int]:
    """The value, and where its text ends (spaces after it left out)."""
    if dn[at : at + 1] == "#":
        match = _HEX.match(dn, at)
        if match is None:
            raise _error(dn, at, "pairs of hexadecimal digits expected after '#'")
        return _from_ber(dn, at, bytes.fromhex(match.group(1))), match.end()
    quoted = dn[at : at + 1] == '"'
    run = _QUOTED_RUN if quoted else _RUN
    start = at = at + quoted
    parts: list[bytes] = []
    end = at
    while at < len(dn):
        if match := run.match(dn, at):
            parts.append(_encode(dn, at, match.group()))
            # Spaces at the end of a run count only if something follows them in the value.
            if visible := len(match.group().rstrip(_SPACE)):
                end = at + visible
            at = match.end()
        elif dn[at] == "\\":
            escaped = _ESCAPE.match(dn, at)
            if escaped is None:
                raise _error(dn, at, "no such escape")
            pair, char = escaped.groups()
            parts.append(bytes.fromhex(pair) if pair else char.encode())
            end = at = escaped.end()
        else:
            break
    if quoted:
        if dn[at : at + 1] != '"':
            raise _error(dn, start - 1, "quoted value without an end")
        return b"".join(parts), at + 1
    if at < len(dn) and dn[at] not in ",;+":
        raise _error(dn, at, "this character must be escaped")
    trailing = at - end
    value = b"".join(parts)
    return (value[:-trailing] if trailing else value), end


def _encode(dn: str, at: int, text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise _error(dn, at + error.start, "not a character") from error


def _from_ber(dn: str, at: int, ber: bytes) -> bytes:
    """The contents of a BER string; nothing else has a form that could be compared with other values."""
    charset = _STRING_TAGS.get(ber[0])
    head = 2 + (ber[1] & 0x7F if len(ber) > 1 and ber[1] > 0x80 else 0)  # tag and length (X.690, section 8.1.3)
    length = int.from_bytes(ber[2:head], "big") if head > 2 else int.from_bytes(ber[1:2], "big")
    if charset is None or len(ber) != head + length:
        raise _error(dn, at, "not the BER encoding of a string")
    if not charset:
        return ber[head:]
    try:
        return ber[head:].decode(charset).encode()
    except UnicodeError as error:
        raise _error(dn, at, "not the BER encoding of a string") from error


def _error(dn: str, at: int, problem: str) -> ValueError:
    token = repr(dn[at : at + 12]) if at < len(dn) else "the end"
    return ValueError(f"DN {dn!r}: {problem} at character {at + 1}, found {token}")
