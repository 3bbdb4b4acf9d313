"""What goes wrong between and below the servers, at the worst moment.

The fears: an entry lost, an entry deleted because half an answer came, a verdict out of half an answer, a program that
hangs, a message that names another trouble than the one there is. A relay counts the bytes of the answers, so that the
trouble comes in the middle, always at the same place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import ldap
import pytest
from lab import (
    ADMIN,
    REPLICA,
    SUFFIX,
    UPDATEDN,
    ServerFactory,
    admin,
    assert_equal,
    check,
    context,
    converged,
    database,
    ldaprepl,
    provider,
    stanza,
    verify,
    write,
)
from openldap import OpenLdap
from replication import until
from verifying import Relay, Run

pytest_plugins = ["lab", "compatibility"]
pytestmark = pytest.mark.docker

EVERY = pytest.mark.parametrize("version", ["2.4", "2.5", "2.6"])
NEWEST = pytest.mark.parametrize("version", ["2.6"])
FEW = 700  # entries
PATIENCE = "5"  # seconds of silence that ldaprepl bears
MIDDLE = 400_000  # bytes into the provider's answer of some 2 MB
EARLY = 40_000  # bytes into its list of identities
SLOW = ["tc", *["qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "8mbit", "burst", "64kb", "latency", "200ms"]]
SOON = 1.5  # seconds


@pytest.fixture
def source(version: str, made_in: ServerFactory) -> OpenLdap:
    """A provider of the test's own."""
    return provider(made_in, version, count=FEW)


@pytest.fixture
def target(version: str, made_in: ServerFactory) -> OpenLdap:
    """An empty consumer of ldaprepl sync."""
    return made_in(version, database(UPDATEDN)).start()


@pytest.fixture
def sync(tmp_path: Path) -> Callable[..., Run]:
    def run(source: str, target: str, *options: str) -> Run:
        return ldaprepl("sync", "--provider", source, "--consumer", target, *WHO, "--state", str(tmp_path), *options)

    return run


WHO = ("-b", SUFFIX, "-D", REPLICA, "--consumer-bind-dn", ADMIN, "--allow-cleartext", "--timeout", PATIENCE)
Sync = Callable[..., Run]


def dns(server: OpenLdap) -> set[str]:
    """All DNs there are."""
    controls = [ldap.controls.simple.ManageDSAITControl(True)]
    with suppress(ldap.NO_SUCH_OBJECT):
        rows = admin(server).search_ext_s(SUFFIX, ldap.SCOPE_SUBTREE, attrlist=["1.1"], serverctrls=controls)
        return {dn for dn, _ in rows}
    return set()


@pytest.mark.shows("chaos, network: sync and verify go on after a short cut in the middle of the answer")
@NEWEST
def test_a_short_cut_costs_nothing(source: OpenLdap, target: OpenLdap, sync: Sync) -> None:
    def cut() -> None:
        source.cut()
        threading.Timer(SOON, source.heal).start()

    with Relay(source, MIDDLE, then=cut, goes_on=True) as relay:
        done = sync(relay.uri, target.ldap_uri, "--timeout", "60")
        assert relay.reached.is_set() and done.code == 0, done.out + done.err
    with Relay(source, MIDDLE, then=cut, goes_on=True) as relay:
        done = ldaprepl("verify", "--provider", relay.uri, "--consumer", target.ldap_uri, *WHO, "--timeout", "60")
        assert relay.reached.is_set() and done.code == 0, done.out + done.err


@pytest.mark.shows("chaos, network: a lasting cut ends in exit 3 with its reason, nothing is deleted or called missing")
@NEWEST
def test_a_lasting_cut_is_no_verdict(source: OpenLdap, target: OpenLdap, sync: Sync) -> None:
    assert sync(source.ldap_uri, target.ldap_uri).code == 0
    before = dns(target)
    write(source)
    for command in ("sync", "verify"):
        with Relay(source, EARLY if command == "sync" else MIDDLE, then=source.cut) as relay:
            options = ("--audit-every", "0", "--method", "scan") if command == "sync" else ("--format", "json")
            if command == "sync":
                done = sync(relay.uri, target.ldap_uri, *options)
            else:
                done = ldaprepl("verify", "--provider", relay.uri, "--consumer", target.ldap_uri, *WHO, *options)
                assert done.report["verdict"] == "undecided" and not done.report["consumers"][0]["findings"]
            assert relay.reached.is_set() and done.code == 3, done.out + done.err
            assert f"sent nothing for {PATIENCE}" in done.out + done.err, done.out + done.err
        assert dns(target) == before
        assert check(source, target, "--timeout", PATIENCE).code in (2, 3)
        source.heal()
        until(source.answers)
    assert sync(source.ldap_uri, target.ldap_uri).code == 0
    assert_equal(source, target, FEW)


