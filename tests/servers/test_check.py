"""`check` in every situation that its users fear: status, exit code and line, each with real servers.

Where a state must be old or rare, servers are loaded with the stamps of that state; where replication itself is the
point, it runs.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import SlapdFactory
from replication import (
    CRITICAL,
    HOUR,
    OK,
    SUFFIX,
    UNKNOWN,
    WARNING,
    add,
    context,
    delete,
    loaded,
    provider_conf,
    stamp,
    stanza,
    tree,
    until,
    with_admin,
)

from ldaprepl.cli.main import run
from ldaprepl.wire.slapdconf import Database, SlapdConf

pytest_plugins = ("checking",)


# -- replication that works ------------------------------------------------------------------------------------------


def test_in_sync(live, check) -> None:
    provider, consumer = live
    found = check([provider], [consumer])
    assert (found.code, found.line) == (OK, f"LDAPREPL OK - {consumer.ldap_uri}: in sync, 1 server ID")
    assert re.fullmatch(r"lag=0\.000s;60;300;0 changes=0;;;0 time=\d+\.\d{3}s;;;0\n", found.out.split(" | ")[1])


def test_one_write_after_a_long_idle_time_is_no_lag(pair, check) -> None:
    """The difference of the two stamps is two days; the change is a moment old."""
    before = stamp(48 * HOUR)
    provider, consumer = pair(tree({}, [before]), tree({}, [before]))
    add(provider, "monday")
    found = check([provider], [consumer])
    assert found.code == OK
    assert re.search(r": 1 change behind, the oldest \d+(\.\d)? s old \(server ID 001\)$", found.line)


def test_the_same_write_is_an_alarm_when_the_threshold_is_zero(pair, check) -> None:
    before = stamp(48 * HOUR)
    provider, consumer = pair(tree({}, [before]), tree({}, [before]))
    add(provider, "monday")
    assert check([provider], [consumer], "-w", "0", "-c", "1h").code == WARNING


@pytest.mark.parametrize("where", [f"ou=busy,{SUFFIX}", SUFFIX])
def test_a_busy_provider_is_not_behind_and_not_ahead(live, check, where: str) -> None:
    """Writes go on all the time; a check that reads one side first and the other later would see a difference.

    While a consumer applies a change to the suffix entry itself it shows no contextCSN for a moment.
    """
    provider, consumer = live
    add(provider, "busy")
    stop = threading.Event()

    def write() -> None:
        connection = with_admin(provider)
        number = 0
        while not stop.wait(0.002):  # steadily: a consumer that waits for its disk keeps up
            number += 1
            connection.modify_s(where, [(2, "description", [str(number).encode()])])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            found = check([provider], [consumer], "-w", "30")
            assert found.code == OK, found.line
    finally:
        stop.set()
        writer.join()


# -- behind ----------------------------------------------------------------------------------------------------------


def test_a_consumer_that_stopped_replicating(pair, check) -> None:
    """Not the age of the last write counts, but that of the oldest change it lacks."""
    first = stamp(3 * HOUR)
    changes = {"one": stamp(2 * HOUR), "two": stamp(HOUR), "three": stamp(10)}
    provider, consumer = pair(tree(changes, [changes["three"], stamp(9 * HOUR, 2)]), tree({}, [first]))
    found = check([provider], [consumer])
    assert found.code == CRITICAL
    said = "at least 3 changes behind, the oldest at least 9 h old (server IDs 001, 002)"
    assert f"{consumer.ldap_uri}: {said}" in found.line
    assert "lag=32" in found.out
    assert "changes=3;" in found.out


@pytest.mark.parametrize(("ago", "status"), [(30, OK), (90, WARNING), (1000, CRITICAL)])
def test_thresholds(pair, check, ago: float, status: int) -> None:
    change = stamp(ago)
    provider, consumer = pair(tree({"late": change}, [change]), tree({}, [stamp(HOUR)]))
    assert check([provider], [consumer], "-w", "1m", "-c", "5m").code == status


def test_deletes_only(pair, check) -> None:
    """No entry on the provider shows what is lacking; its newest stamp does."""
    provider, consumer = pair(tree({}, [stamp(600)]), tree({"gone": stamp(2 * HOUR)}, [stamp(HOUR)]))
    found = check([provider], [consumer])
    assert found.code == CRITICAL
    assert "behind by deletes only, for at least 10 min (server ID 001)" in found.line


@pytest.mark.parametrize("hidden", ["read", "search"])
def test_an_identity_that_may_not_see_what_is_lacking(slapd, check, hidden: str) -> None:
    """Without entryCSN no change can be found, and so nothing is said of deletes."""
    change = stamp(600)
    access = ("access to attrs=entryCSN by * " + ("search" if hidden == "read" else "none"), "access to * by * read")
    provider = loaded(slapd(provider_conf(*access)), tree({"late": change}, [change]))
    consumer = loaded(slapd(), tree({}, [stamp(HOUR)]))
    found = check([provider], [consumer])
    assert found.code == CRITICAL
    assert "behind for at least 10 min; the provider did not show what is lacking (server ID 001)" in found.line
    assert "changes=U;" in found.out


def test_a_state_file_bounds_deletes(pair, check, tmp_path: Path) -> None:
    """A second delete makes the stamp young; what was lacking before is still lacking."""
    provider, consumer = pair(
        tree({"a": stamp(2 * HOUR), "b": stamp(2 * HOUR)}, [stamp(HOUR)]), tree({}, [stamp(HOUR)])
    )
    delete(provider, "a")
    state = tmp_path / "state.json"
    assert check([provider], [consumer], "--state", str(state)).code == OK
    remembered = json.loads(state.read_text())
    [debt] = remembered["debts"]
    assert debt["csn"] == context(provider)[0].decode()
    debt["csn"] = stamp(HOUR / 2)
    state.write_text(json.dumps(remembered))
    delete(provider, "b")
    assert check([provider], [consumer]).code == OK
    found = check([provider], [consumer], "--state", str(state))
    assert found.code == CRITICAL
    assert "behind by deletes only, for at least 30 min" in found.line


def test_a_state_file_sees_through_an_entry_that_always_changes(pair, check, tmp_path: Path) -> None:
    provider, consumer = pair(tree({"busy": stamp(2 * HOUR)}, [stamp(HOUR)]), tree({}, [stamp(HOUR)]))
    state = tmp_path / "state.json"
    connection = with_admin(provider)
    connection.modify_s(f"ou=busy,{SUFFIX}", [(2, "description", [b"1"])])
    assert check([provider], [consumer], "--state", str(state)).code == OK
    first = json.loads(state.read_text())["debts"]
    connection.modify_s(f"ou=busy,{SUFFIX}", [(2, "description", [b"2"])])
    assert "1 change behind" in check([provider], [consumer], "--state", str(state)).line
    assert json.loads(state.read_text())["debts"] == first


def test_a_size_limit_makes_at_least(slapd: SlapdFactory, check, capsys: pytest.CaptureFixture[str]) -> None:
    changes = {f"n{number}": stamp(HOUR - number) for number in range(8)}
    conf = SlapdConf(Database(sizelimit="3", lines=("overlay syncprov",)), modules=("syncprov",), server_id=1)
    provider = loaded(slapd(conf), tree(changes, [changes["n7"]]))
    consumer = loaded(slapd(), tree({}, [stamp(2 * HOUR)]))
    found = check([provider], [consumer])
    said = f"{consumer.ldap_uri}: at least 3 changes behind, the oldest at least 60 min old (server ID 001)"
    assert (found.code, said in found.line) == (CRITICAL, True), found.line
    assert "lag 60 min, at least 3 changes" in check([provider], [consumer], "--format", "text").out
    run(["status", "-b", SUFFIX, "--provider", provider.ldap_uri, "--consumer", consumer.ldap_uri])
    assert "3+ behind, 60 min" in capsys.readouterr().out


# -- neither in sync nor behind --------------------------------------------------------------------------------------


def test_ahead_is_an_alarm(pair, check) -> None:
    provider, consumer = pair(tree({}, [stamp(HOUR)]), tree({"new": stamp(60)}, [stamp(60)]))
    found = check([provider], [consumer])
    assert found.code == CRITICAL
    assert "ahead of the provider in server ID 001, by 59 min" in found.line
    assert check([provider], [consumer], "--severity", "ahead=ok").code == OK


def test_an_extra_server_id(pair, check) -> None:
    first = stamp(HOUR)
    provider, consumer = pair(tree({}, [first]), tree({}, [first, stamp(60, 0xA01)]))
    found = check([provider], [consumer])
    assert (found.code, "has server ID a01, which no provider knows" in found.line) == (WARNING, True)


def test_no_contextcsn_on_the_consumer(pair, check) -> None:
    first = stamp(HOUR)
    provider, consumer = pair(tree({"a": first}, [first]), tree({"a": first}, []))
    found = check([provider], [consumer])
    assert found.code == CRITICAL
    assert f"shows no contextCSN at '{SUFFIX}' to anonymous" in found.line


def test_an_empty_consumer(pair, check) -> None:
    provider, consumer = pair(tree({}, [stamp(HOUR)]), [])
    found = check([provider], [consumer])
    assert found.code == CRITICAL
    assert f"has no entry '{SUFFIX}', or does not show it to anonymous" in found.line
    assert "lag=U;" in found.out


def test_no_contextcsn_on_the_provider(slapd: SlapdFactory, check) -> None:
    first = stamp(HOUR)
    provider, consumer = loaded(slapd(), tree({}, [])), loaded(slapd(), tree({}, [first]))
    found = check([provider], [consumer])
    assert found.code == UNKNOWN
    assert f"{provider.ldap_uri}: shows no contextCSN" in found.line


# -- several providers -----------------------------------------------------------------------------------------------


def test_two_live_providers(slapd: SlapdFactory, check) -> None:
    """Each writes; each is the other's consumer; nobody is extra or ahead."""
    one, two = slapd(provider_conf()), slapd(provider_conf(sid=2))
    for server, other in ((one, two), (two, one)):
        lines = (stanza(other), "multiprovider on", "overlay syncprov")
        server.configure(replace(server.conf, database=replace(server.conf.database, lines=lines)))
    loaded(one, tree({}, [stamp(HOUR)]))
    two.start()
    until(lambda: set(context(one)) <= set(context(two)))
    add(one, "from-one")
    add(two, "from-two")
    until(lambda: context(one) == context(two) and len(context(one)) == 2)
    found = check([one, two])
    assert (found.code, found.line) == (OK, "LDAPREPL OK - 2 servers in sync")
    for server in (one, two):
        label = server.ldap_uri.removeprefix("ldap://")
        assert f"'lag_{label}'=0.000s;60;300;0" in found.out


