"""`check` in every situation that its users fear: status, exit code and line, each with real servers.

Where a state must be old or rare, servers are loaded with the stamps of that state; where replication itself is the
point, it runs.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import SlapdFactory
from replication import SUFFIX, add, context, delete, provider_conf, stamp, stanza, tree, until, with_admin
from tls import Authority

from ldaprepl.cli.main import run
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

OK, WARNING, CRITICAL, UNKNOWN = range(4)
HOUR = 3600.0


class Checked:
    """What one run of `check` said."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        self.line = out.split(" | ", maxsplit=1)[0]


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Run `ldaprepl check` on providers and consumers, as nobody unless options say otherwise."""
    monkeypatch.delenv("LDAPREPL_PASSWORD", raising=False)

    def go(providers: Sequence[Slapd], consumers: Sequence[Slapd] = (), *options: str) -> Checked:
        arguments = ["check", "-b", SUFFIX, "--recheck", "50ms", "--timeout", "5", *options]
        for server in providers:
            arguments += ["--provider", server.ldap_uri]
        for server in consumers:
            arguments += ["--consumer", server.ldap_uri]
        code = run(arguments)
        return Checked(code, *capsys.readouterr())

    return go


def loaded(server: Slapd, ldif: list[str]) -> Slapd:
    server.load(ldif)
    return server.start()


@pytest.fixture
def pair(slapd: SlapdFactory):
    """Provider and consumer with the given content; the consumer does not replicate: it stays where it is."""

    def make(ours: list[str], theirs: list[str]) -> tuple[Slapd, Slapd]:
        return loaded(slapd(provider_conf()), ours), loaded(slapd(), theirs) if theirs else slapd().start()

    return make


@pytest.fixture
def live(slapd: SlapdFactory):
    """A provider and a consumer that replicates from it, caught up."""
    provider = loaded(slapd(provider_conf()), tree({}, [stamp(HOUR)]))
    provider.restart()  # its contextCSN is stored now
    consumer = slapd(SlapdConf(Database(lines=(stanza(provider),)))).start()
    until(lambda: context(consumer) == context(provider) != [])
    return provider, consumer


# -- replication that works ------------------------------------------------------------------------------------------


def test_in_sync(live, check) -> None:
    provider, consumer = live
    found = check([provider], [consumer])
    assert (found.code, found.line) == (OK, f"LDAPREPL OK - {consumer.ldap_uri}: in sync, 1 server ID")
    assert re.fullmatch(r"lag=0\.000s;60;300;0 changes=0;;;0 time=\d\.\d{3}s;;;0\n", found.out.split(" | ")[1])


def test_one_write_after_a_long_idle_time_is_no_lag(pair, check) -> None:
    """The difference of the two stamps is two days; the change is a moment old."""
    before = stamp(48 * HOUR)
    provider, consumer = pair(tree({}, [before]), tree({}, [before]))
    add(provider, "monday")
    found = check([provider], [consumer])
    assert found.code == OK
    assert re.search(r": 1 change behind, the oldest 0\.\d s old \(server ID 001\)$", found.line)


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
        while not stop.is_set():
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
    assert f"{consumer.ldap_uri}: 3 changes behind, the oldest at least 9 h old (server IDs 001, 002)" in found.line
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


def test_a_size_limit_makes_at_least(slapd: SlapdFactory, check) -> None:
    changes = {f"n{number}": stamp(HOUR - number) for number in range(8)}
    conf = SlapdConf(Database(sizelimit="3", lines=("overlay syncprov",)), modules=("syncprov",), server_id=1)
    provider = loaded(slapd(conf), tree(changes, [changes["n7"]]))
    consumer = loaded(slapd(), tree({}, [stamp(2 * HOUR)]))
    found = check([provider], [consumer])
    assert (found.code, "3 changes behind, the oldest at least 60 min old" in found.line) == (CRITICAL, True), (
        found.line
    )


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


# -- servers that are down, restarted, or do not let us in -----------------------------------------------------------


def test_the_consumer_is_down(live, check) -> None:
    provider, consumer = live
    consumer.stop()
    found = check([provider], [consumer])
    assert (found.code, found.line) == (
        CRITICAL,
        f"LDAPREPL CRITICAL - {consumer.ldap_uri}: cannot be reached (Connection refused)",
    )


def test_the_provider_is_down(live, check) -> None:
    provider, consumer = live
    provider.stop()
    found = check([provider], [consumer])
    assert (found.code, found.line) == (
        CRITICAL,
        f"LDAPREPL CRITICAL - {provider.ldap_uri}: cannot be reached (Connection refused)",
    )
    assert "changes=0" in found.out


def test_a_frozen_server(live, check) -> None:
    provider, consumer = live
    consumer.pause()
    found = check([provider], [consumer], "--timeout", "0.3")
    assert (found.code, "sent nothing for 0.3 s" in found.line) == (CRITICAL, True)


def test_the_provider_was_restarted(live, check) -> None:
    provider, consumer = live
    provider.restart()
    assert check([provider], [consumer]).code == OK
    add(provider, "after")
    until(lambda: context(consumer) == context(provider))
    assert check([provider], [consumer]).code == OK


def test_the_provider_crashed_and_went_back(live, check) -> None:
    """After SIGKILL it comes up with the contextCSN that was stored; the consumer is ahead until the next write."""
    provider, consumer = live
    add(provider, "before")
    until(lambda: context(consumer) == context(provider))
    held = context(consumer)
    provider.kill()
    provider.start()
    assert context(provider) < held
    found = check([provider], [consumer])
    assert (found.code, "ahead of the provider in server ID 001" in found.line) == (CRITICAL, True)
    add(provider, "after")
    until(lambda: context(consumer) == context(provider), 60)
    assert check([provider], [consumer]).code == OK


def test_a_wrong_password(live, check, monkeypatch: pytest.MonkeyPatch) -> None:
    provider, consumer = live
    monkeypatch.setenv("LDAPREPL_PASSWORD", "Tr0ub4dor")
    found = check([provider], [consumer], "-D", provider.rootdn)
    assert found.code == UNKNOWN
    assert f"refused to bind {provider.rootdn} (49 invalidCredentials)" in found.line
    assert "Tr0ub4dor" not in found.out + found.err


def test_tls_with_a_wrong_name(slapd: SlapdFactory, authority: Authority, check, capsys) -> None:
    first = stamp(HOUR)
    lines = authority.slapd_lines("check-other", "DNS:other.example.com")
    provider = slapd(provider_conf(top=lines), ldaps=True)
    loaded(provider, tree({}, [first]))
    consumer = loaded(slapd(), tree({}, [first]))
    arguments = ["check", "-b", SUFFIX, "--provider", provider.ldaps_uri, "--consumer", consumer.ldap_uri]
    code = run([*arguments, "--cacert", str(authority.certificate)])
    line = capsys.readouterr().out
    assert (code, "its certificate was not accepted (IP address mismatch" in line) == (UNKNOWN, True)


def test_a_certificate_that_ends_soon(slapd: SlapdFactory, authority: Authority, check, capsys) -> None:
    first = stamp(HOUR)
    provider = slapd(provider_conf(top=authority.slapd_lines("check-soon")), ldaps=True)
    loaded(provider, tree({}, [first]))
    consumer = loaded(slapd(), tree({}, [first]))
    arguments = ["check", "-b", SUFFIX, "--provider", provider.ldaps_uri, "--consumer", consumer.ldap_uri]
    arguments += ["--cacert", str(authority.certificate)]
    assert run([*arguments, "--certificate-warning", "1d", "--certificate-critical", "1h"]) == OK
    assert "'certificate_127.0.0.1:" in capsys.readouterr().out
    assert run(arguments) == CRITICAL
    assert "its certificate ends in" in capsys.readouterr().out


def test_an_expired_certificate_is_critical(slapd: SlapdFactory, authority: Authority, capsys) -> None:
    certificate, key = authority.issue("check-expired", days=-1)
    lines = (f'TLSCertificateFile "{certificate}"', f'TLSCertificateKeyFile "{key}"')
    provider = slapd(provider_conf(top=lines), ldaps=True)
    loaded(provider, tree({}, [stamp(HOUR)]))
    arguments = ["check", "-b", SUFFIX, "--provider", provider.ldaps_uri, "--consumer", provider.ldap_uri]
    assert run([*arguments, "--cacert", str(authority.certificate)]) == CRITICAL
    assert "certificate has expired" in capsys.readouterr().out


# -- what servers tell of themselves ---------------------------------------------------------------------------------


def test_syncrepl_that_has_given_up(slapd: SlapdFactory, check, capsys) -> None:
    """2.5 and later show it in cn=monitor: contextCSN is equal, but nothing will ever arrive again."""
    first = stamp(HOUR)
    provider = loaded(slapd(provider_conf()), tree({}, [first]))
    word = stanza(provider).replace('retry="1 +"', 'retry="1 1"').replace(provider.ldap_uri, "ldap://127.0.0.1:9")
    conf = SlapdConf(Database(lines=(word,)), modules=("back_monitor",), lines=("database monitor",))
    consumer = slapd(conf)
    loaded(consumer, tree({}, [first]))
    until(lambda: check([provider], [consumer]).code == CRITICAL)
    assert "syncrepl rid=001 is not connected and will not try again" in check([provider], [consumer]).line


def test_a_clock_from_the_future(pair, check) -> None:
    later = stamp(-600)
    provider, consumer = pair(tree({}, [later]), tree({}, [later]))
    found = check([provider], [consumer])
    assert (found.code, "its clock is 9 min ahead of ours" in found.line) == (WARNING, True)


# -- the sample and the canary ---------------------------------------------------------------------------------------


def test_a_sample_of_equal_entries(live, check) -> None:
    provider, consumer = live
    for number in range(20):
        add(provider, f"n{number}")
    until(lambda: context(consumer) == context(provider))
    assert check([provider], [consumer], "--sample", "5").code == OK


def test_a_sample_finds_what_equal_stamps_hide(pair, check) -> None:
    """Same contextCSN, and on the consumer one entry too few and one too many."""
    first = stamp(HOUR)
    provider, consumer = pair(tree({"": first, "lost": first}, [first]), tree({"": first, "left": first}, [first]))
    assert check([provider], [consumer]).code == OK
    found = check([provider], [consumer], "--sample", "50")
    assert found.code == CRITICAL
    assert f"2 of 4 sampled entries are not the same: ou=left,{SUFFIX}, ou=lost,{SUFFIX}" in found.line


def test_a_sample_that_is_cut_is_no_verdict(slapd: SlapdFactory, check) -> None:
    first = stamp(HOUR)
    entries = {f"n{number}": first for number in range(9)}
    provider = loaded(slapd(provider_conf()), tree(entries, [first]))
    consumer = loaded(slapd(SlapdConf(Database(sizelimit="3"))), tree(entries, [first]))
    found = check([provider], [consumer], "--sample", "5")
    assert (found.code, "no sample: " in found.line, "size limit" in found.line) == (UNKNOWN, True, True)


@pytest.fixture
def as_admin(live, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Options to write on the provider; the consumer is read by the same DN with its own password."""
    provider, consumer = live
    monkeypatch.setenv("LDAPREPL_PASSWORD", provider.rootpw.reveal())
    monkeypatch.setenv("LDAPREPL_CONSUMER_PASSWORD", consumer.rootpw.reveal())
    return ("-D", provider.rootdn)


