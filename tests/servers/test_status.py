"""`status` on real servers: the table, its exit codes, the stanzas of a live consumer, and --watch on a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from conftest import SlapdFactory
from replication import PATIENCE, SUFFIX, add, context, provider_conf, stamp, stanza, tree, until

from ldaprepl.cli.main import run
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

HOUR = 3600.0


def started(server: Slapd, ldif: list[str]) -> Slapd:
    server.load(ldif)
    return server.start()


def arguments(provider: Slapd, *consumers: Slapd) -> list[str]:
    named = [word for consumer in consumers for word in ("--consumer", consumer.ldap_uri)]
    return ["status", "-b", SUFFIX, "--provider", provider.ldap_uri, *named]


def test_the_table(slapd: SlapdFactory, capsys: pytest.CaptureFixture[str]) -> None:
    """Every kind of cell, one server each."""
    change, other = stamp(600), stamp(HOUR, 0x00B)
    provider = started(slapd(provider_conf()), tree({"x": change}, [change, other]))
    same = started(slapd(), tree({"x": change}, [change, other]))
    behind = started(slapd(), tree({}, [stamp(HOUR), other]))
    ahead = started(slapd(), tree({}, [stamp(300), other]))
    extra = started(slapd(), tree({}, [change, other, stamp(60, 0xA01)]))
    gone = slapd()
    assert run(arguments(provider, same, behind, ahead, extra, gone)) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["001", "00b", "a01"]
    cells = {line.split("  ")[0]: re.split(r"\s{2,}", line)[1:] for line in lines[4:10]}
    assert cells == {
        f"provider {provider.ldap_uri}": ["=", "=", "none"],
        f"consumer {same.ldap_uri}": ["=", "=", "none"],
        f"consumer {behind.ldap_uri}": ["1 behind, 10 min", "=", "none"],
        f"consumer {ahead.ldap_uri}": ["ahead 5 min", "=", "none"],
        f"consumer {extra.ldap_uri}": ["=", "=", cells[f"consumer {extra.ldap_uri}"][2]],
        f"consumer {gone.ldap_uri}": ["?", "?", "?"],
    }
    assert cells[f"consumer {extra.ldap_uri}"][2].startswith("extra 2")
    assert f"CRITICAL: {gone.ldap_uri}: cannot be reached (Connection refused)" in lines


def test_exit_codes(slapd: SlapdFactory, capsys: pytest.CaptureFixture[str]) -> None:
    change = stamp(600)
    provider = started(slapd(provider_conf()), tree({"x": change}, [change]))
    same = started(slapd(), tree({"x": change}, [change]))
    behind = started(slapd(), tree({}, [stamp(HOUR)]))
    ahead = started(slapd(), tree({}, [stamp(60)]))
    assert run(arguments(provider, same)) == 0
    assert run(arguments(provider, same, behind)) == 4
    assert run(arguments(provider, behind, ahead)) == 1
    capsys.readouterr()
    assert run([*arguments(provider, behind), "--format", "json"]) == 4
    document = json.loads(capsys.readouterr().out)
    assert (document["command"], document["consumers"][0]["sids"][0]["standing"]) == ("status", "behind")


def test_the_stanza_of_a_live_consumer(slapd: SlapdFactory, capsys: pytest.CaptureFixture[str]) -> None:
    """Provider, identity and base come from its cn=config; the password is in nobody's command line."""
    provider = started(slapd(provider_conf()), tree({}, [stamp(HOUR)]))
    consumer = slapd(SlapdConf(Database(lines=(stanza(provider),)), live_config=True))
    consumer.convert()
    consumer.start()
    until(lambda: context(consumer) == context(provider) != [])
    for command in ("status", "check"):
        assert run([command, "--stanza", consumer.ldapi_uri, "--sasl", "EXTERNAL"]) == 0
        shown = capsys.readouterr()
        assert consumer.ldapi_uri in shown.out
        assert provider.rootpw.reveal() not in shown.out + shown.err
    assert run(["status", "--stanza", consumer.ldap_uri]) == 2
    assert "does not show cn=config to anonymous" in capsys.readouterr().err


def test_the_stanza_of_a_peer(slapd: SlapdFactory, capsys: pytest.CaptureFixture[str]) -> None:
    """A server in multi-provider mode is compared as a provider: its own writes are not extra."""
    one, two = slapd(provider_conf()), slapd(provider_conf(sid=2))
    for server, other in ((one, two), (two, one)):
        lines = (stanza(other), "multiprovider on", "overlay syncprov")
        database = replace(server.conf.database, lines=lines)
        server.configure(replace(server.conf, database=database, live_config=True))
        server.convert()
    started(one, tree({}, [stamp(HOUR)]))
    two.start()
    until(lambda: set(context(one)) <= set(context(two)))
    add(two, "own")
    until(lambda: context(one) == context(two))
    assert run(["status", "--stanza", two.ldapi_uri, "--sasl", "EXTERNAL"]) == 0
    assert capsys.readouterr().out.count("provider ldap") == 2


def test_watch_redraws_until_interrupted(slapd: SlapdFactory) -> None:
    """On a real terminal: another screen, the table again and again, the new state in it, and a clean way out."""
    first = stamp(HOUR)
    provider = started(slapd(provider_conf()), tree({}, [first]))
    consumer = started(slapd(), tree({}, [first]))
    master, terminal = pty.openpty()
    program = [sys.executable, "-m", "ldaprepl", *arguments(provider, consumer), "--watch", "--interval", "50ms"]
    process = subprocess.Popen(program, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    seen = b""

    def shows(text: bytes) -> None:
        nonlocal seen
        deadline = time.monotonic() + PATIENCE
        while text not in seen:
            assert time.monotonic() < deadline, seen
            seen += os.read(master, 65536)

    try:
        shows(b"in sync")
        add(provider, "news")
        shows(b"1 behind")
        process.send_signal(signal.SIGINT)
        shows(b"\x1b[?1049l")
        assert process.wait(PATIENCE) == 4
        assert seen.startswith(b"\x1b[?1049h")
        assert b"Traceback" not in seen
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_watch_needs_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--watch", "--provider", "ldap://a", "--consumer", "ldap://b", "-b", SUFFIX]) == 2
    assert "--watch draws on a terminal" in capsys.readouterr().err
