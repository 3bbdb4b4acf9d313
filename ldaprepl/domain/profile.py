"""ldaprepl.toml: servers described once, and the replicas made of them.

`[servers.NAME]` says where a server is, who we are there and how TLS is made; `[replicas.NAME]` names a provider, its
consumers, the scope, and settings of the commands. Text goes in; tables of checked values come out, each value with its
place, or complaints with file and line. tomllib knows no lines, so they are found by reading the text statement by
statement. The keys themselves are in `profilekeys`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ldaprepl.domain import duration
from ldaprepl.domain.mechanism import EXTERNAL, TICKET
from ldaprepl.domain.profilekeys import REPLICA_KEYS, REPLICAS, SERVER_KEYS, SERVERS, Key, Kind
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.words import Place
from ldaprepl.errors import UsageError

_KEYS: Final = {SERVERS: SERVER_KEYS, REPLICAS: REPLICA_KEYS}
_AT_LINE: Final = re.compile(r"(?s)(.*) \(at (?:line (\d+), column \d+|end of document)\)")
_PASSWORDS: Final = ("password", "password_file", "password_command")


@dataclass(frozen=True, slots=True)
class Table:
    """One server or replica: checked values by key. Lists are tuples, times are seconds."""

    name: str
    place: Place
    values: Mapping[str, Any] = field(repr=False)
    places: Mapping[str, Place] = field(repr=False)

    def get(self, key: str) -> Any:
        """The value, or None."""
        return self.values.get(key)

    def origin(self, key: str) -> str:
        """`file:line` of the key."""
        return str(self.places.get(key, self.place))


@dataclass(frozen=True, slots=True)
class Profiles:
    """A whole file."""

    source: str
    servers: Mapping[str, Table]
    replicas: Mapping[str, Table]

    @property
    def secrets(self) -> tuple[Place, ...]:
        """Where passwords stand in the file itself."""
        return tuple(table.places["password"] for table in self.servers.values() if table.get("password"))

    def replica(self, name: str) -> Table:
        """By name. Raises `UsageError` with what is there."""
        if name in self.replicas:
            return self.replicas[name]
        there = ", ".join(self.replicas) or "none"
        raise UsageError(f"{self.source} has no replica {name!r}", f"{_meant(name, self.replicas)}There is: {there}.")


class ProfileRefused(UsageError):
    """The file is not right; `complaints` are all reasons, each with its place."""

    def __init__(self, complaints: tuple[str, ...]) -> None:
        super().__init__("; ".join(complaints), "docs/configuration.md has every key.")
        self.complaints = complaints


def parse(text: str, name: str) -> Profiles:
    """Read a file whose name is `name`. Raises `ProfileRefused`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _AT_LINE.fullmatch(str(error))
        said, number = (found[1], found[2]) if found else (str(error), None)
        line = int(number) if number else text.count("\n") + 1
        raise ProfileRefused((f"{Place(name, line)}: {said[:1].lower()}{said[1:]}",)) from None
    reader = _Reader(name, _places(text, name))
    tables = {kind: reader.tables(document, kind) for kind in _KEYS}
    reader.rest(document)
    profiles = Profiles(name, tables[SERVERS], tables[REPLICAS])
    reader.complaints += _contradictions(profiles)
    if reader.complaints:
        raise ProfileRefused(tuple(reader.complaints))
    return profiles


Path = tuple[str, ...]


