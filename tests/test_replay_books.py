"""What the files hold: reading them whatever became of them, and books that say what is open without a secret."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from ldaprepl.domain.backlog import Pending, Standing
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.replog import Delete, Mod, Modify, Record, When
from ldaprepl.domain.replogwrite import write
from ldaprepl.errors import ExitCode, UsageError
from ldaprepl.replay import Settings, dry_run, explain, named
from ldaprepl.report import replay as words
from ldaprepl.wire.replogfile import ReplogFile, status_of

REPLICA = "h:389"


def record(number: int, dn: str = "") -> bytes:
    change = Modify((Mod("increment", "uidNumber", (b"1",)),))
    return write(Record(dn or f"cn={number}", change, When(number), ("h",)))


# -- the file ----------------------------------------


def test_a_gzip_file_that_is_cut_or_no_gzip_is_told(tmp_path: Path) -> None:
    path = tmp_path / "replog.gz"
    noise = random.Random(1)
    texts = [record(n, f"cn={noise.random()}") for n in range(3000)]
    whole = gzip.compress(b"".join(texts))
    path.write_bytes(whole[:-100])
    books = explain([(file := ReplogFile(path), {})])
    file.close()
    assert 2000 < books.records < 3000
    assert "ends in its middle" in books.notes[0]
    path.write_bytes(whole[:1000] + b"\0" * 100 + whole[1100:])
    books = explain([(file := ReplogFile(path), {})])
    file.close()
    assert "damaged" in books.notes[0]


def test_no_piece_is_lost_at_the_borders_of_reads(tmp_path: Path) -> None:
    path = tmp_path / "replog"
    noise = random.Random(2)
    path.write_bytes(b"".join(record(n, "cn=" + "x" * noise.randrange(3000)) for n in range(200)))
    file = ReplogFile(path)
    seen, places = [], []
    for item in file.items():
        assert item.record is not None
        seen.append(item.record.when.seconds)
        places.append(file.position)
    file.close()
    assert seen == list(range(200))
    for number, place in enumerate(places):
        again = ReplogFile(path)
        assert again.resume([place, places[0]]) == place
        assert [i.record.when.seconds for i in again.items() if i.record] == seen[number + 1 :]
        again.close()


def test_what_is_no_file_is_a_usage_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError):
            ReplogFile(path)


def test_a_status_file_beside_slurpds_copy_is_found(tmp_path: Path) -> None:
    (tmp_path / "slurpd.status").write_text("h:0:5:1\n")
    assert status_of(tmp_path / "slurpd.replog", None)[0] == {"h:389": When(5, 1)}
    assert status_of(tmp_path / "replog", None) == ({}, None)
    (tmp_path / "other").write_text("rubbish")
    with pytest.raises(UsageError, match="not slurpd's status file"):
        status_of(tmp_path / "replog", tmp_path / "other")


# -- the books ----------------------------------------


def books_of(tmp_path: Path, *records: Record, status: Mapping[str, When] | None = None, replica: str | None = None):  # type: ignore[no-untyped-def]  # a Backlog
    path = tmp_path / "slurpd.replog"
    path.write_bytes(b"".join(map(write, records)))
    file = ReplogFile(path)
    try:
        return explain([(file, status or {})], replica)
    finally:
        file.close()


def change(dn: str, seconds: int, seq: int | None, *replicas: str, error: str | None = None) -> Record:
    return Record(dn, Delete(), When(seconds, seq), replicas, error)


def test_pending_is_what_slurpd_was_not_through_with(tmp_path: Path) -> None:
    records = [change("cn=a", 5, 0, "a", "b"), change("cn=b", 5, 1, "a", "b"), change("cn=c", 6, 0, "b")]
    books = books_of(tmp_path, *records, status={"a:389": When(5, 0), "b:389": When(5, 1)})
    assert books.pending == (
        Pending("a:389", {"delete": 1}, When(5, 1), When(5, 1), 1),
        Pending("b:389", {"delete": 1}, When(6, 0), When(6, 0), 1),
    )
    assert (books.done, books.exit_code) == (1, ExitCode.BEHIND)
    only = books_of(tmp_path, *records, replica="a:389")
    assert ([p.replica for p in only.pending], only.others) == (["a:389"], 1)


def test_rejects_are_grouped_by_reason_most_first(tmp_path: Path) -> None:
    reasons = ["x", "No such object", "No such object", ""]
    books = books_of(tmp_path, *(change(f"cn={n}", n, 0, "a", error=reason) for n, reason in enumerate(reasons)))
    assert [(group.reason, len(group.records)) for group in books.rejected] == [
        ("No such object", 2), ("x", 1), ("no reason given (slapd 2.1 wrote none)", 1),
    ]  # fmt: skip
    assert books.exit_code is ExitCode.FINDING


def test_without_a_replica_all_records_must_agree_on_one(tmp_path: Path) -> None:
    path = tmp_path / "replog"

    def whom(*records: Record) -> frozenset[str] | None:
        path.write_bytes(b"".join(map(write, records)))
        with closing(ReplogFile(path)) as file:
            return named([(file, {})])

    assert whom() is None
    assert whom(change("cn=a", 1, None), change("cn=b", 1, None)) == frozenset()
    assert whom(change("cn=a", 1, None, "a", "b"), change("cn=b", 1, None, "B:389", "a:0")) == {"a:389", "b:389"}
    with pytest.raises(UsageError, match="is for a:389, others are for a:389, b:389"):
        whom(change("cn=a", 1, None, "a", "b"), change("cn=a", 1, None, "a"))


def test_no_report_shows_a_password(tmp_path: Path) -> None:
    path = tmp_path / "replog"
    secret = Record("cn=a", Modify((Mod("replace", "userPassword", (b"s3cret",)),)), When(1), ("h",))
    path.write_bytes(write(secret) + b"time: 2\ndn: cn=b\nchangetype: add\nuserPassword: s3cret\n-\n\n")
    file = ReplogFile(path)
    shown = "".join(words.plan_text(dry_run([(file, {})], Settings(REPLICA))))
    file.close()
    assert "userPassword: ********" in shown
    file = ReplogFile(path)
    books = explain([(file, {})])
    file.close()
    for text in (shown, words.backlog_text(books, 5.0), words.backlog_json(books, 5.0), repr(books)):
        assert "s3cret" not in text and "czNjcmV0" not in text


def test_hostile_names_reach_no_terminal(tmp_path: Path) -> None:
    books = books_of(tmp_path, change("cn=\x1b[31mred", 1, 0, "a\x1b", error="no\x1b"))
    assert "\x1b" not in words.backlog_text(books, 5.0) + words.backlog_json(books, 5.0)


def test_entries_are_judged_one_by_one() -> None:
    from ldaprepl.domain.compare import Comparer
    from ldaprepl.domain.matching import Schema
    from ldaprepl.domain.scope import ReplicationScope
    from ldaprepl.replay import check

    class Held:
        def __init__(self, **entries: bytes) -> None:
            self.entries = {f"cn={name}": Entry(f"cn={name}", {"sn": (value,)}) for name, value in entries.items()}

        def fetch(self, dns: list[str], scope: object, attributes: object = ()) -> list[Entry | None]:
            return [self.entries.get(dn) for dn in dns]

    comparer = Comparer(Schema.EMPTY, ReplicationScope("", attrs=("*",)), lambda f: (f, []), lambda v: (v,))
    found = check(
        Held(same=b"1", other=b"1", here=b"1"), Held(same=b"1", other=b"2", there=b"1"),  # type: ignore[arg-type]
        ["cn=same", "cn=other", "cn=here", "cn=there", "cn=none", "cn=same"], comparer,
    )  # fmt: skip
    assert [one.standing for one in found] == [
        Standing.EQUAL, Standing.DIFFERS, Standing.MISSING, Standing.EXTRA, Standing.GONE,
    ]  # fmt: skip