@pytest.mark.shows("chaos, kill -9 of the provider in mid-answer: exit 3, nothing deleted, the next sync completes")
@EVERY
def test_the_provider_dies(source: OpenLdap, target: OpenLdap, sync: Sync) -> None:
    assert sync(source.ldap_uri, target.ldap_uri).code == 0
    before = dns(target)
    write(source)
    for method in ("scan", "refresh"):
        with Relay(source, EARLY if method == "scan" else 300, then=source.kill) as relay:
            done = sync(relay.uri, target.ldap_uri, "--method", method)
            assert done.code == 3 and source.address not in done.out, done.out + done.err
        assert dns(target) == before
        source.start()
    assert sync(source.ldap_uri, target.ldap_uri).code == 0
    assert_equal(source, target, FEW)


@pytest.mark.shows("chaos, kill -9 of the consumer while it is written: the next sync completes")
@EVERY
def test_the_consumer_dies(source: OpenLdap, version: str, made_in: ServerFactory, sync: Sync) -> None:
    target = made_in(version, database(UPDATEDN)).start()
    with Relay(target, 5_000, then=target.kill) as relay:
        done = sync(source.ldap_uri, relay.uri)
        assert relay.reached.is_set() and done.code == 3, done.out + done.err
        assert f"the connection to {relay.uri} broke off" in done.err or "sent nothing" in done.err, done.err
    target.start()
    assert len(dns(target)) < FEW
    with Relay(target, 10**9) as relay:
        assert sync(source.ldap_uri, relay.uri).code == 0
    assert_equal(source, target, FEW)
    assert context(target) == context(source)


@pytest.mark.shows("chaos, a server that stands still (SIGSTOP): exit 3 in time, and no harm when it wakes")
@NEWEST
def test_a_server_stands_still(source: OpenLdap, target: OpenLdap, sync: Sync) -> None:
    with Relay(source, MIDDLE, then=source.pause) as relay:
        done = sync(relay.uri, target.ldap_uri)
        assert done.code == 3 and not dns(target), done.out + done.err
    assert check(source, target, "--timeout", PATIENCE).code in (2, 3)
    source.resume()
    assert sync(source.ldap_uri, target.ldap_uri).code == 0
    target.pause()
    done = verify(source, target, "--timeout", PATIENCE)
    assert done.code == 3, done.out + done.err
    assert not done.out or not done.report["consumers"][0]["findings"]
    target.resume()
    assert_equal(source, target, FEW)


@pytest.mark.shows("chaos, full disk on the consumer: said with the server's words, completed when there is room")
@NEWEST
def test_the_disk_is_full(source: OpenLdap, version: str, made_in: ServerFactory, sync: Sync) -> None:
    target = made_in(version, database(UPDATEDN, nosync=False), disk="48m")
    filler = target.folder / "db0" / "filler"
    code, words = target.run("dd", "if=/dev/zero", f"of={filler}", "bs=1M", "count=46")
    assert code == 0, words
    target.start()
    done = sync(source.ldap_uri, target.ldap_uri)
    assert done.code in (1, 3), done.out + done.err
    assert verify(source, target).code in (1, 3, 4)
    assert target.run("rm", str(filler))[0] == 0
    target.restart()
    assert context(target) == [], "the consumer claims to hold everything"
    done = sync(source.ldap_uri, target.ldap_uri)
    assert done.code == 0, done.out + done.err
    assert_equal(source, target, FEW)


@pytest.mark.shows("chaos, slow link (tc tbf): what keeps coming is no silence")
@NEWEST
def test_a_slow_link(version: str, made_in: ServerFactory, target: OpenLdap, sync: Sync) -> None:
    source = provider(made_in, version, count=FEW, cap_add=["NET_ADMIN"])
    code, words = source.run(*SLOW, user="root")
    if code:
        pytest.skip(f"this kernel has no tbf to slow a link down: {words.strip()}")
    done = sync(source.ldap_uri, target.ldap_uri)
    assert done.code == 0, done.out + done.err
    assert_equal(source, target, FEW, "--timeout", PATIENCE)


@pytest.mark.shows("chaos, the provider's clock goes back: verify finds what native syncrepl loses, sync heals")
@EVERY
def test_the_clock_goes_back(
    source: OpenLdap, target: OpenLdap, version: str, made_in: ServerFactory, sync: Sync
) -> None:
    native = made_in(version, database(*stanza(source))).start()
    converged(source, native)
    assert sync(source.ldap_uri, target.ldap_uri).code == 0
    kept, changed, _ = write(source)
    converged(source, native)
    assert sync(source.ldap_uri, target.ldap_uri).code == 0
    source.stop()
    source.start(clock="-2h")
    connection = admin(source)
    connection.modify_s(changed, [(ldap.MOD_REPLACE, "description", [b"while the clock was wrong"])])
    connection.delete_s(kept)
    connection.unbind_s()
    source.restart()
    write(source)
    converged(source, native)
    done = verify(source, native)
    lost = {dn for _, dn, state in done.states if state == "lasting"}
    assert done.code == (1 if lost else 0), done.out
    assert lost <= {changed, kept}
    assert (changed in lost) == (admin(native).read_s(changed).get("description") != [b"while the clock was wrong"])
    done = sync(source.ldap_uri, target.ldap_uri, "--audit-every", "0")
    assert done.code == 0, done.out + done.err
    assert_equal(source, target, FEW)
