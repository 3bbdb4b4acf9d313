"""The road of docs/migrating-from-slurpd.md, walked as it is written there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import ldap
import pytest
from conftest import SlapdFactory
from oldmaster import BASE, OldMaster

from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

pytestmark = pytest.mark.servers

PAGE = Path(__file__).parents[2] / "docs" / "migrating-from-slurpd.md"
REPLICA = f"cn=replica,{BASE}"
PATIENCE = 120.0  # seconds; only a test that fails waits so long


def commands(title: str) -> list[str]:
    """The commands of one section, each as one line."""
    section = PAGE.read_text().split(f"## {title}")[1].split("\n## ")[0]
    blocks = "\n".join(re.findall(r"```\n(.*?)```", section, re.DOTALL)).replace("\\\n", " ")
    return [line for line in blocks.splitlines() if line.startswith("ldaprepl ")]


class Road:
    """A site with the names of the page, at other places."""

    def __init__(self, folder: Path, slapd: SlapdFactory) -> None:
        self.folder = folder
        for name in ("ldap", "slurpd", "etc", "home"):
            (folder / name).mkdir()
        self.master = OldMaster(folder / "ldap" / "replog", 11)
        self.master.populate(30)
        bare = Database(BASE, rootdn=REPLICA, nosync=True)
        (folder / "etc" / "replica.pw").write_text(bare.rootpw.reveal())
        (folder / "etc" / "replica.pw").chmod(0o600)
        self.bare = SlapdConf(bare)
        self.provider_conf = SlapdConf(
            Database(BASE, REPLICA, bare.rootpw, nosync=True, lines=("overlay syncprov",)), modules=("syncprov",),
            server_id=1,
        )  # fmt: skip
        self.consumer_conf = SlapdConf(
            Database(BASE, REPLICA, bare.rootpw, nosync=True, lines=(f'updatedn "{REPLICA}"',)), modules=("syncprov",)
        )
        self.old: Slapd = slapd(self.bare)
        self.new: Slapd = slapd(self.consumer_conf)
        self.new.load(self.master.ldif())
        self.new.start()

    def old_holds_what_the_master_holds(self) -> None:
        self.old.stop()
        self.old.wipe()
        self.old.load(self.master.ldif(), write_csn=True)
        self.old.start()

    def line(self, text: str) -> str:
        for name, place in (
            ("ldap://old.example.com", self.old.ldap_uri), ("ldap://new.example.com", self.new.ldap_uri),
            ("/var/lib/", f"{self.folder}/"), ("/etc/ldaprepl", f"{self.folder}/etc"),
            ("--replica new.example.com", "--replica replica.example.com"),
            ("-o syncrepl.conf", f"-o {self.folder}/syncrepl.conf"),
        ):  # fmt: skip
            text = text.replace(name, place)
        return text

    def shell(self, text: str) -> str:
        name, _, rest = self.line(text).partition(" ")
        assert name == "ldaprepl"
        return f"{shlex.quote(sys.executable)} -m ldaprepl {rest}"

    def environment(self) -> dict[str, str]:
        return os.environ | {"XDG_STATE_HOME": str(self.folder / "home"), "HOME": str(self.folder / "home")}

    def run(self, text: str, *codes: int) -> str:
        more = (
            f" --state {self.folder}/home"
            if " sync " in text or (" replay " in text and "--explain" not in text)
            else ""
        )
        done = subprocess.run(
            self.shell(text) + more, shell=True, env=self.environment(), capture_output=True, text=True, check=False,
            timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode in codes, (text, done.returncode, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture
def road(tmp_path: Path, slapd: SlapdFactory) -> Road:
    return Road(tmp_path, slapd)


def test_the_road_is_as_it_is_described(road: Road) -> None:
    # slurpd has taken some changes and done a few of them, one was rejected, and more wait in the master's log
    road.master.churn(30)
    records = road.master.log.read_bytes().split(b"\n\n")[:-1]
    done = len(records) - 10
    numbered = [
        re.sub(rb"\ntime: (\d+)", lambda found, n=number: b"\ntime: %s.%d" % (found[1], n), record)
        for number, record in enumerate(records)
    ]
    (road.folder / "slurpd" / "slurpd.replog").write_bytes(b"".join(one + b"\n\n" for one in numbered))
    seconds, _, seq = numbered[done - 1].split(b"\ntime: ")[1].split(b"\n")[0].partition(b".")
    (road.folder / "slurpd" / "slurpd.status").write_bytes(b"replica.example.com:389:%s:%s\n" % (seconds, seq))
    # what slurpd did is done: the same changes, brought to the consumer by the same command
    first = road.folder / "first"
    first.write_bytes(b"".join(one + b"\n\n" for one in records[:done]))
    slurpd_did = f"ldaprepl replay {first} --consumer ldap://new.example.com -D {REPLICA} -y /etc/ldaprepl/replica.pw"
    assert "applied" in road.run(slurpd_did, 0)
    road.master.log.write_bytes(b"")
    road.master.churn(20)
    rejected = b"ERROR: No such object\n" + records[0].replace(b"\ndn: uid=", b"\ndn: uid=nobody-")
    (road.folder / "slurpd" / "new.example.com:389.rej").write_bytes(rejected + b"\n\n")
    road.old_holds_what_the_master_holds()

    books, both = commands("1. Read the books")
    assert "PENDING for replica.example.com:389: 30 changes" in road.run(books, 1)
    assert "REJECTED (No such object): 1" in (told := road.run(both, 0, 1))
    assert "1 on neither" in told or "STILL DIFFERENT" in told

    look, bring, follow, touched, whole = commands("2. Take slurpd's place")
    assert "# 30 changes would be sent" in road.run(look, 0)
    assert "30 changes applied" in road.run(bring, 0)
    process = subprocess.Popen(
        [*shlex.split(road.shell(follow)), "--state", str(road.folder / "home"), "-q"], env=road.environment(),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    road.master.churn(10)
    road.old_holds_what_the_master_holds()
    deadline = time.monotonic() + PATIENCE
    while subprocess.run(road.shell(whole), shell=True, capture_output=True, check=False).returncode:
        assert time.monotonic() < deadline, "follow does not keep up"
    process.send_signal(2)
    assert "10 changes applied" in process.communicate(timeout=PATIENCE)[0]
    assert "0 changes applied" in road.run(touched, 0)
    assert "EQUAL" in road.run(whole, 0)

    look, pull = commands("3. Pull")[:2]
    check = commands("3. Pull")[2]
    road.run(look, 0)
    road.run(pull, 0)
    assert "EQUAL" in road.run(check, 0)

    needs, stanza, check = commands("4. Let slapd do it")
    assert "syncprov" in road.run(needs, 0, 1)
    road.old.stop()
    road.old.configure(road.provider_conf)
    road.old.start()
    road.run(pull, 0)
    road.run(stanza, 0)
    road.new.stop()
    text = (road.folder / "syncrepl.conf").read_text()
    database = Database(BASE, REPLICA, road.consumer_conf.database.rootpw, nosync=True, lines=tuple(text.splitlines()))
    road.new.configure(SlapdConf(database, modules=("syncprov",)))
    road.new.start()
    assert "EQUAL" in road.run(check, 0)
    with_rename(road)
    assert "EQUAL" in road.run(check, 0)


def with_rename(road: Road) -> None:
    """A change on the master, over LDAP now."""
    connection = ldap.initialize(road.old.ldap_uri)
    connection.simple_bind_s(REPLICA, road.old.rootpw.reveal())
    connection.rename_s(road.master.people()[0], "uid=native")
    connection.unbind_s()
