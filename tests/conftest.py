"""Real servers for tests: started here, stopped here, whatever happens in between; and nothing of whoever runs them.

Where slapd is not installed these tests are skipped, with the reason; with `CI` set they fail instead, because a
pipeline that skips them proves nothing.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tls import Authority

from ldaprepl.cli import given, ldaprc
from ldaprepl.errors import ServerUnavailable
from ldaprepl.wire import ldapconf, profilefile
from ldaprepl.wire.slapdinstall import Installation, find_installation
from ldaprepl.wire.slapdproc import Slapd

SERVERS = Path(__file__).parent / "servers"
FOR_TESTS = {"LDAPREPL_LONG", "LDAPREPL_HISTORIES", "LDAPREPL_STORM_RUNS", "LDAPREPL_SLAPD", "LDAPREPL_COMPATIBILITY"}
NUMBERS = itertools.count()
SlapdFactory = Callable[..., Slapd]


# The load of the machine is no failure. In a pipeline the examples of a test are always the same; at home they are new
# ones in every run.
settings.register_profile(
    "ours",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ours")


def pytest_configure() -> None:
    """A run in the background of a shell ignores Ctrl-C, and so would every program that it starts: what is tested
    with SIGINT must get it. Nor shall a program be strict with the libraries because the shell's programs are."""
    os.environ.pop("PYTHONWARNINGS", None)
    if sys.__stdin__ is None:  # closed (<&-), and ldap3 asks pytest's stand-in for its encoding, which asks this
        sys.__stdin__ = os.fdopen(os.open(os.devnull, os.O_RDONLY))  # type: ignore[misc]  # it has an end only
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything below that folder needs slapd: the marker cannot be forgotten."""
    for item in items:
        if SERVERS in item.path.parents:
            item.add_marker(pytest.mark.servers)


@pytest.fixture(autouse=True)
def nothing_but_what_a_test_puts_there(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """No passwords, ldap.conf, profiles or state of this machine's, and none that another test has left behind."""
    for name in os.environ.keys() - FOR_TESTS:
        if name.startswith(("LDAP", "XDG_CONFIG")):
            monkeypatch.delenv(name)
    nowhere = tmp_path_factory.getbasetemp() / "nowhere"
    if not request.node.get_closest_marker("docker"):  # Docker's own settings, and compose, may lie at home
        monkeypatch.setenv("HOME", str(nowhere))
    monkeypatch.setattr(ldapconf, "SYSTEM", (nowhere,))
    monkeypatch.setattr(profilefile, "SYSTEM", nowhere)
    state = tmp_path_factory.getbasetemp() / f"state{next(NUMBERS)}"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    monkeypatch.setattr(given, "ROOTS_STATE", state)
    monkeypatch.setattr(ldaprc, "_told", set())
    monkeypatch.setattr(given, "_asked", {})
    monkeypatch.setattr(given, "_read", {})
    ldapconf.ours.cache_clear()
    yield
    ldapconf.ours.cache_clear()


@pytest.fixture(scope="session")
def installation() -> Installation:
    """slapd on this machine."""
    try:
        return find_installation()
    except ServerUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(f"these tests must run where CI is set: {error}")
        pytest.skip(str(error))


@pytest.fixture
def slapd(installation: Installation) -> Iterator[SlapdFactory]:
    """A factory of private servers with the arguments of `Slapd`, not yet started; all end with the test."""
    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(Slapd(*args, installation=installation, **options))


@pytest.fixture(scope="module")
def slapd_module(installation: Installation) -> Iterator[SlapdFactory]:
    """The same, for servers that the tests of one module share and only read."""
    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(Slapd(*args, installation=installation, **options))


@pytest.fixture
def server(slapd: SlapdFactory) -> Slapd:
    """One running, empty server with default settings."""
    return slapd().start()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder for sockets: their names have room for a hundred bytes, and `tmp_path` may be as long."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A private CA. `slapd(SlapdConf(lines=authority.slapd_lines()), ldaps=True)` is a server with TLS."""
    return Authority.create(tmp_path_factory.mktemp("ca"))
