"""Each record once, whenever the run dies; and books that say what is open. Files and book are real, the server is not:
it must die at exact moments."""

from __future__ import annotations

import gzip
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from ldaprepl.domain.replog import Mod, Modify, Record, When
from ldaprepl.domain.replogwrite import write
from ldaprepl.errors import AlreadyRunning, GuardRefused, LdapreplError, ServerUnavailable, UsageError
from ldaprepl.replay import Run, Settings, Tools
from ldaprepl.replayports import Answer
from ldaprepl.wire.replaystate import RejectsFile, open_book
from ldaprepl.wire.replogfile import ReplogFile

REPLICA = "h:389"


class Died(BaseException):
    """The process ends here."""


class Server:
    """A consumer that counts: every record adds its number once for each time that it arrives. It refuses what is
    named bad, and the process dies (`fuse` 0) before or after something happens."""

    uri = "ldap://new"

    def __init__(self) -> None:
        self.arrived: list[int] = []
        self.fuse = -1
        self.away = 0

    def tick(self) -> None:
        self.fuse -= 1
        if self.fuse == 0:
            raise Died

    def open(self, dn: str) -> str:
        if self.away:
            self.away -= 1
            raise ServerUnavailable("gone for a moment")
        return "updatedn"

    def close(self) -> None:
        pass

    def before(self, record: Record) -> Mapping[str, list[str]]:
        self.tick()
        return {"count": [str(len(self.arrived))]}

    def apply(self, record: Record) -> Answer:
        self.tick()
        if "bad" in record.dn:
            return Answer(False, "Object class violation: no")
        self.arrived.append(record.when.seconds)
        self.tick()
        return Answer(True)

    def has(self, record: Record, before: Mapping[str, list[str]]) -> bool:
        self.tick()
        return int(before["count"][0]) < len(self.arrived)


class Still:
    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def phase(self, name: str, total: int | None = None) -> None:
        pass

    def advance(self, done: int) -> None:
        pass


def record(number: int, dn: str = "") -> bytes:
    change = Modify((Mod("increment", "uidNumber", (b"1",)),))
    return write(Record(dn or f"cn={number}", change, When(number), ("h",)))


def run(folder: Path, server: Server, *paths: Path, settings: Settings | None = None) -> Run:
    """One run over the files; the run, also when it died."""
    still = Still()
    with open_book(folder, server.uri) as book:
        rejects = RejectsFile(folder / "refused.rej")
        done = Run(server, book, rejects, Tools(still, still, lambda text: None), settings or Settings(REPLICA))
        logs = [ReplogFile(path) for path in paths]
        try:
            done.replay([(log, {}) for log in logs])
        finally:
            for log in logs:
                log.close()
        return done


class Notebook(list[int]):
    """Numbers that outlive the process that wrote them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(map(int, path.read_text().split()) if path.exists() else ())

    def append(self, number: int) -> None:
        super().append(number)
        with self.path.open("a") as file:
            file.write(f"{number}\n")


def dies(folder: Path, log: Path, fuse: int, *, interrupted: bool) -> bool:
    """One run in a process of its own that is killed, or interrupted, at that moment; whether it was."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            server = Server()
            server.arrived, server.fuse = Notebook(folder / "arrived"), fuse
            if not interrupted:
                server.tick = lambda: setattr(server, "fuse", server.fuse - 1) or server.fuse or os._exit(1)  # type: ignore[func-returns-value,method-assign]  # as SIGKILL does
            run(folder, server, log)
            code = 0
        except Died:
            code = 1
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 1)
    return code == 1


@pytest.mark.parametrize("interrupted", [True, False], ids=["interrupted", "killed"])
def test_a_run_that_dies_at_any_moment_is_gone_on_with(tmp_path: Path, interrupted: bool) -> None:
    log = tmp_path / "replog"
    log.write_bytes(b"".join(record(n, "cn=bad" if n % 3 == 0 else "") for n in range(1, 8)))
    for moment in range(1, 23):
        folder = tmp_path / str(moment)
        folder.mkdir()
        died = dies(folder, log, moment, interrupted=interrupted)
        assert died == (moment < 20), moment  # 3 moments for each of 5 records, 2 for each of 2 refused ones
        dies(folder, log, 2, interrupted=interrupted)
        dies(folder, log, 3, interrupted=interrupted)
        assert not dies(folder, log, -1, interrupted=interrupted)
        assert Notebook(folder / "arrived") == [1, 2, 4, 5, 7], moment
        assert (folder / "refused.rej").read_bytes().count(b"ERROR: ") == 2, moment
        with open_book(folder, Server.uri) as book:
            assert len(book.refused()) == 2, moment


def test_a_book_that_is_lost_between_two_flushes_is_as_before_the_first(tmp_path: Path) -> None:
    """What a power failure leaves: the last transactions may be gone, and only the record in doubt is asked for."""
    log = tmp_path / "replog"
    log.write_bytes(b"".join(map(record, range(1, 5))))
    server = Server()
    with open_book(tmp_path / "state", server.uri) as book:
        file = ReplogFile(log)
        book.enter(file.name, file.resume(book.positions()))
        items = file.items()
        first = next(items)
        book.begin(first.raw, {"count": ["0"]})
        server.apply(first.record or pytest.fail("no record"))
        copy = sqlite3.connect(book.path)  # another connection sees what is committed
        assert copy.execute("SELECT end FROM sending").fetchone() == (0,)
        copy.close()
        book.done(file.position, first.raw)
        book.begin(next(items).raw, {"count": ["1"]})
        file.close()
    assert run(tmp_path / "state", server, log).report().applied == {"modify": 4 - 1}
    assert server.arrived == [1, 2, 3, 4]


