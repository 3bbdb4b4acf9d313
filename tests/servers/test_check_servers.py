"""`check` and servers that are down, restarted, do not let us in, or tell something of themselves."""

from __future__ import annotations

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
    loaded,
    provider_conf,
    stamp,
    stanza,
    tree,
    until,
)
from tls import Authority

from ldaprepl.cli.main import run
from ldaprepl.wire.slapdconf import Database, SlapdConf

pytest_plugins = ("checking",)


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
    assert "lag=U;60;300;0 changes=U;" in found.out  # not 0: there was nothing to compare with


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
    until(lambda: context(consumer) == context(provider))
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
