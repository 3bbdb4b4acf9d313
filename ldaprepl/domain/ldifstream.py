"""LDIF at the speed of a file: pieces of bytes in, entries out, still undecoded (RFC 2849).

`LdifReader` is fed whatever was read and hands back `(DN bytes, record)`, the record unfolded, without comments, values
as they stand. So two dumps of one server are compared byte by byte, and only what differs is split and decoded
(`split_record`, `decode_lines`). Fast is only the way of the good: each piece is looked over by a few expressions, and
where one of them stirs, the slow reader names the line. What was handed back can be split and decoded without error.

A dump that is not whole must not pass for one. So an entry must be ended by an empty line, as slapcat and ldapsearch
end it; `result:` lines and counts of ldapsearch, plain or as comments, are believed; a change record is none.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import NAME, LdifError, logical_lines, pair
from ldaprepl.domain.plural import agreeing, counted

LIMIT: Final = 128 * 1024 * 1024  # bytes of one record: the largest value a server takes, in base64, and some
RawRecord = tuple[bytes, bytes]  # DN, record

# A line that does not begin as one of an entry does; behind each newline, so that the search is fast.
_ODD: Final = re.compile(rb"\n(?!(?:(?!(?i:changetype|dn)[ :])[A-Za-z0-9][A-Za-z0-9._;-]*:(?!<))|dn:(?!<)|\n|\Z)")
_NOT_BASE64: Final = re.compile(rb":: *(?!(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?(?:\n|\Z)| )")
_COMMENT: Final = re.compile(rb"^#[^\n]*\n?", re.MULTILINE)
_RESULT: Final = re.compile(rb"search: \d+\nresult: (\d+)([^\n]*)")
_COUNT: Final = re.compile(
    rb"# numResponses: \d+\n(?:# num(?:Extended|Partial|References)[^\n]*\n)*# numEntries: (\d+)"
)
_MARK: Final = b"\xef\xbb\xbf"  # the byte order mark of UTF-8
_HEADER: Final = b"#\n# LDAPv3\n# base <"  # of ldapsearch, unless called with -LL
_END: Final = re.compile(rb"# search result\n(?!dn:)")
_STARTS: Final = ("dn", "version", "search", "ref")


class LdifReader:
    """One file from its beginning to its end. `entries` and `references` are counted; `line` lines are done.

    `known`: it was read before, so its lines need not be looked over again.
    """

    def __init__(self, *, known: bool = False) -> None:
        self._known = known
        self._parts: list[bytes] = []
        self._have = 0
        self._carriage = False  # a CR at the end of the last piece, which may belong to a line end
        self._searches = [0, 0]  # begun and ended, by the comments of ldapsearch
        self._counted: int | None = None
        self._failure: LdifError | None = None
        self.line = 0
        self.entries = 0
        self.references = 0

    def feed(self, data: bytes) -> list[RawRecord]:
        """Take the next piece and return what is whole now. Raises `LdifError`."""
        if self._carriage or b"\r" in data:
            data = (b"\r" if self._carriage else b"") + data
            self._carriage = data.endswith(b"\r")
            data = data.removesuffix(b"\r").replace(b"\r\n", b"\n")
        if not data:
            return []
        if (at := data.find(b"\0")) >= 0:
            line = self.line + sum(part.count(b"\n") for part in (*self._parts, data[:at])) + 1
            raise LdifError(line, "a NUL byte: this is UTF-16 (a PowerShell redirection writes it), or no LDIF at all")
        tail = self._parts[-1][-1:] if self._parts else b""
        self._parts.append(data)
        self._have += len(data)
        if self._have > LIMIT:
            raise LdifError(self.line + 1, f"no empty line within {LIMIT} bytes: this is no LDIF, or a damaged one")
        cut = (tail + data).rfind(b"\n\n")
        if cut < 0:
            return []
        cut += self._have - len(data) - len(tail) + 2
        buffer = b"".join(self._parts)
        self._parts = [buffer[cut:]] if cut < len(buffer) else []
        self._have = len(buffer) - cut
        return self._records(buffer[:cut])

    def finish(self) -> list[RawRecord]:
        """The end of the file: what was left. Raises `LdifError` when it is not the end of a whole dump."""
        rest = b"".join(self._parts)
        self._parts = []
        records: list[RawRecord] = []
        if rest:
            whole = rest.endswith(b"\n") and not _COMMENT.sub(b"", rest.replace(b"\n ", b"")).strip(b"\n")
            last = self.line + rest.rstrip(b"\n").count(b"\n") + 1
            records = self._records(rest)
            if not whole:
                raise LdifError(last, "the last entry is not ended by an empty line: the file may have been cut there")
        if self._failure is not None:
            raise self._failure
        if self._searches[0] > self._searches[1]:
            raise LdifError(self.line, "the end of ldapsearch's output is not there: the file was cut")
        if self._counted is not None and self._counted != self.entries:
            raise LdifError(
                self.line,
                f"ldapsearch counted {counted(self._counted)}, but {self.entries} {agreeing(self.entries)} there",
            )
        return records

    def _records(self, whole: bytes) -> list[RawRecord]:
        """Cut whole records apart, after a look at every line."""
        first = self.line
        if not first:
            whole = whole.removeprefix(_MARK)
        self.line += whole.count(b"\n")
        text = whole.replace(b"\n ", b"")
        if text[:1] == b"#" or b"\n#" in text:
            text = self._comments(whole, text)
        if not self._known and _odd(whole, text):
            explain(whole, first)
        records: list[RawRecord] = []
        append = records.append
        for block in text.split(b"\n\n"):
            if block[:4] == b"dn: " and block[4:5] > b" " and (end := block.find(b"\n")) > 0:
                append((block[4:end], block))
            elif block := block.strip(b"\n"):
                self._other(block, whole, first, records)
        if not self._known and text.count(b"\ndn:") + (text[:3] == b"dn:") != len(records):
            explain(whole, first)  # a second dn in one record, unless only written in another way
        self.entries += len(records)
        return records

    def _other(self, block: bytes, whole: bytes, first: int, records: list[RawRecord]) -> None:
        """A block that does not begin in the usual way."""
        name, _, rest = block.partition(b":")
        match name.strip().lower():
            case b"dn":
                records.append((decode_lines(rest.partition(b"\n")[0])[0], block))
            case b"version":
                if below := block.partition(b"\n")[2]:
                    self._other(below, whole, first, records)
            case b"search" if found := _RESULT.match(block):
                line = first + whole.count(b"\n", 0, whole.find(b"\nresult: " + found[1])) + 2
                self._ended(int(found[1]), found[2].decode("utf-8", "replace").strip(), line)
            case b"ref":
                self.references += 1
            case _:
                explain(whole, first)
                raise LdifError(first + 1, "a record must begin with dn:")

    def _comments(self, whole: bytes, text: bytes) -> bytes:
        """The text without comments, after reading what ldapsearch says in them."""
        self._searches[0] += whole.count(_HEADER)
        self._searches[1] += len(_END.findall(whole))
        for count in _COUNT.finditer(whole):
            self._counted = (self._counted or 0) + int(count[1])
        return _COMMENT.sub(b"", text)

    def _ended(self, code: int, said: str, line: int) -> None:
        if code and self._failure is None:
            reason = f"the search that wrote this file ended with result {code}{f' ({said})' if said else ''}"
            self._failure = LdifError(line, reason)


def _odd(whole: bytes, text: bytes) -> bool:
    """Whether a line may be wrong, in whole records and the same unfolded."""
    if whole[:1] == b" " or b"\n\n " in whole or _ODD.search(b"\n" + text) is not None:
        return True
    return b"::" in text and _NOT_BASE64.search(text) is not None


def explain(whole: bytes, first: int) -> None:
    """Read slowly what looked odd; returns when all is well. Raises `LdifError` with the line (`first` were before)."""
    start = True
    for number, text in logical_lines(whole.decode("utf-8", "surrogateescape").split("\n"), first + 1):
        if not text:
            start = True
            continue
        name, _ = pair(number, text)
        low = name.lower()
        if name == "-" or low == "changetype":
            raise LdifError(number, "a change record, where an entry of a dump was expected")
        if not NAME.fullmatch(name):
            raise LdifError(number, f"{name!r} is no attribute name")
        if start and low not in _STARTS:
            raise LdifError(number, f"a record must begin with dn:, not {name}:")
        if not start and low == "dn":
            raise LdifError(number, "a second dn: in one record, an empty line is missing before it")
        start = start and low == "version"


def split_record(record: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """DN and attributes of a record of `LdifReader`: `(name, its lines after the colon)`, for `decode_lines`."""
    head, _, body = record.partition(b"\n")
    held: dict[bytes, list[bytes]] = {}
    for line in body.split(b"\n") if body else ():
        name, _, rest = line.partition(b":")
        if name in held:
            held[name].append(rest)
        else:
            held[name] = [rest]
    (dn,) = decode_lines(head.partition(b":")[2])
    return dn, [(name, lines[0] if len(lines) == 1 else b"\n".join(lines)) for name, lines in held.items()]


def decode_lines(lines: bytes) -> tuple[bytes, ...]:
    """The values of one attribute as `split_record` gives them. Raises ValueError for what no `LdifReader` gave."""
    return tuple(
        binascii.a2b_base64(line[1:].strip(b" "), strict_mode=True) if line[:1] == b":" else line.lstrip(b" ")
        for line in lines.split(b"\n")
    )


def record_entry(record: bytes) -> Entry:
    """A record decoded; repeated names are joined under their first spelling."""
    dn, attributes = split_record(record)
    held: dict[str, tuple[bytes, ...]] = {}
    spelling: dict[str, str] = {}
    for raw, lines in attributes:
        name = raw.decode("ascii", "surrogateescape")
        name = spelling.setdefault(name.lower(), name)
        held[name] = held.get(name, ()) + decode_lines(lines)
    return Entry(dn.decode("utf-8", "surrogateescape"), held)