def test_the_record_in_doubt_is_asked_for_only_with_its_own_file(tmp_path: Path) -> None:
    log, other = tmp_path / "a", tmp_path / "b"
    log.write_bytes(record(1))
    other.write_bytes(record(2))
    server = Server()
    server.fuse = 2
    with pytest.raises(Died):
        run(tmp_path / "state", server, log)
    with pytest.raises(GuardRefused, match="stopped while it sent a record of"):
        run(tmp_path / "state", server, other)
    assert server.arrived == []
    run(tmp_path / "state", server, log, other)
    assert server.arrived == [1, 2]


def test_positions_hold_by_content(tmp_path: Path) -> None:
    log = tmp_path / "replog"
    server, state = Server(), tmp_path / "state"
    log.write_bytes(b"\n\n" + record(1) + record(2))
    run(state, server, log)
    log.write_bytes(log.read_bytes() + record(3))
    run(state, server, log)
    old = tmp_path / "replog.1"
    log.rename(old)
    log.write_bytes(record(4))
    run(state, server, old, log)
    packed = tmp_path / "replog.2.gz"
    packed.write_bytes(gzip.compress(old.read_bytes()[:50]) + gzip.compress(old.read_bytes()[50:]))
    run(state, server, packed, log)
    assert server.arrived == [1, 2, 3, 4]


def test_a_file_that_was_cut_at_its_head_is_refused(tmp_path: Path) -> None:
    log, server, state = tmp_path / "replog", Server(), tmp_path / "state"
    log.write_bytes(record(1) + record(2) + record(3))
    run(state, server, log)
    log.write_bytes(record(2) + record(3) + record(4))
    with pytest.raises(GuardRefused, match="dealt with before"):
        run(state, server, log)
    run(state, server, log, settings=Settings(REPLICA, again=True))
    assert server.arrived == [1, 2, 3, 2, 3, 4]


def test_the_position_belongs_to_one_replica(tmp_path: Path) -> None:
    log, server = tmp_path / "replog", Server()
    log.write_bytes(record(1))
    run(tmp_path, server, log)
    with pytest.raises(GuardRefused, match="made with the records for h:389, not for x:389"):
        run(tmp_path, server, log, settings=Settings("x:389"))


def test_two_runs_at_once_are_one_too_many(tmp_path: Path) -> None:
    with open_book(tmp_path, "ldap://new"):
        with pytest.raises(AlreadyRunning), open_book(tmp_path, "ldap://new"):
            pass
        with open_book(tmp_path, "ldap://another"):
            pass


def test_a_damaged_book_is_never_a_fresh_one(tmp_path: Path) -> None:
    with open_book(tmp_path, "ldap://new") as book:
        path = book.path
    path.write_bytes(b"rubbish" * 100)
    with pytest.raises(LdapreplError, match="cannot be read"), open_book(tmp_path, "ldap://new"):
        pass
    assert path.read_bytes().startswith(b"rubbish")


def test_follow_waits_for_a_consumer_that_is_away_and_asks_about_the_record_in_doubt(tmp_path: Path) -> None:
    log, server = tmp_path / "replog", Server()
    log.write_bytes(record(1) + record(2))

    class Once(Still):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(self.slept) == 3:
                log.write_bytes(log.read_bytes() + record(3))
            elif len(self.slept) == 5:
                raise Died

    server.away = 2
    still = Once()
    notices: list[str] = []
    file = ReplogFile(log)
    with open_book(tmp_path, server.uri) as book:
        tools = Tools(still, still, notices.append)
        done = Run(server, book, RejectsFile(tmp_path / "r"), tools, Settings(REPLICA, follow=True))
        with closing(file), pytest.raises(Died):
            done.replay([(file, {})])
    assert server.arrived == [1, 2, 3]
    assert len([text for text in notices if "trying again" in text]) == 2


def test_a_torn_rejects_file_is_completed_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "x.rej"
    rejects = RejectsFile(path)
    text = b"ERROR: no\n" + record(1)
    rejects.append(text)
    rejects.append(text)  # the same change, refused twice, is two records
    assert path.read_bytes() == text * 2
    for torn in range(1, len(text)):
        path.write_bytes(text + text[:torn])
        rejects.append(text, doubtful=True)
        assert path.read_bytes() == text * 2
    other = b"ERROR: no\n" + record(2)
    rejects.append(other, doubtful=True)
    assert path.read_bytes() == text * 2 + other
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_version_of_a_change_stops_the_run_before_it_is_sent(tmp_path: Path) -> None:
    """The log was empty, or of one mind, when it was looked at first."""
    log, server = tmp_path / "replog", Server()
    log.write_bytes(record(1) + record(2) + record(2).replace(b"replica: h", b"replica: other"))
    for known in (None, frozenset({"h:389"})):
        with pytest.raises(UsageError, match="other:389"):
            run(tmp_path / str(known), server, log, settings=Settings(None, known))
        assert server.arrived == [1, 2]
        server.arrived.clear()
    run(tmp_path / "chosen", server, log)
    assert server.arrived == [1, 2]
