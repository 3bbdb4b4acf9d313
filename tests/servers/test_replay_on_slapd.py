"""slurpd's place is taken: every change of an old master arrives once, in order, whatever happens meanwhile."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ldap
import pytest
from conftest import SlapdFactory
from oldmaster import BASE, REPLICA, OldMaster
from synclab import make_room
from verifying import PATIENCE, Gate

from ldaprepl.domain.syncrun import Mode
from ldaprepl.replay import explain
from ldaprepl.wire.endpoint import Endpoint, Simple
from ldaprepl.wire.replaytarget import LdapTarget
from ldaprepl.wire.replogfile import ReplogFile
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

pytestmark = pytest.mark.servers

UPDATER = f"cn=updater,{BASE}"
# A rename is logged without its stamps, and 2.2 and 2.3 give the master's entry new ones.
STAMPS = ("-x", "entryCSN", "-x", "modifyTimestamp", "-x", "modifiersName")


@dataclass
class Site:
    """An old master with its replog, and a consumer that holds what the master held when the log began."""

    master: OldMaster
    consumer: Slapd
    folder: Path
    slapd: SlapdFactory
    gate: Gate | None = None  # the way of `replay` to the consumer, if there is one

    @property
    def log(self) -> Path:
        return self.master.log

    def environment(self) -> dict[str, str]:
        return os.environ | {"LDAPREPL_PASSWORD": self.consumer.rootpw.reveal()}

    def command(self, *more: str | Path) -> list[str]:
        files = [str(word) for word in more] or [str(self.log)]
        uri = self.gate.uri if self.gate else self.consumer.ldap_uri
        return [
            sys.executable, "-m", "ldaprepl", "replay", *files, "--consumer", uri, "-D", UPDATER,
            "--state", str(self.folder / "state"), "--format", "json",
        ]  # fmt: skip

    def replay(self, *more: str | Path, code: int = 0) -> dict[str, Any]:
        done = subprocess.run(
            self.command(*more), env=self.environment(), capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def provider(self) -> Slapd:
        """A server that holds what the master holds now."""
        server = self.slapd(SlapdConf(Database(BASE, rootdn=UPDATER, rootpw=self.consumer.rootpw, nosync=True)))
        server.load(self.master.ldif())
        return server.start()

    def verify(self) -> dict[str, tuple[str, ...]]:
        """What `verify` finds: DNs by kind."""
        done = subprocess.run(
            [sys.executable, "-m", "ldaprepl", "verify", "--provider", self.provider().ldap_uri, "--consumer",
             self.consumer.ldap_uri, "-b", BASE, "-D", UPDATER, "--settle", "0", "--format", "json", *STAMPS],
            env=self.environment(), capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stderr
        (consumer,) = json.loads(done.stdout)["consumers"]
        found: dict[str, tuple[str, ...]] = {}
        for finding in consumer["findings"]:
            found[finding["kind"]] = tuple(sorted((*found.get(finding["kind"], ()), finding["dn"])))
        return found


@pytest.fixture
def site(slapd: SlapdFactory, tmp_path: Path) -> Callable[..., Site]:
    """Makes a site; the consumer lacks the DNs named, and is configured by `lines`."""

    def make(count: int = 20, seed: int = 1, without: int = 0, lines: tuple[str, ...] | None = None) -> Site:
        master = OldMaster(tmp_path / "replog", seed)
        master.log.touch()
        master.populate(count)
        updatedn = (f'updatedn "{UPDATER}"',) if lines is None else lines
        consumer = slapd(SlapdConf(Database(BASE, rootdn=UPDATER, nosync=True, lines=updatedn)))
        consumer.load(master.ldif(tuple(master.people()[:without])))
        return Site(master, consumer.start(), tmp_path, slapd)

    return make


def wait_until(done: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def reached(folder: Path) -> int:
    """How far the book says the log was applied, in bytes."""
    return in_book(folder, "SELECT coalesce(max(end), 0) FROM file")


def in_book(folder: Path, question: str, *words: str) -> int:
    """A number; 0 while there is no book or it does not say."""
    for path in (folder / "state").glob("replay-*.sqlite"):
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as base:
            row = base.execute(question, words).fetchone()
            return int(row[0]) if row else 0
    return 0


@contextmanager
def connect(server: Slapd, dn: str = UPDATER) -> Iterator[Any]:
    """As the updater."""
    connection = ldap.initialize(server.ldap_uri)
    connection.simple_bind_s(dn, server.rootpw.reveal())
    try:
        yield connection
    finally:
        connection.unbind_s()


def add_on_consumer(here: Site, dn: str) -> None:
    """An entry of its own where the master's shall come."""
    with connect(here.consumer) as connection:
        number = dn[4:].partition(",")[0].encode()
        values = {
            "cn": b"x",
            "sn": b"Other",
            "uid": number,
            "uidNumber": b"1",
            "gidNumber": b"1",
            "homeDirectory": b"/",
        }
        classes = [("objectClass", [b"inetOrgPerson", b"posixAccount"])]
        connection.add_s(dn, classes + [(name, [value]) for name, value in values.items()])