def test_a_canary_arrives(live, check, as_admin) -> None:
    provider, consumer = live
    add(provider, "canary")
    until(lambda: context(consumer) == context(provider))
    until(lambda: bool(ou(consumer, "canary")))
    for _ in range(2):  # an earlier canary in the entry is no obstacle
        found = check([provider], [consumer], "--canary", f"ou=canary,{SUFFIX}", *as_admin)
        assert found.code == OK
        assert re.search(r"in sync, 1 server ID, canary after \d+\.\d s$", found.line)
        assert re.search(r" canary=\d+\.\d{3}s;60;300;0 ", found.out)
    assert ou(consumer, "canary")["description"][0].startswith(b"ldaprepl canary 2")


def test_a_canary_that_does_not_arrive(pair, check, monkeypatch: pytest.MonkeyPatch) -> None:
    first = stamp(HOUR)
    provider, consumer = pair(tree({"canary": first}, [first]), tree({"canary": first}, [first]))
    monkeypatch.setenv("LDAPREPL_PASSWORD", provider.rootpw.reveal())
    monkeypatch.setenv("LDAPREPL_CONSUMER_PASSWORD", consumer.rootpw.reveal())
    options = ("--canary", f"ou=canary,{SUFFIX}", "--canary-wait", "0.1", "-D", provider.rootdn)
    found = check([provider], [consumer], *options)
    assert (found.code, "the canary has not arrived within 0.1 s" in found.line) == (CRITICAL, True)