def test_three_providers_one_of_them_behind(slapd: SlapdFactory, check) -> None:
    change = stamp(600, 3)
    stamps = [stamp(HOUR), stamp(HOUR, 2)]
    whole, early = [*stamps, change], [*stamps, stamp(2 * HOUR, 3)]
    one = loaded(slapd(provider_conf()), tree({"x": change}, whole))
    two = loaded(slapd(provider_conf(sid=2)), tree({"x": change}, whole))
    three = loaded(slapd(provider_conf(sid=3)), tree({}, early))
    found = check([one, two, three])
    assert found.code == CRITICAL
    assert f"LDAPREPL CRITICAL - {three.ldap_uri}: 1 change behind, the oldest 10 min old (server ID 003)" == found.line


def test_with_a_provider_down_nothing_is_called_ahead(slapd: SlapdFactory, check) -> None:
    """The consumer may have its newest changes from just that one."""
    first = stamp(HOUR)
    one = loaded(slapd(provider_conf()), tree({}, [first]))
    two = slapd(provider_conf(sid=2))
    consumer = loaded(slapd(), tree({}, [first, stamp(60, 2)]))
    found = check([one, two], [consumer], "--severity", "unreachable=warning")
    assert found.code == WARNING
    assert found.line == f"LDAPREPL WARNING - {two.ldap_uri}: cannot be reached (Connection refused)"


