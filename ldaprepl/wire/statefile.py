"""What `sync` remembers between runs: cookie, what the consumer holds, what it refused. One SQLite file for each pair.

Rules: one run at a time (a lock that dies with the process); everything of a run is saved in one transaction at its
end, the cookie with the index; while changes are under way the file says so, and a run that finds that mark believes
the consumer and not the index. The file is bound to whatever the cookie is bound to (servers, base, scope, filter,
attributes, identity): when any of it changes, cookie and index are forgotten, which costs a careful reconciliation and
never an entry. A damaged file is set aside and counts as lost.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ldaprepl.domain.plan import Refusal
from ldaprepl.domain.tree import Node
from ldaprepl.errors import LdapreplError
from ldaprepl.wire.lock import claimed

_LAYOUT = "1"
_TABLES = """
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS node (
    key TEXT PRIMARY KEY, parent TEXT NOT NULL, slot BLOB NOT NULL, rdn TEXT NOT NULL, csn TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS place ON node (parent, slot);
CREATE TABLE IF NOT EXISTS refused (key TEXT PRIMARY KEY, dn TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
"""


@contextmanager
def open_state(folder: Path, pair: Mapping[str, str], binding: Mapping[str, str]) -> Iterator[StateFile]:
    """The state of the pair of servers and bases that `pair` names; `binding` is all that its cookie depends on.

    Raises `AlreadyRunning`, `UsageError` when the folder cannot be used.
    """
    name = hashlib.sha256(json.dumps(dict(sorted(pair.items()))).encode()).hexdigest()[:16]
    with claimed(folder, name, "another sync of this pair") as path:
        with _explained(path):
            state = StateFile(path, binding)
        try:
            yield state
        finally:
            state.close()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """SQLite's trouble with the place, the disk or the rights, which says nothing about what is in the file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise LdapreplError(
            f"the state file {path} cannot be used ({error})",
            "Mend the disk or the rights of the folder, or name another by --state; what was done so far stays.",
        ) from error


class StateFile:
    """An open state file. It is a `Source` of nodes for a `Tree`."""

    def __init__(self, path: Path, binding: Mapping[str, str]) -> None:
        self.path = path
        self.notes: list[str] = []
        try:
            self._base = self._open()
        except sqlite3.OperationalError:
            raise  # a full disk does not make a file a damaged one
        except sqlite3.DatabaseError:
            aside = path.with_suffix(".damaged")
            path.replace(aside)
            self.notes.append(
                f"the state file was damaged and is set aside as {aside.name}; everything is compared anew"
            )
            self._base = self._open()
        self._bind(json.dumps(dict(sorted(binding.items()))))

    def _open(self) -> sqlite3.Connection:
        base = sqlite3.connect(self.path, isolation_level=None)
        try:
            base.execute("PRAGMA synchronous = FULL")
            base.executescript(_TABLES)
            base.execute("SELECT count(*) FROM fact").fetchone()
        except sqlite3.DatabaseError:
            base.close()
            raise
        self.path.chmod(0o600)
        return base

    def _bind(self, binding: str) -> None:
        held, layout = self.fact("binding"), self.fact("layout")
        if held == binding and layout == _LAYOUT:
            return
        if held:
            self.notes.append(
                "what is replicated, or by whom, has changed: the cookie is dropped, everything is compared"
            )
        with self._saving():
            for table in ("fact", "node", "refused"):
                self._base.execute(f"DELETE FROM {table}")
            self._set("binding", binding)
            self._set("layout", _LAYOUT)

    @contextmanager
    def _saving(self) -> Iterator[None]:
        with _explained(self.path):
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:  # a full disk has rolled back by itself
                    self._base.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file; the lock goes with `open_state`."""
        self._base.close()

    # -- facts -------------------------------------------------------------------------------------------------------

    def fact(self, name: str) -> str:
        """A remembered text; empty when there is none."""
        row = self._base.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def _set(self, name: str, value: str) -> None:
        self._base.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def remember(self, facts: Mapping[str, str]) -> None:
        """Store texts by name."""
        with self._saving():
            for name, value in facts.items():
                self._set(name, value)

    @property
    def clean(self) -> bool:
        """The last run came to its end, so the index is what the consumer held then."""
        return self.fact("clean") == "yes"

    def begin(self) -> None:
        """Changes are about to be made."""
        self.remember({"clean": "no"})

    def refused(self) -> list[Refusal]:
        """The entries that the consumer did not take, to be tried again."""
        return [Refusal(*row) for row in self._base.execute("SELECT key, dn, reason FROM refused ORDER BY dn")]

    def finish(
        self,
        changes: Mapping[str, Node | None],
        refused: Iterable[Refusal],
        facts: Mapping[str, str],
        base: Mapping[str, Node] | None = None,
    ) -> None:
        """The end of a run, all in one: index (`changes` to `base`, which replaces what was held where it is given),
        refused entries, cookie and other facts."""
        with self._saving():
            if base is not None:
                self._base.execute("DELETE FROM node")
                self._put(base)
            self._base.executemany("DELETE FROM node WHERE key = ?", [(key,) for key in changes])
            self._put({key: node for key, node in changes.items() if node is not None})
            self._base.execute("DELETE FROM refused")
            self._base.executemany(
                "INSERT OR REPLACE INTO refused VALUES (?, ?, ?)",
                [(each.key, each.dn, each.reason) for each in refused],
            )
            for name, value in facts.items():
                self._set(name, value)

    def _put(self, nodes: Mapping[str, Node]) -> None:
        self._base.executemany(
            "INSERT OR REPLACE INTO node VALUES (?, ?, ?, ?, ?)",
            ((key, node.parent, node.slot, node.rdn, node.csn) for key, node in nodes.items()),
        )

    # -- a source of nodes -------------------------------------------------------------------------------------------

    def node(self, key: str) -> Node | None:
        row = self._base.execute("SELECT parent, slot, rdn, csn FROM node WHERE key = ?", (key,)).fetchone()
        return Node(*row) if row else None

    def child(self, parent: str, slot: bytes) -> str | None:
        row = self._base.execute("SELECT key FROM node WHERE parent = ? AND slot = ?", (parent, slot)).fetchone()
        return str(row[0]) if row else None

    def children(self, parent: str) -> list[str]:
        return [row[0] for row in self._base.execute("SELECT key FROM node WHERE parent = ?", (parent,))]

    def keys(self) -> list[str]:
        return [row[0] for row in self._base.execute("SELECT key FROM node")]

    def count(self) -> int:
        return int(self._base.execute("SELECT count(*) FROM node").fetchone()[0])

    def nodes(self) -> dict[str, Node]:
        """All of them."""
        rows = self._base.execute("SELECT key, parent, slot, rdn, csn FROM node")
        return {row[0]: Node(*row[1:]) for row in rows}