def test_thousands_of_changes_with_kills_and_refusals(site: Callable[..., Site]) -> None:
    here = site(60, seed=7, without=1)
    lost = here.master.people()[0]
    clash = here.master.add()
    add_on_consumer(here, clash)
    here.master.spared |= {lost, clash}
    for _ in range(3):
        here.master.modify(lost)
        here.master.churn(1000)
    size = here.log.stat().st_size
    marks = [size * 0.2, size * 0.5, size * 0.8]
    with Gate(here.consumer, lambda: bool(marks[:1]) and marks[:1] < [reached(here.folder)], each=20) as here.gate:
        while marks:
            process = subprocess.Popen(
                here.command(), env=here.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            assert here.gate.reached.wait(PATIENCE), process.communicate()
            process.kill()
            process.communicate()
            marks.pop(0)
            here.gate.again()
        report = here.replay(code=1)
        assert here.replay(code=1)["applied"] == 0
    refused = report["refused"] + report["earlier"]
    assert sorted((one["dn"], one["kind"], one["reason"]) for one in refused) == sorted(
        [(clash, "add", "68 entryAlreadyExists"), *[(lost, "modify", "32 noSuchObject")] * 3]
    )
    # the whole records are kept, as slurpd kept them, each once, and can be given again
    text = Path(report["rejects"]).read_bytes()
    assert text.count(b"ERROR: ") == len(refused)
    with closing(ReplogFile(Path(report["rejects"]))) as rejects:
        books = explain([(rejects, {})])
    assert {group.reason: len(group.records) for group in books.rejected} == {
        "32 noSuchObject": 3, "68 entryAlreadyExists": 1,
    }  # fmt: skip
    # and nothing else is wrong
    assert here.verify() == {"missing": (lost,), "identity": (clash,)}


def test_the_consumers_database_is_full(slapd: SlapdFactory, site: Callable[..., Site]) -> None:
    """Thousands of records would be rejected, and the later ones without the earlier ones."""
    here = site(seed=3)
    size = max(file.stat().st_blocks * 512 for file in here.consumer.folder.rglob("data.mdb"))
    updatedn = (f'updatedn "{UPDATER}"',)
    database = Database(BASE, rootdn=UPDATER, nosync=True, lines=updatedn, maxsize=size + 100_000)
    here.consumer = slapd(SlapdConf(database, live_config=True))
    here.consumer.load(here.master.ldif())
    here.consumer.start()
    for _ in range(300):
        here.master.add()
    done = subprocess.run(here.command(), env=here.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "has no room for 'uid=" in done.stderr and "olcDbMaxSize" in done.stderr
    make_room(here.consumer)
    report = here.replay()
    assert 0 < report["applied"] < 300 and not report["refused"]
    assert here.verify() == {}


def test_rotated_and_gzipped_files_may_be_given_again(site: Callable[..., Site]) -> None:
    here = site(seed=2)
    here.master.churn(40)
    assert here.replay()["applied"] == 40
    here.master.churn(10)
    packed = here.folder / "replog.1.gz"
    packed.write_bytes(gzip.compress(here.log.read_bytes()))
    here.log.unlink()
    here.master.churn(15)
    report = here.replay(packed, here.log)
    assert (report["applied"], report["refused"]) == (25, [])
    assert here.replay(packed, here.log)["applied"] == 0
    assert here.verify() == {}


def test_half_a_record_waits_and_a_broken_one_is_told(site: Callable[..., Site]) -> None:
    here = site(seed=3)
    here.master.churn(5)
    line = here.log.read_text().count("\n") + 1
    with here.log.open("ab") as log:
        log.write(f"replica: {REPLICA}\ntime: 5\ndn: uid=x,{BASE}\nchangetype: add\nuid: x\nuserPas".encode())
        log.write(f"replica: {REPLICA}\ntime: 5\ndn: uid=y,{BASE}\nchangetype: delete\n\n".encode())
    here.master.churn(5)
    whole = here.log.read_bytes()
    here.master.churn(1)
    longer = here.log.read_bytes()
    for end in (len(whole), (len(whole) + len(longer)) // 2, len(longer) - 1):
        here.log.write_bytes(longer[:end])
        report = here.replay(code=1)
        assert report["refused"] == []
        waiting = [{"file": str(here.log), "line": whole.count(b"\n") + 1}]
        assert report["unfinished"] == (waiting if end > len(whole) else [])
    (broken,) = report["earlier"]
    assert (broken["file"], broken["line"], broken["kind"]) == (str(here.log), line, "broken")
    here.log.write_bytes(longer)
    assert here.replay(code=1)["applied"] == 1
    assert here.replay(here.log, "--acknowledge")["earlier"] == []
    assert here.verify() == {}


def test_follow_keeps_up_over_rotation_and_a_consumer_that_goes_away(site: Callable[..., Site]) -> None:
    here = site(seed=4)
    process = subprocess.Popen(
        [*here.command(), "--follow"], env=here.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        here.master.churn(30)
        wait_until(lambda: reached(here.folder) == here.log.stat().st_size, "the first changes")
        here.log.rename(here.folder / "replog.1")
        here.master.churn(30)
        assert process.stderr is not None
        assert "rotated" in process.stderr.readline()
        size = here.log.stat().st_size
        wait_until(lambda: at(here.folder, here.log) == size, "the changes after the rotation")
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert json.loads(out)["applied"] == 60
    assert here.verify() == {}


def at(folder: Path, log: Path) -> int:
    """How far the file that bears this name now was applied."""
    return in_book(folder, "SELECT end FROM file WHERE path = ? ORDER BY id DESC", str(log))


def test_a_consumer_that_dies_is_gone_on_with(site: Callable[..., Site]) -> None:
    here = site(seed=5)
    here.master.churn(600)
    with Gate(here.consumer, lambda: reached(here.folder) > 20_000, each=20) as here.gate:
        process = subprocess.Popen(
            here.command(), env=here.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert here.gate.reached.wait(PATIENCE), "the first changes"
        here.consumer.kill()
        here.gate.open()
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 3, err
        first = json.loads(out)["applied"]
        here.consumer.start()
        report = here.replay()
    assert 599 <= first + report["applied"] <= 600 and report["refused"] == []
    assert here.verify() == {}


def test_a_server_that_takes_nothing_rejects_nothing(site: Callable[..., Site]) -> None:
    """Read-only, or somebody else's replica: the records are not to blame."""
    here = site(seed=6, lines=("readonly on",))
    here.master.churn(5)
    done = subprocess.run(here.command(), env=here.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert not list((here.folder / "state").glob("*.rej"))
    assert reached(here.folder) == 0


def test_the_wrong_server_is_noticed_before_anything_is_refused(site: Callable[..., Site]) -> None:
    here = site(seed=6)
    here.log.write_text("replica: h\ntime: 1\ndn: cn=a,dc=other,dc=org\nchangetype: delete\n\n")
    done = subprocess.run(here.command(), env=here.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no database for 'cn=a,dc=other,dc=org'" in done.stderr


def test_an_edited_file_is_not_applied_twice(site: Callable[..., Site]) -> None:
    here = site(seed=8)
    here.master.churn(10)
    assert here.replay()["applied"] == 10
    records = here.log.read_bytes().split(b"\n\n")
    here.log.write_bytes(b"\n\n".join(records[5:]))
    done = subprocess.run(here.command(), env=here.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "dealt with before" in done.stderr
    assert here.verify() == {}


@pytest.mark.parametrize("lines", [(), None], ids=["root", "updatedn"])
def test_explain_and_verify_after_look_at_both_servers(
    site: Callable[..., Site], lines: tuple[str, ...] | None
) -> None:
    here = site(seed=9, without=1, lines=lines)
    lost, same, gone = here.master.people()[:3]
    here.master.modify(lost)
    here.master.delete(gone)
    here.master.modify(same)
    provider = here.provider()
    both = ("--provider", provider.ldap_uri)
    books = here.replay(here.log, "--explain", *both, code=1)
    assert {one["dn"]: one["standing"] for one in books["checks"]} == {lost: "missing", same: "differs", gone: "extra"}
    report = here.replay(here.log, "--verify-after", *both, code=1)
    assert {one["dn"]: one["standing"] for one in report["checks"]} == {lost: "missing", same: "equal", gone: "gone"}
    assert [one["dn"] for one in report["refused"]] == [lost]
    # somebody brings the lost entry over by hand: then the refusal is settled
    with connect(provider) as there, connect(here.consumer) as connection:
        ((_, attributes),) = there.search_s(lost, ldap.SCOPE_BASE, attrlist=["*"])
        connection.add_s(lost, list(attributes.items()))
    # what was done is told although the other side cannot be asked what it has
    report = here.replay(here.log, "--verify-after", "--provider", "ldap://127.0.0.1:1", code=3)
    assert (report["checks"], report["applied"]) == (None, 0)
    report = here.replay(here.log, "--verify-after", *both)
    assert (report["settled"], report["earlier"], report["applied"]) == (1, [], 0)


@pytest.mark.parametrize("name", ["2.0.replog", "2.2.replog"])
@pytest.mark.parametrize("updatedn", [True, False])
def test_captured_logs_are_taken_by_a_server_of_today(
    slapd: SlapdFactory, tmp_path: Path, name: str, updatedn: bool
) -> None:
    suffix = "dc=kumicho,dc=net"
    log = Path(__file__).parents[1] / "domain" / "replogs" / name
    admin = f"cn=admin,{suffix}"
    lines = (f'updatedn "{admin}"',) if updatedn else ()
    consumer = slapd(SlapdConf(Database(suffix, rootdn=admin, nosync=True, lines=lines)))
    units = "".join(
        f"dn: ou={ou},{suffix}\nobjectClass: organizationalUnit\nou: {ou}\n\n" for ou in ("People", "Sandbox")
    )
    consumer.load([f"dn: {suffix}\nobjectClass: domain\ndc: kumicho\n\n", units])
    here = Site(OldMaster(tmp_path / "unused", 1), consumer.start(), tmp_path, slapd)
    command = [*here.command(log), "-D", admin]
    done = subprocess.run(command, env=here.environment(), capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert report["written"] == ("updatedn" if updatedn else "relax")
    assert {one["reason"] for one in report["refused"]} == {"32 noSuchObject"}  # entries that are not in the sample
    assert not any("newguy" in one["dn"] or "Guy" in one["dn"] for one in report["refused"])
    assert "plainpw" not in done.stdout + done.stderr
    if name == "2.0.replog":  # the sample of 2.2 deletes it again
        with connect(consumer, admin) as connection:
            ((_, entry),) = connection.search_s(f"uid=moved,ou=Sandbox,{suffix}", ldap.SCOPE_BASE, attrlist=["*", "+"])
        assert entry["createTimestamp"] == [b"20261122102757Z"]
        assert entry["title"] == [b"Boss"] and "userPassword" not in entry and len(entry["jpegPhoto"][0]) == 269


@pytest.mark.parametrize("mode", list(Mode))
def test_whether_a_record_arrived_can_be_told_for_every_record(site: Callable[..., Site], mode: Mode) -> None:
    """Before it is sent the answer is no, afterwards yes: that is what makes a crash harmless."""
    here = site(seed=12, lines=None if mode is Mode.UPDATEDN else ())
    here.master.churn(250)
    target = LdapTarget(Endpoint(here.consumer.ldap_uri, Simple(UPDATER, here.consumer.rootpw)), mode)
    kinds = set()
    with closing(ReplogFile(here.log)) as log, closing(target):
        for item in log.items():
            assert item.record is not None
            assert target.open(item.record.dn) == mode.value
            before = target.before(item.record)
            assert not target.has(item.record, before), item.raw
            answer = target.apply(item.record)
            assert answer.taken, (item.raw, answer)
            assert target.has(item.record, before), item.raw
            kinds.add(item.record.kind)
    assert kinds == {"add", "delete", "modify", "modrdn"}