# -- partial replicas ------------------------------------------------------------------------------------------------


def test_a_filtered_replica_is_not_behind_for_what_it_should_not_have(slapd: SlapdFactory, check) -> None:
    """2.4 and 2.5 do not pass on the stamp of a delete that the filter leaves out: the difference stays."""
    first = stamp(HOUR)
    provider = loaded(slapd(provider_conf()), tree({"wanted": first, "other": first}, [first]))
    wanted = f"(|(ou=wanted)(entryDN={SUFFIX}))"
    consumer = slapd(SlapdConf(Database(lines=(stanza(provider, f'filter="{wanted}"'),)))).start()
    until(lambda: context(consumer) == context(provider))
    delete(provider, "other")
    found = check([provider], [consumer], "--filter", wanted, "-w", "0")
    assert found.code == OK
    if context(consumer) != context(provider):
        assert check([provider], [consumer], "-w", "0").code == WARNING


def test_a_filtered_replica_that_lacks_something(pair, check) -> None:
    change = stamp(600)
    provider, consumer = pair(tree({"wanted": change}, [change]), tree({}, [stamp(HOUR)]))
    assert check([provider], [consumer], "--filter", "(ou=wanted)").code == CRITICAL
    assert check([provider], [consumer], "--filter", "(ou=other)").code == OK


def test_a_base_below_the_suffix(pair, check) -> None:
    """contextCSN stands at the suffix, and moves for changes that do not concern this base."""
    change = stamp(600)
    provider, consumer = pair(
        tree({"people": stamp(HOUR), "groups": change}, [change]), tree({"people": stamp(HOUR)}, [stamp(HOUR)])
    )
    found = check([provider], [consumer], "-b", f"ou=people,{SUFFIX}")
    assert (found.code, "nothing in its scope is lacking" in check([provider], [consumer], "-b", f"ou=people,{SUFFIX}",
                                                                  "--format", "text").out) == (OK, True)  # fmt: skip
