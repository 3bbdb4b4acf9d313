"""slapd's replog, slurpd's copy of it, and slurpd's reject files (OpenLDAP 2.0 to 2.3): bytes in, records out.

A record is `replica:` lines, `time:`, `dn:`, `changetype:`, the change, and an empty line; a reject file puts `ERROR:`
before it. It is nearly LDIF, and by its own rules: DNs stand raw, whatever they hold; every modification ends with `-`;
one change may come in several versions for several replicas. Rules here: nothing counts before its empty line, so half
a record at the end waits for its other half; what cannot be read as one whole record is an item with a problem, whose
text is kept; a header inside a record means that the record before it was cut off, and then neither is believed.
`replogwrite` writes.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ldaprepl.domain import dn as names

DEFAULT_PORT: Final = 389
_HOW: Final = ("add", "delete", "replace", "increment")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._;-]*")
_TIME: Final = re.compile(r"(\d{1,18})(?:\.(\d{1,18}))?", re.ASCII)
_HEADER: Final = ("replica", "time", "error", "dn", "changetype")
_URI: Final = re.compile(r"(ldaps?)://([^/]*)/?.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class When:
    """The moment of a change: seconds since 1970, and slurpd's count within the second (None in slapd's own file)."""

    seconds: int
    seq: int | None = None

    def __str__(self) -> str:
        return str(self.seconds) if self.seq is None else f"{self.seconds}.{self.seq}"


@dataclass(frozen=True, slots=True)
class Add:
    """A new entry: its lines in their order, operational attributes too."""

    pairs: tuple[tuple[str, bytes], ...]

    @property
    def attributes(self) -> dict[str, tuple[bytes, ...]]:
        """Values by name, each name in its first spelling."""
        spelling: dict[str, str] = {}
        found: dict[str, list[bytes]] = {}
        for name, value in self.pairs:
            found.setdefault(spelling.setdefault(name.lower(), name), []).append(value)
        return {name: tuple(values) for name, values in found.items()}


@dataclass(frozen=True, slots=True)
class Delete:
    """The entry goes."""


@dataclass(frozen=True, slots=True)
class Mod:
    """One part of a modify. `how`: add, delete, replace or increment."""

    how: str
    name: str
    values: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Modify:
    """Attributes change."""

    mods: tuple[Mod, ...]


@dataclass(frozen=True, slots=True)
class Rename:
    """The entry gets another RDN, and another parent where `superior` is not None. `word` is modrdn or moddn."""

    rdn: str
    delete_old: bool
    superior: str | None = None
    word: str = "modrdn"


Change = Add | Delete | Modify | Rename


@dataclass(frozen=True, slots=True)
class Record:
    """One change. `error` is the reason in a reject file, None elsewhere; 2.1 wrote an empty one."""

    dn: str
    change: Change
    when: When
    replicas: tuple[str, ...] = ()
    error: str | None = None

    @property
    def kind(self) -> str:
        """The changetype."""
        return self.change.word if isinstance(self.change, Rename) else type(self.change).__name__.lower()

    @property
    def new_dn(self) -> str:
        """The DN after the change; the same DN for all but a rename."""
        if not isinstance(self.change, Rename):
            return self.dn
        try:
            above = names.parent(self.dn) if self.change.superior is None else self.change.superior
        except ValueError:
            return self.dn
        return f"{self.change.rdn},{above}" if above else self.change.rdn

    def is_for(self, replica: str) -> bool:
        """Whether slurpd would send it there (`replica` as `replica_key` gives it). Without a replica line: to all."""
        return not self.replicas or replica in map(replica_key, self.replicas)


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of the file between empty lines: the record, or why it is none.

    `line` is where it begins (from 1), `end` the number of bytes of the file up to behind its empty line.
    """

    line: int
    end: int
    raw: bytes = field(repr=False)  # may hold passwords
    record: Record | None = None
    problem: str = ""


