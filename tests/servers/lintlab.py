"""What the tests of lint on real servers share: a small tree, a stanza for it, and lint's opinion of a slapd.conf."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ldaprepl.domain import slapdconf
from ldaprepl.domain.lint import Finding, run
from ldaprepl.domain.lint_source import Estate, Source
from ldaprepl.domain.lint_table import TABLE
from ldaprepl.domain.version import Version
from ldaprepl.wire.endpoint import Endpoint
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.stream import open_stream

SUFFIX = "dc=example,dc=com"
PATIENCE = 120.0  # seconds; only a test that fails waits so long
REPLICA = f"cn=replica,{SUFFIX}"
DATA = f"""\
dn: {SUFFIX}
objectClass: domain
dc: example

dn: {REPLICA}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: replica
userPassword: secret

dn: cn=a,{SUFFIX}
objectClass: person
cn: a
sn: a
"""
ENTRIES = 3
STANZA = {
    "type": "refreshAndPersist",
    "retry": '"1 +"',
    "searchbase": f'"{SUFFIX}"',
    "bindmethod": "simple",
    "binddn": f'"{REPLICA}"',
    "credentials": "secret",
    "keepalive": "240:10:30",
    "timeout": "5",
}


def stanza(uri: str = "ldap://127.0.0.1:9", changes: dict[str, str | None] | None = None) -> str:
    """A stanza for that provider; a keyword that is None is left out, one that is empty is a flag."""
    held = {"rid": "001", "provider": uri, **STANZA, **(changes or {})}
    words = [name if value == "" else f"{name}={value}" for name, value in held.items() if value is not None]
    return "syncrepl " + "\n  ".join(words)


def judged(text: str, **options: Any) -> dict[str, Finding]:
    """What lint says to this slapd.conf, as for the slapd here. Included schema counts as unread."""
    source = Source("slapd.conf", slapdconf.read(text, "slapd.conf"), {"slapd.conf": text})
    source = replace(source, version=Version(2, 5, 13), assumed=False, **options)
    return {found.code: found for found in run(TABLE.values(), Estate((source,)))}


def entries(server: Slapd) -> int:
    """How many entries the server shows."""
    with open_stream(Endpoint(server.ldapi_uri)) as stream:
        return len(stream.search(SUFFIX, "sub").entries)


def logged(server: Slapd, words: str, seconds: float = PATIENCE) -> bool:
    """Whether the server says these words before long."""
    return until(lambda: words in (server.folder / "slapd.log").read_text(errors="replace"), seconds)


def until(what: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Ask until the answer is yes, at most that long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.05)
    return False


def conf_of(server: Slapd) -> str:
    """Its slapd.conf."""
    return (server.folder / "slapd.conf").read_text()
