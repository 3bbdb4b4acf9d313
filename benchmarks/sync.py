"""What `sync` costs: a first fill by each way of writing, native syncrepl and slapadd beside it, then 100 changes.

python benchmarks/sync.py [ENTRIES]      default 50,000; a default, synced mdb consumer; $LDAPREPL_SLAPD picks the slapd

Everything runs on this machine in one go, so only the ratios mean anything: every time also stands as a multiple of
native syncrepl's for the same fill. Budgets: first fill at most 1.2 x (2.5), 0.3 x (2.6); 100 changes at most 3 % of a
first fill.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ldap

from ldaprepl.cli.main import run
from ldaprepl.domain import ldif
from ldaprepl.domain.sample import SUFFIX, directory, stamped
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdinstall import find_installation
from ldaprepl.wire.slapdproc import Slapd

ADMIN = f"cn=admin,{SUFFIX}"
INDEXES = ("objectClass,entryUUID,entryCSN,uid,uidNumber,gidNumber,memberUid,mail eq",)
UPDATEDN = (f'updatedn "{ADMIN}"',)
CHANGES = 100


def provider() -> SlapdConf:
    lines = ("overlay syncprov", "syncprov-sessionlog 10000")
    return SlapdConf(Database(indexes=INDEXES, lines=lines, nosync=True), modules=("syncprov",))


def consumer(lines: tuple[str, ...]) -> SlapdConf:
    return SlapdConf(Database(indexes=INDEXES, lines=lines))


def stanza(source: Slapd) -> str:
    return (
        f'syncrepl rid=001 provider={source.ldap_uri} type=refreshOnly interval=01:00:00:00 retry="1 +"'
        f' searchbase="{SUFFIX}" bindmethod=simple binddn="{ADMIN}" credentials={source.rootpw.reveal()}'
    )


def timed(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


def context_csn(server: Slapd) -> list[bytes]:
    connection = ldap.initialize(server.ldap_uri)
    connection.simple_bind_s(server.rootdn, server.rootpw.reveal())
    try:
        ((_, entry),) = connection.search_s(SUFFIX, ldap.SCOPE_BASE, attrlist=["contextCSN"])
        return sorted(entry.get("contextCSN", []))
    except ldap.NO_SUCH_OBJECT:
        return []
    finally:
        connection.unbind_s()


class Bench:
    def __init__(self, folder: Path, source: Slapd) -> None:
        self.folder, self.source = folder, source
        self.password = self._secret("provider", source)

    def _secret(self, name: str, server: Slapd) -> Path:
        file = self.folder / f"{name}.pw"
        file.write_text(server.rootpw.reveal())
        file.chmod(0o600)
        return file

    def sync(self, target: Slapd, *more: str) -> None:
        password = self._secret("consumer", target)
        arguments = [
            "sync", "--provider", self.source.ldap_uri, "--consumer", target.ldap_uri, "-b", SUFFIX, "-D", ADMIN,
            "-y", str(self.password), "--consumer-bind-dn", ADMIN, "--consumer-password-file", str(password),
            "--state", str(self.folder / f"state-{target.ldap_uri[-5:]}"), "-q", *more,
        ]  # fmt: skip
        if code := run(arguments):
            raise SystemExit(f"sync {' '.join(more)} ended with code {code}")

    def native(self) -> float:
        with Slapd(consumer((stanza(self.source),))) as target:
            wanted = context_csn(self.source)

            def fill() -> None:
                target.start()
                while context_csn(target) != wanted:
                    time.sleep(0.02)

            return timed(fill)

    def fill(self, lines: tuple[str, ...], *more: str) -> float:
        with Slapd(consumer(lines)).start() as target:
            return timed(lambda: self.sync(target, *more))

    def seed(self) -> tuple[float, float]:
        file = self.folder / "seed.ldif"
        with Slapd(consumer(UPDATEDN)) as target:
            return timed(lambda: self.sync(target, "--to-ldif", str(file))), timed(lambda: target.load(file))

    def changes(self) -> tuple[float, float]:
        """100 changes of all kinds, then a run with nothing to do."""
        with Slapd(consumer(UPDATEDN)) as target:
            target.load(self.folder / "seed.ldif")
            target.start()
            self.sync(target)
            connection = ldap.initialize(self.source.ldap_uri)
            connection.simple_bind_s(ADMIN, self.source.rootpw.reveal())
            people = connection.search_s(f"ou=people,{SUFFIX}", ldap.SCOPE_SUBTREE, "(uid=*)", ["uid"])[: CHANGES + 20]
            for number, (dn, _) in enumerate(people[:CHANGES]):
                if number % 10 == 0:
                    connection.rename_s(dn, f"uid=renamed{number}")
                elif number % 10 == 1:
                    connection.delete_s(dn)
                else:
                    connection.modify_s(dn, [(ldap.MOD_REPLACE, "title", [b"changed %d" % number])])
            return timed(lambda: self.sync(target)), timed(lambda: self.sync(target))


def main(count: int) -> None:
    version = ".".join(map(str, find_installation().version))
    with tempfile.TemporaryDirectory() as name, Slapd(provider()) as source:
        source.load(map(ldif.entry_text, stamped(directory(count))), write_csn=True)
        source.start()
        bench = Bench(Path(name), source)
        native = bench.native()
        rows = [("native syncrepl", native)]
        rows.append(("sync, updatedn", updatedn := bench.fill(UPDATEDN, "--transactions", "never")))
        rows.append(("sync, Relax", bench.fill((), "--transactions", "never")))
        rows.append(("sync, plain", bench.fill((), "--transactions", "never", "--write", "plain")))
        if find_installation().version >= (2, 6) or os.environ.get("LDAPREPL_BENCH_TRANSACTIONS"):
            rows.append(("sync, transactions", updatedn := bench.fill(UPDATEDN, "--transactions", "always")))
        read, load = bench.seed()
        rows += [("--to-ldif", read), ("slapadd -q of it", load)]
        hundred, nothing = bench.changes()
        rows += [(f"{CHANGES} changes", hundred), ("nothing to do", nothing)]
    print(f"slapd {version}, {count:,} entries, default (synced) mdb")
    for name, seconds in rows:
        print(f"{name:20} {seconds:8.2f} s {count / seconds:10,.0f}/s {seconds / native:6.2f} x native")
    print(f"{CHANGES} changes cost {hundred / updatedn:.1%} of a first fill")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