@dataclass(slots=True)
class _Reader:
    """Checks one document."""

    name: str
    places: Mapping[Path, Place]
    complaints: list[str] = field(default_factory=list)

    def tables(self, document: Mapping[str, Any], kind: str) -> dict[str, Table]:
        """All tables of one kind."""
        held = document.get(kind, {})
        if not isinstance(held, dict):
            self.complain((kind,), f"{kind} must be tables, as in [{kind}.NAME]")
            return {}
        return {name: self.table((kind, name), values) for name, values in held.items()}

    def table(self, path: Path, values: Any) -> Table:
        """One of them."""
        checked: dict[str, Any] = {}
        places: dict[str, Place] = {}
        if not isinstance(values, dict):
            self.complain(path, f"{'.'.join(path)} must be a table, as in [{'.'.join(path)}]")
            values = {}
        keys = {key.name: key for key in _KEYS[path[0]]}
        for name, value in values.items():
            where = (*path, name)
            if name not in keys:
                self.complain(where, f"[{'.'.join(path)}] has no key {name!r}. {_meant(name, keys)}".rstrip())
                continue
            places[name] = self.place(where)
            try:
                checked[name] = _value(keys[name], value)
            except ValueError as error:
                self.complain(where, f"{name} {error}")
        return Table(path[1], self.place(path), checked, places)

    def rest(self, document: Mapping[str, Any]) -> None:
        """Whatever is neither."""
        for name in document:
            if name not in _KEYS:
                self.complain((name,), f"there is no table {name!r}. {_meant(name, _KEYS)}".rstrip())

    def place(self, path: Path) -> Place:
        """Of a key, or of the nearest thing above it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(self.name, 1))

    def complain(self, path: Path, text: str) -> None:
        self.complaints.append(f"{self.place(path)}: {text}")


def _value(key: Key, value: Any) -> Any:
    """The value as it is meant. Raises ValueError; the text never holds the value of a secret."""
    match key.kind:
        case Kind.TEXT | Kind.PATH if isinstance(value, str) and value:
            return value
        case Kind.SECRET if isinstance(value, str) and value:
            return Secret(value)
        case Kind.FLAG if isinstance(value, bool):
            return value
        case Kind.CHOICE if value in key.choices:
            return value
        case Kind.TEXTS if isinstance(value, str) and value:
            return (value,)
        case Kind.TEXTS | Kind.COMMAND if _is_texts(value):
            return tuple(value)
        case Kind.TIME if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return float(value)
        case Kind.TIME if isinstance(value, str):
            return duration.parse(value)
    wanted = f"one of {', '.join(key.choices)}" if key.kind is Kind.CHOICE else key.kind.value
    raise ValueError(f"must be {wanted}")


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) and each for each in value)


def _contradictions(profiles: Profiles) -> Iterator[str]:
    """What no single key shows."""
    for server in profiles.servers.values():
        if not server.get("uri"):
            yield f"{server.place}: [{SERVERS}.{server.name}] has no uri"
        given = [key for key in _PASSWORDS if server.get(key)]
        if len(given) > 1:
            yield f"{server.origin(given[1])}: {' and '.join(given)} contradict each other"
        if server.get("sasl") in (EXTERNAL, *TICKET) and (server.get("bind_dn") or given):
            yield f"{server.origin('sasl')}: sasl and a simple bind contradict each other"
        if given and not server.get("bind_dn") and not server.get("sasl"):
            yield f"{server.origin(given[0])}: there is a password, but no bind_dn to use it"
    for replica in profiles.replicas.values():
        yield from _wrong_replica(replica, profiles)


def _wrong_replica(replica: Table, profiles: Profiles) -> Iterator[str]:
    shown = f"[{REPLICAS}.{replica.name}]"
    if replica.get("stanza"):
        for key in ("provider", "consumers", "base", "peers"):
            if replica.get(key):
                yield f"{replica.origin(key)}: stanza says it all, so {key} contradicts it"
        return
    for key in ("provider", "base"):
        if not replica.get(key):
            yield f"{replica.place}: {shown} has no {key}"
    if not replica.get("consumers") and len(replica.get("provider") or ()) < 2:
        yield f"{replica.place}: {shown} has no consumers"
    for key in ("provider", "consumers"):
        for name in replica.get(key) or ():
            if "://" not in name and name not in profiles.servers:
                hint = _meant(name, profiles.servers)
                yield f"{replica.origin(key)}: there is no [{SERVERS}.{name}]. {hint}".rstrip()


def _meant(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}? " if near else ""


# -- lines -------------------------------------------------------------------------------------------------------------


def _places(text: str, name: str) -> dict[Path, Place]:
    """Where each table and key begins, of a text that is TOML: a statement is what can be read by itself."""
    found: dict[Path, Place] = {}
    above: Path = ()
    held: list[str] = []
    start = 1
    for number, line in enumerate(text.split("\n"), 1):
        if not held:
            start = number
        held.append(line)
        try:
            piece = tomllib.loads("\n".join(held))
        except tomllib.TOMLDecodeError:
            continue
        header = held[0].lstrip().startswith("[")
        held = []
        paths = list(_paths(piece))
        if header:
            above = paths[-1]
        for path in paths:
            found.setdefault(path if header else (*above, *path), Place(name, start))
    return found


def _paths(piece: Any, above: Path = ()) -> Iterator[Path]:
    """Every key of a statement, outer ones first."""
    if isinstance(piece, dict):
        for key, value in piece.items():
            yield (*above, key)
            yield from _paths(value, (*above, key))
