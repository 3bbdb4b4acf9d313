"""`check`: the sample, the canary, the forms of output, and what it imports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SlapdFactory
from replication import (
    CRITICAL,
    HOUR,
    OK,
    SUFFIX,
    UNKNOWN,
    add,
    context,
    loaded,
    provider_conf,
    stamp,
    tree,
    until,
    with_admin,
)

from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

pytest_plugins = ("checking",)


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


def test_a_sample_without_any_known_attribute_is_no_verdict(live, check) -> None:
    """Nothing would be compared, so everything be the same."""
    provider, consumer = live
    found = check([provider], [consumer], "--sample", "5", "--attrs", "descripton")
    assert (found.code, "no attribute descripton" in found.line) == (UNKNOWN, True)


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
    until(lambda: bool(ou(consumer, "canary")))
    for _ in range(2):  # an earlier canary in the entry is no obstacle
        until(lambda: context(consumer) == context(provider))  # the entry arrives a moment before the contextCSN
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
        " ldaprepl.wire.opening click dataclasses inspect stringprep"
    )
    assert modules & set(names.split()) == set()
