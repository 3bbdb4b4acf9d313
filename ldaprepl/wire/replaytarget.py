"""The consumer, as `replay` writes it: one record at a time, in order, as slurpd did.

Operational attributes go with a record as far as the consumer allows (`updatedn`, Relax, or not at all). A refusal is
the record's own fault, or it means that nothing can be written now; the second stops the run, so that a server that
was switched to read-only does not turn a whole replog into rejects. After a crash the consumer is asked whether it has
the one record that is in doubt: see `has`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ldaprepl.wire import libldap  # noqa: F401  # first: it says what libldap may read

# isort: split
import ldap

from ldaprepl.domain.csn import Csn
from ldaprepl.domain.dn import context_of
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.replog import Add, Delete, Modify, Record, Rename
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.syncrun import UNWRITABLE, Mode
from ldaprepl.errors import GuardRefused, IncompleteRead
from ldaprepl.protocol import results
from ldaprepl.replayports import Answer, Before
from ldaprepl.wire.consumer import RELAX, Consumer
from ldaprepl.wire.endpoint import Endpoint
from ldaprepl.wire.session import MANAGE_DSA_IT, Result, Session, control, open_session

_OPERATIONS = {
    "add": ldap.MOD_ADD, "delete": ldap.MOD_DELETE, "replace": ldap.MOD_REPLACE, "increment": ldap.MOD_INCREMENT,
}  # fmt: skip
# Codes that speak of this one record: its entry, its attributes, its name, which may be too long for the backend (80).
_RECORDS_FAULT = frozenset((11, 12, 16, 17, 18, 19, 20, 21, 32, 33, 34, 36, 54, 64, 65, 66, 67, 68, 69, 71, 80))
_NO_DATABASE = "no global superior knowledge"  # slapd's words with 53 for a DN outside of all its databases
_LOCAL = frozenset(("entrydn", "subschemasubentry", "hassubordinates", "numsubordinates"))


class LdapTarget:
    """A consumer behind an endpoint; connects when asked to, and again after the connection was lost."""

    def __init__(self, endpoint: Endpoint, mode: Mode | None = None, base: str = "") -> None:
        self.endpoint, self._wanted, self._base = endpoint, mode, base
        self._session: Session | None = None
        self._mode = Mode.PLAIN
        self._schema = Schema.EMPTY

    @property
    def uri(self) -> str:
        return self.endpoint.uri

    def open(self, dn: str) -> str:
        """Connect and find out how to write. Raises `ServerUnavailable`, `GuardRefused`."""
        if self._session is None:
            session = open_session(self.endpoint)
            try:
                base = self._base or _database(session, dn)
                consumer = Consumer(session, ReplicationScope(base))
                self._mode = consumer.mode(self._wanted)
                self._schema = consumer.schema()
            except BaseException:
                session.close()
                raise
            self._session = session
        return self._mode.value

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    @property
    def _open(self) -> Session:
        if self._session is None:
            raise IncompleteRead(f"{self.uri} is not open")
        return self._session

    # -- writing -----------------------------------------------------------------------------------------------------

    def apply(self, record: Record) -> Answer:
        """Send one record. Raises `GuardRefused`, `IncompleteRead`, `ServerUnavailable`."""
        try:
            self._send(record)
        except (UnicodeEncodeError, ValueError) as error:
            return Answer(False, f"cannot be sent: {type(error).__name__}")  # a DN that is not UTF-8, or holds NUL
        except ldap.LDAPError as error:
            return self._judged(record, self._open.result_of(error))
        return Answer(True)

    def _send(self, record: Record) -> None:
        connection = self._open.connection
        controls: list[Any] = [control(MANAGE_DSA_IT, critical=False)]
        if self._mode is Mode.RELAX:
            controls.append(control(RELAX))
        match record.change:
            case Add() as change:
                attributes = self._writable(change.attributes)
                connection.add_ext_s(record.dn, [(n, list(v)) for n, v in attributes.items()], serverctrls=controls)
            case Delete():
                connection.delete_ext_s(record.dn, serverctrls=controls)
            case Rename(rdn, delete_old, superior):
                connection.rename_s(record.dn, rdn, superior, int(delete_old), serverctrls=controls)
            case Modify(mods):
                sent = [
                    (_OPERATIONS[mod.how], mod.name, [_stored(mod.name, value) for value in mod.values] or None)
                    for mod in mods
                    if self._writes(mod.name)
                ]
                if sent:
                    connection.modify_ext_s(record.dn, sent, serverctrls=controls)

    def _writes(self, name: str) -> bool:
        base = name.partition(";")[0].lower()
        return base not in UNWRITABLE[self._mode] and base not in _LOCAL

    def _writable(self, attributes: Mapping[str, tuple[bytes, ...]]) -> dict[str, tuple[bytes, ...]]:
        return {
            name: tuple(_stored(name, value) for value in values)
            for name, values in attributes.items()
            if self._writes(name)
        }

    def _judged(self, record: Record, result: Result) -> Answer:
        if result.no_room:
            raise self._open.full(record.dn, result)
        if result.code in _RECORDS_FAULT or (result.code == results.UNWILLING and _NO_DATABASE in result.text):
            return Answer(False, str(result))
        if result.code in (results.REFERRAL, results.UNWILLING, results.INSUFFICIENT_ACCESS):
            raise GuardRefused(
                f"{self.uri} does not let {self.endpoint.bind} write {record.dn!r} ({result})",
                "Nothing is lost: the run goes on from this record when that is mended.",
            )
        raise IncompleteRead(
            f"{self.uri} cannot take {record.dn!r} now ({result})", "Run again: it goes on from this record."
        )

    # -- the record in doubt -----------------------------------------------------------------------------------------

    def before(self, record: Record) -> Before:
        """The values that an increment starts from: afterwards nothing else tells whether it was done."""
        names = [mod.name for mod in _mods(record) if mod.how == "increment"]
        if not names:
            return {}
        entry = self._read(record.dn, names)
        return {name: [v.decode("ascii", "replace") for v in entry.values(name)] for name in names} if entry else {}

    def has(self, record: Record, before: Before) -> bool:
        """Whether the consumer is as it is after this record: then it need not, or must not, be sent again.

        One record was on its way and nobody else writes here, so the consumer is as before it or as after it. Where
        both look the same, sending it again would change nothing.
        """
        match record.change:
            case Add() as change:
                entry = self._read(record.dn, ("*", "+"))
                return entry is not None and self._holds(entry, self._writable(change.attributes))
            case Delete():
                return self._read(record.dn, ("1.1",)) is None
            case Rename():
                same = self._schema.dn_key(record.dn) == self._schema.dn_key(record.new_dn)
                there = self._read(record.new_dn, ("1.1",)) is not None
                return there and not same and self._read(record.dn, ("1.1",)) is None
            case Modify():
                entry = self._read(record.dn, ("*", "+"))
                return entry is not None and self._shows(entry, record, before)

    def _holds(self, entry: Entry, wanted: Mapping[str, tuple[bytes, ...]]) -> bool:
        for name, values in wanted.items():
            if name.lower() == "entryuuid":
                return entry.uuid == values[0].decode("ascii", "replace").lower()
        return all(
            self._keys(name, values) <= self._keys(name, entry.values(name))
            for name, values in wanted.items()
            if name.lower() != "userpassword"  # a server may hash it
        )

    def _shows(self, entry: Entry, record: Record, before: Before) -> bool:
        """Whether every modification, one after the other, can be seen."""
        wanted: dict[str, set[bytes]] = {}  # what must be there
        absent: dict[str, set[bytes]] = {}  # what must not
        exact: set[str] = set()  # nothing but `wanted`
        for mod in _mods(record):
            name = mod.name.lower()
            if not self._writes(name):
                continue
            values = self._keys(name, tuple(_stored(name, value) for value in mod.values))
            must, never = wanted.setdefault(name, set()), absent.setdefault(name, set())
            if mod.how == "increment":
                values = _incremented(before.get(mod.name, []), mod.values)
            if mod.how in ("replace", "increment") or not values:
                exact.add(name)
                must.clear()
                never.clear()
            if mod.how == "delete":
                must -= values
                never |= values
            else:
                must |= values
                never -= values
        for name, must in wanted.items():
            held = self._keys(name, entry.values(name))
            if not must <= held or held & absent[name] or (name in exact and held != must):
                return False
        return True

    def _keys(self, name: str, values: tuple[bytes, ...]) -> set[bytes]:
        return set(map(self._schema.normal(name), values))

    def _read(self, dn: str, attributes: tuple[str, ...] | list[str]) -> Entry | None:
        session = self._open
        try:
            asked = session.search(dn, attributes=tuple(attributes), controls=[control(MANAGE_DSA_IT, critical=False)])
        except (UnicodeEncodeError, ValueError):
            return None
        held, result = session.entries(asked)
        if result.code not in (0, results.NO_SUCH_OBJECT, results.INVALID_DN):
            raise IncompleteRead(f"{self.uri} would not show {dn!r} ({result})")
        return held[0] if held else None


def _mods(record: Record) -> tuple[Any, ...]:
    return record.change.mods if isinstance(record.change, Modify) else ()


def _stored(name: str, value: bytes) -> bytes:
    """The value as a server of today stores it: change sequence numbers in the form of 2.4."""
    if name.lower() != "entrycsn":
        return value
    try:
        return Csn.parse(value).normal.encode()
    except ValueError:
        return value


def _incremented(before: list[str], by: tuple[bytes, ...]) -> set[bytes]:
    try:
        return {str(int(value) + int(by[0])).encode() for value in before}
    except ValueError:
        return set()


def _database(session: Session, dn: str) -> str:
    """The naming context that holds `dn`. Raises `GuardRefused` where there is none: then this is the wrong server."""
    root = session.read("", ("namingContexts",))
    contexts = [value.decode("utf-8", "replace") for value in (root.values("namingContexts") if root else ())]
    holding = context_of(dn, contexts)
    if not holding:
        shown = ", ".join(map(repr, contexts)) or "none that it shows"
        raise GuardRefused(
            f"{session.uri} has no database for {dn!r} (its suffixes: {shown})",
            "Name the right consumer, or the database by --base.",
        )
    return holding


__all__ = ["LdapTarget"]
