"""Configurations for the tests of the linter: a provider and a consumer without fault, and ways to spoil them."""

from __future__ import annotations

from ldaprepl.domain import cnconfig, slapdconf
from ldaprepl.domain.lint import Finding, run
from ldaprepl.domain.lint_source import Estate, Source
from ldaprepl.domain.lint_table import TABLE
from ldaprepl.domain.version import Version

STANZA = {
    "rid": "001",
    "provider": "ldap://p.example.com",
    "type": "refreshAndPersist",
    "retry": '"5 12 60 +"',
    "searchbase": '"dc=example,dc=com"',
    "bindmethod": "simple",
    "binddn": '"cn=replica,dc=example,dc=com"',
    "credentials": '"not to be seen"',
    "starttls": "critical",
    "tls_cacert": "/no/such/folder/ca.pem",
    "keepalive": "240:10:30",
}

HEAD = """\
include core.schema
moduleload back_mdb
moduleload syncprov
moduleload accesslog
"""

DATABASE = """\
database mdb
suffix "dc=example,dc=com"
rootdn "cn=admin,dc=example,dc=com"
directory /var/lib/ldap
maxsize 1073741824
index objectClass,entryCSN,entryUUID eq
"""

LIMITS = 'limits dn.exact="cn=replica,dc=example,dc=com" size=unlimited time=unlimited\n'

LOG = f"""\
database mdb
suffix cn=accesslog
rootdn cn=accesslog
directory /var/lib/ldap/log
maxsize 1073741824
index default eq
index entryCSN,objectClass,reqEnd,reqResult,reqStart
{LIMITS}overlay syncprov
syncprov-nopresent TRUE
syncprov-reloadhint TRUE
"""

SYNCPROV = "overlay syncprov\nsyncprov-checkpoint 100 10\nsyncprov-sessionlog 1000\n"
ACCESSLOG = "overlay accesslog\nlogdb cn=accesslog\nlogops writes\nlogsuccess TRUE\nlogpurge 07+00:00 01+00:00\n"
SCHEMA = "attributetype ( 2.5.4.4 NAME ( 'sn' 'surname' ) SUP name )\n"
DELTA = {
    "syncdata": "accesslog",
    "logbase": "cn=accesslog",
    "logfilter": '"(&(objectClass=auditWriteObject)(reqResult=0))"',
}


def stanza(changes: dict[str, str | None] | None = None) -> str:
    """The good stanza with some keywords set or (None) left out."""
    held = {**STANZA, **(changes or {})}
    return "syncrepl " + "\n  ".join(f"{name}={value}" for name, value in held.items() if value is not None) + "\n"


def consumer(changes: dict[str, str | None] | None = None, after: str = "", **options: object) -> Source:
    """A consumer with that stanza; `after` comes behind updateref."""
    return conf(HEAD + DATABASE + stanza(changes) + "updateref ldap://p.example.com\n" + after, **options)


def multi(serverid: str = "serverID 1\n", line: str = "multiprovider on\n", **options: object) -> Source:
    """A node of a multi-provider pair."""
    return conf(HEAD + serverid + DATABASE + LIMITS + stanza() + line + SYNCPROV, **options)


def provider(body: str = LIMITS + SYNCPROV, log: str = "", **options: object) -> Source:
    """A provider, with everything that comes after its database's first lines."""
    return conf(HEAD + log + DATABASE + body, **{"name": "provider.conf", **options})


def conf(text: str, name: str = "slapd.conf", openldap: str = "", **options: object) -> Source:
    """A slapd.conf. core.schema is an empty file (with SCHEMA in it: `schema=SCHEMA`)."""
    schema = str(options.pop("schema", ""))
    configuration = slapdconf.read(text, name, lambda wanted: schema if wanted == "core.schema" else None)
    return source(Source(name, configuration, {name: text}, **options), openldap)  # type: ignore[arg-type]


def ldif(text: str, name: str = "config.ldif", openldap: str = "") -> Source:
    """LDIF of cn=config."""
    return source(Source(name, cnconfig.read(text, name), {name: text}), openldap)


def source(made: Source, openldap: str) -> Source:
    """For that version; without one it is assumed to be the newest."""
    if not openldap:
        return made
    from dataclasses import replace

    return replace(made, version=Version.parse(openldap), assumed=False)


def findings(*sources: Source) -> tuple[Finding, ...]:
    """Everything that is found in them together."""
    return run(TABLE.values(), Estate(sources))


def codes(*sources: Source) -> set[str]:
    """The codes of what is found."""
    return {found.code for found in findings(*sources)}