class Reader:
    """Takes a file in pieces of any size and gives its items as soon as they are whole.

    `end` and `next_line` say how far whole items reach; a reader may start there (`Reader(end, line)`).
    """

    def __init__(self, end: int = 0, line: int = 1) -> None:
        self.end = end
        self.next_line = line
        self._line = line  # that of the partial line
        self._lines: list[bytes] = []  # of the item under way
        self._start = line
        self._held = bytearray()
        self._at = end  # bytes taken up to the end of the last whole line

    def feed(self, data: bytes) -> Iterator[Item]:
        """Items that are whole now. To be read to its end before the next piece is fed."""
        self._held += data
        begin = 0
        while (stop := self._held.find(b"\n", begin)) >= 0:
            line = bytes(self._held[begin : stop + 1])
            begin = stop + 1
            self._at += len(line)
            self._line += 1
            if line.strip(b"\r\n"):
                if not self._lines:
                    self._start = self._line - 1
                self._lines.append(line)
                continue
            item = self._item() if self._lines else None
            self.end, self.next_line = self._at, self._line
            if item is not None:
                yield item
        del self._held[:begin]

    @property
    def unfinished(self) -> int | None:
        """The line where a record begins that has no end yet."""
        if self._lines:
            return self._start
        return self._line if self._held.strip(b"\r\n") else None

    def finish(self) -> Item | None:
        """The last record of a file that is known to be whole, though no empty line follows it.

        A file that ends within a line is not whole, whatever is known.
        """
        torn = bool(self._held.strip(b"\r\n"))
        if self._held:
            if not self._lines:
                self._start = self._line
            self._at += len(self._held)
            self._lines.append(bytes(self._held))
            self._held.clear()
        if not self._lines:
            return None
        item = self._item()
        self.end, self.next_line = self._at, self._line
        return replace(item, record=None, problem="the file ends in the middle of a line") if torn else item

    def _item(self) -> Item:
        raw, self._lines = b"".join(self._lines), []
        try:
            return Item(self._start, self._at, raw, parse(raw))
        except _NoRecord:
            return Item(self._start, self._at, raw)
        except ValueError as problem:
            return Item(self._start, self._at, raw, problem=str(problem))


class _NoRecord(ValueError):
    """Comments only."""


def parse(raw: bytes) -> Record:
    """The record in these lines (no empty line among them). Raises ValueError with the reason; it names no value."""
    lines = _logical(raw)
    if not lines:
        raise _NoRecord("there is nothing but comments")
    replicas: list[str] = []
    error: str | None = None
    when: When | None = None
    at = 0
    while True:
        if at == len(lines):
            raise ValueError("it has no dn: line")
        name, value = _pair(lines[at])
        text = value.decode("utf-8", "surrogateescape")
        at += 1
        match name.lower():
            case "error" if error is None:
                error = text
            case "replica" if when is None:
                replicas.append(_replica(text))
            case "time" if when is None:
                when = _when(text)
            case "dn":
                break
            case _:
                raise ValueError(f"{_quoted(name)} stands where replica:, time: or dn: should")
    if when is None:
        raise ValueError("it has no time: line, so it is not from a replog, or its beginning is lost")
    if at == len(lines):
        raise ValueError("it has no changetype: line")
    name, value = _pair(lines[at])
    if name.lower() != "changetype":
        raise ValueError(f"{_quoted(name)} stands where changetype: should")
    change = _change(value.decode("utf-8", "replace").strip().lower(), lines[at + 1 :])
    return Record(text, change, when, tuple(replicas), error)


def _logical(raw: bytes) -> list[bytes]:
    """Lines unfolded, without comments."""
    lines: list[bytes] = []
    for number, piece in enumerate(raw.split(b"\n")):
        line = piece.removesuffix(b"\r")
        if line.startswith(b" "):
            if not lines:
                raise ValueError("it begins with the continuation of a line that is not there")
            lines[-1] += line[1:]
        elif line or number == 0:
            lines.append(line)
    return [line for line in lines if not line.startswith(b"#")]


def _pair(line: bytes) -> tuple[str, bytes]:
    if line.rstrip() == b"-":
        return "-", b""
    name, colon, rest = line.partition(b":")
    word = name.decode("ascii", "backslashreplace")
    if not colon or not NAME.fullmatch(word):
        raise ValueError("a line has no attribute name and colon")
    if rest.startswith(b"<"):
        raise ValueError(f"{word}:< names a file or URL, which is not read")
    if not rest.startswith(b":"):
        return word, rest.lstrip(b" ")
    try:
        return word, binascii.a2b_base64(rest[1:].strip(), strict_mode=True)
    except ValueError:
        raise ValueError(f"the value of {word} is not valid base64") from None


