"""What the scenarios share: servers of any version, `ldaprepl` as users start it, and looking at what came of it.

A plugin of the modules that name it (`pytest_plugins = ["lab", "compatibility"]`). Where no Docker engine answers,
their tests are skipped with the reason; with `CI` set they fail instead. A provider holds 2,000 awkward entries and an
identity for replication, and serves all tests of its version: they change it, and leave it whole.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import ldap
import pytest
from engine import Engine, NoEngine, engine
from openldap import OpenLdap
from replication import context_of, until
from verifying import Run, environment

from ldaprepl.domain.awkward import CONF_LINES, awkward
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.sample import SUFFIX, stamped
from ldaprepl.domain.secret import Secret
from ldaprepl.wire.slapdconf import Database, SlapdConf

COUNT = 2000
ADMIN, REPLICA = f"cn=admin,{SUFFIX}", f"cn=replica,{SUFFIX}"
PASSWORD = "correct horse, battery staple"
PEOPLE = f"ou=people,{SUFFIX}"
UPDATEDN = f'updatedn "{ADMIN}"'

PATIENCE = 120.0  # seconds; only a test that fails waits so long
PROVIDER_LINES = (
    f'limits dn.exact="{REPLICA}" size=unlimited time=unlimited',
    f'access to * by dn.exact="{REPLICA}" read by anonymous auth by * none',
    "overlay syncprov",
    "syncprov-checkpoint 100 10",
    "syncprov-sessionlog 1000",
)
_WRITES = itertools.count()
ServerFactory = Callable[..., OpenLdap]


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """The engine, for the whole run."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(engine())
        except NoEngine as error:
            if os.environ.get("CI"):
                pytest.fail(f"these tests must run where CI is set: {error}")
            pytest.skip(str(error))
        yield made