def test_a_canary_never_touches_live_values(live, check, as_admin, monkeypatch: pytest.MonkeyPatch) -> None:
    provider, consumer = live
    add(provider, "people")
    with_admin(provider).modify_s(f"ou=people,{SUFFIX}", [(2, "description", [b"our people"])])
    until(lambda: context(consumer) == context(provider))
    found = check([provider], [consumer], "--canary", f"ou=people,{SUFFIX}", *as_admin)
    assert (found.code, "holds something else, which is left alone" in found.line) == (UNKNOWN, True)
    assert ou(provider, "people")["description"] == [b"our people"]
    found = check([provider], [consumer], "--canary", f"ou=nobody,{SUFFIX}", *as_admin)
    assert (found.code, "no canary: there is no entry" in found.line) == (UNKNOWN, True)
    monkeypatch.delenv("LDAPREPL_CONSUMER_PASSWORD")
    found = check([provider], [consumer], "--canary", SUFFIX)
    assert (found.code, "would not let anonymous change description" in found.line) == (UNKNOWN, True)


def ou(server: Slapd, name: str) -> dict[str, list[bytes]]:
    """The attributes of one entry."""
    found = with_admin(server).search_s(SUFFIX, 2, f"(ou={name})")
    return found[0][1] if found else {}


# -- forms of output -------------------------------------------------------------------------------------------------