def _replica(text: str) -> str:
    if not text or text.split() != [text]:
        raise ValueError("its replica: line is not host:port")
    return text


def _when(text: str) -> When:
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError("its time: is not a number of seconds")
    return When(int(found[1]), None if found[2] is None else int(found[2]))


def _change(kind: str, lines: list[bytes]) -> Change:
    pairs = [_pair(line) for line in lines]
    for name, _ in pairs:
        if name.lower() in _HEADER:
            raise ValueError(f"it was cut off: {name.lower()}: of the next record follows in the middle of it")
    match kind:
        case "add":
            if not pairs:
                raise ValueError("an add without attributes")
            if any(name == "-" for name, _ in pairs):
                raise ValueError("a - line in an add")
            return Add(tuple(pairs))
        case "delete":
            if pairs:
                raise ValueError("lines follow a delete")
            return Delete()
        case "modify":
            return Modify(tuple(_mods(pairs)))
        case "modrdn" | "moddn":
            return _rename(kind, pairs)
    raise ValueError(f"changetype {_quoted(kind)} is none of add, delete, modify, modrdn, moddn")


def _mods(pairs: list[tuple[str, bytes]]) -> Iterator[Mod]:
    if not pairs:
        raise ValueError("a modify that changes nothing")
    rest = iter(pairs)
    for how, subject in rest:
        name = subject.decode("ascii", "backslashreplace").strip()
        if how.lower() not in _HOW or not NAME.fullmatch(name):
            raise ValueError(f"{_quoted(how)} is none of {', '.join(_HOW)} with an attribute name")
        values: list[bytes] = []
        for held, value in rest:
            if held == "-":
                break
            if held.lower() != name.lower():
                raise ValueError(f"{_quoted(held)} stands among the values of {name}")
            values.append(value)
        else:
            raise ValueError("its last modification has no - line: it was cut off")
        if how.lower() in ("add", "increment") and not values:
            raise ValueError(f"{how.lower()}: {name} without a value")
        yield Mod(how.lower(), name, tuple(values))


def _rename(word: str, pairs: list[tuple[str, bytes]]) -> Rename:
    held: dict[str, str] = {}
    for name, value in pairs:
        if name.lower() not in ("newrdn", "deleteoldrdn", "newsuperior") or name.lower() in held:
            raise ValueError(f"{_quoted(name)} in a {word}")
        held[name.lower()] = value.decode("utf-8", "surrogateescape")
    if not held.get("newrdn") or held.get("deleteoldrdn", "").strip() not in ("0", "1"):
        raise ValueError(f"a {word} without newrdn: and deleteoldrdn: 0 or 1")
    return Rename(held["newrdn"], held["deleteoldrdn"].strip() == "1", held.get("newsuperior"), word)


def _quoted(text: str) -> str:
    return repr(text[:40])


# -- replicas and slurpd's status ------------------------------------------------------------------------------------


def replica_key(text: str) -> str:
    """`host:port` in lower case; slurpd takes no port, and 0, for 389. A URI is taken for its host and port."""
    uri = _URI.fullmatch(text.strip())
    port = 636 if uri and uri[1].lower() == "ldaps" else DEFAULT_PORT
    place = (uri[2] if uri else text).strip().lower()
    host, colon, number = place.rpartition(":")
    if colon and number.isascii() and number.isdigit() and (":" not in host or host.endswith("]")):
        return f"{host}:{int(number) or port}"
    return f"{place.removesuffix(':')}:{port}"


def parse_status(text: str) -> Mapping[str, When]:
    """slurpd's status file, `host:port:time:seq` a line: the last record done, by replica. Raises ValueError."""
    found: dict[str, When] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        replica, _, seconds = line.strip().rpartition(":")[0].rpartition(":")
        seq = line.strip().rpartition(":")[2]
        if not replica or not seconds.isdigit() or not seq.isdigit():
            raise ValueError(f"line {number} is not host:port:time:seq")
        found[replica_key(replica)] = When(int(seconds), int(seq))
    return found


def is_done(record: Record, status: When | None) -> bool:
    """Whether slurpd was through with it. What has no count is slapd's own file, which slurpd has not taken yet."""
    if status is None or record.when.seq is None:
        return False
    return (record.when.seconds, record.when.seq) <= (status.seconds, status.seq or 0)