@pytest.fixture(scope="session")
def playground() -> Iterator[Path]:
    """A folder for everything, with a short name: sockets live in it."""
    folder = Path(tempfile.mkdtemp(prefix="ldaprepl-docker-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _servers(docker_engine: Engine, playground: Path) -> Iterator[ServerFactory]:
    with ExitStack() as stack:

        def make(version: str, conf: SlapdConf | None = None, **options: Any) -> OpenLdap:
            folder = Path(tempfile.mkdtemp(dir=playground))
            if disk := options.pop("disk", ""):
                options["tmpfs"] = {str(folder / "db0"): f"size={disk},mode=0777"}
            server = OpenLdap(docker_engine, version, folder, conf or database(), **options)
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            stack.callback(server.close)
            return server

        yield make


@pytest.fixture
def made_in(docker_engine: Engine, playground: Path) -> Iterator[ServerFactory]:
    """A factory of servers, not yet started, that end with the test: version, configuration, `disk` (size), options."""
    yield from _servers(docker_engine, playground)


@pytest.fixture(scope="session")
def lasting_server(docker_engine: Engine, playground: Path) -> Iterator[ServerFactory]:
    """The same for servers that all tests share."""
    yield from _servers(docker_engine, playground)


@pytest.fixture(scope="session")
def provider_of(lasting_server: ServerFactory) -> Callable[[str], OpenLdap]:
    """The running provider of a version, made when first asked for."""
    made: dict[str, OpenLdap] = {}

    def give(version: str) -> OpenLdap:
        if version not in made:
            made[version] = provider(lasting_server, version)
        return made[version]

    return give


def database(
    *lines: str, modules: tuple[str, ...] = (), nosync: bool = True, top: tuple[str, ...] = (), **more: Any
) -> SlapdConf:
    """A server for the awkward sample; everybody's administrator has the same password."""
    main = Database(SUFFIX, rootpw=Secret(PASSWORD), nosync=nosync, lines=lines, **more)
    return SlapdConf(main, modules=modules, lines=(*CONF_LINES, *top))


def provider(make: ServerFactory, version: str, *, count: int = COUNT, lines: tuple[str, ...] = PROVIDER_LINES,
             entries: Iterable[Entry] | None = None, **options: Any) -> OpenLdap:  # fmt: skip
    """A running provider with `count` awkward entries (or those given), ou=people, and the replication identity."""
    made = make(version, database(*lines, modules=("syncprov",)), **options)
    first, *rest = stamped(awkward(count, suffix=SUFFIX)) if entries is None else entries
    made.load([entry_text(first), *map(entry_text, identities()), *map(entry_text, rest)], write_csn=True)
    return made.start()


def identities() -> list[Entry]:
    """The replication identity, and a unit for what tests write."""
    replica: dict[str, tuple[bytes, ...]] = {
        "objectClass": (b"organizationalRole", b"simpleSecurityObject"),
        "cn": (b"replica",),
        "userPassword": (PASSWORD.encode(),),
    }
    return [Entry(REPLICA, replica), Entry(PEOPLE, {"objectClass": (b"organizationalUnit",), "ou": (b"people",)})]


def stanza(source: OpenLdap, *words: str) -> tuple[str, ...]:
    """Database lines of a native consumer."""
    return (
        f'syncrepl rid=001 provider={source.ldap_uri} type=refreshAndPersist retry="1 +" searchbase="{SUFFIX}"'
        f' bindmethod=simple binddn="{REPLICA}" credentials="{PASSWORD}" keepalive=2:2:2 {" ".join(words)}',
    )


# --- ldaprepl


def ldaprepl(*words: str, env: dict[str, str] | None = None) -> Run:
    """Run it to its end. What holds for every run is checked here: no traceback, no password in what it says."""
    secrets = {"LDAPREPL_PASSWORD": PASSWORD, "LDAPREPL_CONSUMER_PASSWORD": PASSWORD}
    done = subprocess.run([sys.executable, "-m", "ldaprepl", *words], capture_output=True, check=False,
                          timeout=300, env=environment(secrets | (env or {})))  # fmt: skip
    run = Run(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in run.out + run.err and "a bug:" not in run.err, run.err
    assert PASSWORD not in run.err
    return run


def on(source: OpenLdap | str, *targets: OpenLdap) -> list[str]:
    """The options that name a provider and its consumers, and who binds. The network is a bridge on this machine."""
    words = ["--provider", source if isinstance(source, str) else source.ldap_uri, "-b", SUFFIX, "-D", REPLICA]
    words += [word for each in targets for word in ("--consumer", each.ldap_uri)]
    return [*words, *(["--consumer-bind-dn", ADMIN] if targets else []), "--allow-cleartext"]


def verify(source: OpenLdap, target: OpenLdap, *options: str) -> Run:
    return ldaprepl("verify", *on(source, target), "--format", "json", *options)


def assert_equal(source: OpenLdap, target: OpenLdap, least: int = COUNT, *options: str) -> None:
    done = verify(source, target, *options)
    assert done.code == 0, done.out + done.err
    assert done.report["consumers"][0]["entries"]["equal"] >= least


def check(source: OpenLdap, target: OpenLdap, *options: str) -> Run:
    return ldaprepl("check", *on(source, target), *options)


# --- servers


def admin(server: OpenLdap) -> Any:
    """A connection of the administrator."""
    connection = ldap.initialize(server.ldap_uri)
    connection.set_option(ldap.OPT_NETWORK_TIMEOUT, 60)
    connection.set_option(ldap.OPT_TIMEOUT, 120)
    connection.simple_bind_s(server.rootdn, PASSWORD)
    return connection


def write(server: OpenLdap) -> list[str]:
    """Every kind of change, on entries of the writer's own; gives the DNs that are there afterwards."""
    connection = admin(server)
    name = f"write {next(_WRITES)}"
    names = [f"cn={name} {kind},{PEOPLE}" for kind in ("kept", "changed", "moved", "gone")]
    for dn in names:
        cn = dn.split(",")[0][3:]
        connection.add_s(dn, [("objectClass", [b"inetOrgPerson"]), ("cn", [cn.encode()]), ("sn", [b"x"])])
    connection.modify_s(names[1], [(ldap.MOD_REPLACE, "description", ["geändert".encode()])])
    connection.rename_s(names[2], f"cn={name} moved on")
    connection.delete_s(names[3])
    connection.unbind_s()
    return [*names[:2], f"cn={name} moved on,{PEOPLE}"]


def context(server: OpenLdap) -> list[bytes]:
    """Its contextCSN; empty where there is none."""
    return context_of(admin(server))


def converged(source: OpenLdap, target: OpenLdap, patience: float = PATIENCE) -> None:
    """Wait until the consumer has the provider's contextCSN."""
    wanted = context(source)
    until(lambda: bool(wanted) and set(wanted) <= set(context(target)), patience, target.log_tail)