def test_json_has_the_keys_that_programs_rely_on(pair, check) -> None:
    change = stamp(600)
    provider, consumer = pair(tree({"x": change}, [change]), tree({}, [stamp(HOUR)]))
    document = json.loads(check([provider], [consumer], "--format", "json").out)
    assert (document["schema"], document["command"], document["status"]) == (1, "check", "CRITICAL")
    [member] = document["consumers"]
    assert (member["uri"], member["status"], member["changes"]) == (consumer.ldap_uri, "CRITICAL", 1)
    assert 600 <= member["lag_seconds"] < 700
    assert member["sids"][0] | {"held": "", "lag_seconds": 0} == {
        "sid": "001", "standing": "behind", "newest": change, "held": "", "lag_seconds": 0, "changes": 1, "exact": True,
    }  # fmt: skip
    assert member["findings"][0]["criterion"] == "lag"
    assert document["providers"][0]["contextcsn"] == [change]


def test_prometheus_writes_a_whole_file(pair, check, tmp_path: Path) -> None:
    change = stamp(600)
    provider, consumer = pair(tree({"x": change}, [change]), tree({}, [stamp(HOUR)]))
    file = tmp_path / "ldaprepl.prom"
    assert check([provider], [consumer], "--format", "prometheus", "-o", str(file)).out == ""
    text = file.read_text()
    labels = f'base="{SUFFIX}",server="{consumer.ldap_uri}",role="consumer"'
    assert f"ldaprepl_lacking_changes{{{labels}}} 1\n" in text
    assert f'ldaprepl_sid_standing{{{labels},sid="001",standing="behind"}} 1\n' in text
    assert [path.name for path in tmp_path.iterdir()] == ["ldaprepl.prom"]


def test_two_runs_with_one_state_file(pair, check, tmp_path: Path) -> None:
    from ldaprepl.wire.healthstate import locked

    provider, consumer = pair(tree({}, [stamp(HOUR)]), tree({}, [stamp(HOUR)]))
    with locked(tmp_path / "state"):
        found = check([provider], [consumer], "--state", str(tmp_path / "state"))
    assert (found.code, "another check holds" in found.line) == (UNKNOWN, True)


def test_a_check_starts_light(pair) -> None:
    """What is imported for a plain check, from a process of its own. Heavy modules need a reason."""
    provider, consumer = pair(tree({}, [stamp(HOUR)]), tree({}, [stamp(HOUR)]))
    program = (
        "import sys; from ldaprepl.cli.main import run; before = set(sys.modules); code = run(sys.argv[1:]);"
        "print(*sorted(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    arguments = ["check", "-b", SUFFIX, "--provider", provider.ldap_uri, "--consumer", consumer.ldap_uri]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    modules = set(done.stderr.split())
    assert "ldaprepl.check" in modules
    names = (
        "ldap _ldap ldap3 pyasn1 sqlite3 ssl json subprocess tempfile random asyncio concurrent.futures logging email"
        " http urllib.request hashlib ldaprepl.domain.matching ldaprepl.domain.compare ldaprepl.verify ldaprepl.ports"
        " ldaprepl.wire.opening"
    )
    assert modules & set(names.split()) == set()
