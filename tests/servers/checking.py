"""What the tests of `check` share: running it on servers, and pairs of servers in a known state.

A plugin of the modules that name it (`pytest_plugins`).
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from conftest import SlapdFactory
from replication import HOUR, SUFFIX, context, loaded, provider_conf, stamp, stanza, tree, until

from ldaprepl.cli.main import run
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd


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
        arguments = ["check", "-b", SUFFIX, "--recheck", "50ms", "--timeout", "60", *options]
        for server in providers:
            arguments += ["--provider", server.ldap_uri]
        for server in consumers:
            arguments += ["--consumer", server.ldap_uri]
        code = run(arguments)
        return Checked(code, *capsys.readouterr())

    return go


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
