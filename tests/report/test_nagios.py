"""The Nagios line, the Prometheus file: what parsers of others must be able to read, whatever a server says."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.health import (
    Criterion,
    Finding,
    Health,
    Policy,
    ServerHealth,
    SidHealth,
    Standing,
    Status,
    Vitals,
)
from ldaprepl.report import check as report
from ldaprepl.report import cron, nagios, prometheus, status

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CSNS = CsnSet.parse(["20261122110000.000000Z#000000#001#000000"])
# Plugin guidelines, section 2.6: 'label'=value[UOM];[warn];[crit];[min];[max]
PERFDATA = re.compile(r"(?:[^\s'=]+|'[^'=]+')=(?:U|-?\d+(?:\.\d+)?(?:s|%|B|c)?)(?:;[\d.:~@-]*){0,4}")


def server(uri: str = "ldap://c", *findings: Finding, provider: bool = False, **more: object) -> ServerHealth:
    return ServerHealth(uri, provider, not provider, **{"csns": CSNS, "findings": findings, **more})


def health(*servers: ServerHealth) -> Health:
    return Health("dc=x", NOW, servers, 0.01)


def test_one_server() -> None:
    assert nagios.render(health(server("ldap://p", provider=True), server()), Policy()) == (
        "LDAPREPL OK - ldap://c: in sync, 1 server ID | lag=0.000s;60;300;0 changes=0;;;0 time=0.010s;;;0\n"
    )


def test_what_could_not_be_measured_is_no_zero() -> None:
    down = Finding(Criterion.UNREACHABLE, Status.CRITICAL, "cannot be reached")
    line = nagios.render(health(server("ldap://c", down, csns=CsnSet())), Policy())
    assert line.startswith("LDAPREPL CRITICAL - ldap://c: cannot be reached | lag=U;60;300;0 changes=U;;;0 ")
    text = prometheus.render(health(server("ldap://c", down, csns=CsnSet())))
    assert "ldaprepl_lag_seconds" not in text
    assert 'ldaprepl_server_up{base="dc=x",server="ldap://c",role="consumer"} 0\n' in text


def test_several_servers_and_certificates() -> None:
    vitals = Vitals(certificate_end=NOW + timedelta(days=1))
    line = nagios.render(health(server("ldap://c"), server("ldapi://%2Frun%2Fx y'=", vitals=vitals)), Policy())
    found = line.partition(" | ")[2].strip()
    assert "'lag_c'" not in found
    assert "lag_c=0.000s;60;300;0" in found
    assert "'certificate_%2Frun%2Fx y__'=86400s;1209600:;259200:" in found


def test_more_alarms_than_a_line_should_hold() -> None:
    late = Finding(Criterion.LAG, Status.WARNING, "late")
    line = nagios.render(health(*(server(f"ldap://c{n}", late) for n in range(9))), Policy())
    assert "ldap://c2: late; and 6 more | " in line


@given(st.text(min_size=1), st.text())
def test_no_server_breaks_the_line(uri: str, text: str) -> None:
    finding = Finding(Criterion.REFUSED, Status.UNKNOWN, text)
    out = nagios.render(health(server(uri, finding), server("ldap://other")), Policy())
    assert out.count("\n") == 1
    assert out.count("|") == 1
    rest = out.partition(" | ")[2].strip()
    while rest:
        match = PERFDATA.match(rest)
        assert match, rest
        rest = rest[match.end() :].lstrip()


@given(st.text(), st.text())
def test_no_server_breaks_the_prometheus_file(uri: str, base: str) -> None:
    """Every line is a comment or a sample, by the text format's own grammar."""
    sid = SidHealth(1, Standing.BEHIND, CSNS[1], CSNS[1], "ldap://p", 1.5, 3)
    out = prometheus.render(Health(base, NOW, (server(uri, sids=(sid,)),), 0.01))
    sample = re.compile(r'[a-z_]+\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\} -?\d+(?:\.\d+)?')
    assert out.endswith("\n")
    for line in out[:-1].split("\n"):
        assert line.startswith(("# HELP ", "# TYPE ")) or sample.fullmatch(line), line
    assert len(re.findall("^# TYPE ", out, re.MULTILINE)) == len(re.findall("^# HELP ", out, re.MULTILINE))


@given(st.text(), st.text())
def test_no_server_draws_on_the_terminal(uri: str, text: str) -> None:
    here = health(server(uri, Finding(Criterion.REFUSED, Status.UNKNOWN, text, text), notes=(text,)))
    for out in (report.render_text(here), status.render(here), cron.render(here, None)):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out)


@pytest.mark.parametrize("verbose", [False, True])
def test_long_output_only_when_asked_for(verbose: bool) -> None:
    out = nagios.render(health(server()), Policy(), verbose=verbose)
    assert (out.count("\n") > 1) is verbose
