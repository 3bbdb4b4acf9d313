"""Every keyword of the syncrepl stanza, OpenLDAP 2.2 to 2.7, as data.

Sources: slapd.conf(5) of each branch and `parse_syncrepl_line` in servers/slapd/syncrepl.c of the releases.
Keywords are matched without regard to case. What 2.2, 2.4 and later do not know they refuse; 2.3 ignores it silently.
Readers, writers, checks and the documentation take their knowledge from this table and from nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from ldaprepl.domain.version import Version


class Syntax(StrEnum):
    """What a value looks like; `syncvalues` holds the checks."""

    RID = "integer 0 to 999"
    URI = "one LDAP URI"
    DN = "DN"
    WORD = "one of a list of words"
    INTERVAL = "dd:hh:mm:ss, seconds, or 1d2h3m4s"
    RETRY = "pairs of seconds and count"
    FILTER = "RFC 4515 filter"
    LIST = "comma-separated list"
    FLAG = "no value"
    LIMIT = "number or unlimited"
    NUMBER = "number"
    KEEPALIVE = "idle:probes:interval"
    TLS_VERSION = "3.1 (TLS 1.0) to 3.4 (TLS 1.3)"
    AUTHZID = "dn:... or u:..."
    FILE = "path"
    TEXT = "text"
    SECRET = "password"


class Reach(StrEnum):
    """What a keyword acts on."""

    NAME = "the name of this consumer in its server"
    SOURCE = "the server that is copied from"
    CONTENT = "what is copied"
    TIMING = "when"
    WRITING = "how the consumer writes what it received"
    IDENTITY = "the identity at the provider, and so what can be seen"
    TRANSPORT = "the connection"
    DELTA = "delta-syncrepl"


class Standing(StrEnum):
    """How a version takes a keyword."""

    KNOWN = "known"
    IGNORED = "silently ignored"
    REFUSED = "refused as unknown"


_FIRST: Final = Version(2, 2, 0)


@dataclass(frozen=True, slots=True)
class Keyword:
    """One keyword.

    `default` is slapd's own value when the keyword is absent (empty: none). `since` is the first release and `until`
    the last branch that knows it. `words` are the values of Syntax.WORD. `only_with` names the setting without which
    it has no effect. `dispensable`: leaving it out for a version that does not know it changes comfort, never what is
    copied or how safely; all others must not be left out.
    """

    name: str
    syntax: Syntax
    reach: Reach
    default: str = ""
    since: Version = _FIRST
    until: Version | None = None
    aliases: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    required_since: Version | None = None
    required_until: Version | None = None
    only_with: str = ""
    dispensable: bool = False

    def standing(self, version: Version) -> Standing:
        """How this version takes the keyword."""
        if version >= self.since and (self.until is None or version <= self.until):
            return Standing.KNOWN
        return Standing.IGNORED if version.branch == _V23 else Standing.REFUSED

    def required(self, version: Version) -> bool:
        """Whether this version refuses a stanza without it."""
        first, last = self.required_since, self.required_until
        return first is not None and version >= first and (last is None or version <= last)


def _v(text: str) -> Version:
    return Version.parse(text)


_V22, _V23, _V24 = _v("2.2"), _v("2.3"), _v("2.4")
_R23: Final = Version(2, 3, 0)
_R24: Final = Version(2, 4, 0)
_R25: Final = Version(2, 5, 0)
_RO: Final = "type=refreshOnly"
_ACCESSLOG: Final = "syncdata"
_SASL: Final = "bindmethod=sasl"
_NEVER_DEMAND: Final = ("never", "allow", "try", "demand", "hard", "true")

_TABLE: Final = (
    Keyword("rid", Syntax.RID, Reach.NAME, aliases=("id",), required_since=_FIRST),
    Keyword("provider", Syntax.URI, Reach.SOURCE, aliases=("uri",), required_since=_FIRST),
    Keyword("searchbase", Syntax.DN, Reach.CONTENT, required_since=_R23),
    Keyword(
        "type",
        Syntax.WORD,
        Reach.TIMING,
        "refreshOnly",
        words=("refreshOnly", "refreshAndPersist", "dirSync"),
    ),
    Keyword("interval", Syntax.INTERVAL, Reach.TIMING, "01:00:00:00", only_with=_RO),
    Keyword("retry", Syntax.RETRY, Reach.TIMING, "3600 +", since=_v("2.2.15")),
    Keyword("filter", Syntax.FILTER, Reach.CONTENT, "(objectclass=*)"),
    Keyword(
        "scope",
        Syntax.WORD,
        Reach.CONTENT,
        "sub",
        words=("base", "one", "onelevel", "sub", "subtree", "subord", "subordinate", "children"),
    ),
    Keyword("attrs", Syntax.LIST, Reach.CONTENT, "*,+"),
    Keyword("exattrs", Syntax.LIST, Reach.CONTENT, since=_v("2.2.16")),
    Keyword("attrsonly", Syntax.FLAG, Reach.CONTENT),
    Keyword("sizelimit", Syntax.LIMIT, Reach.CONTENT, "unlimited"),
    Keyword("timelimit", Syntax.LIMIT, Reach.CONTENT, "unlimited"),
    Keyword("schemachecking", Syntax.WORD, Reach.WRITING, "off", words=("on", "off")),
    Keyword("manageDSAit", Syntax.WORD, Reach.CONTENT, "0", words=("0", "1"), dispensable=True),
    Keyword("updatedn", Syntax.DN, Reach.WRITING, until=_V22),
    Keyword(
        "bindmethod",
        Syntax.WORD,
        Reach.IDENTITY,
        "simple",
        words=("simple", "sasl", "none"),
        required_since=_FIRST,
        required_until=_V22,
    ),
    Keyword("binddn", Syntax.DN, Reach.IDENTITY),
    Keyword("credentials", Syntax.SECRET, Reach.IDENTITY),
    Keyword("authcid", Syntax.TEXT, Reach.IDENTITY, aliases=("bindprincipal",), only_with=_SASL),
    Keyword("authzid", Syntax.AUTHZID, Reach.IDENTITY, only_with=_SASL),
    Keyword("saslmech", Syntax.TEXT, Reach.IDENTITY, only_with=_SASL),
    Keyword("realm", Syntax.TEXT, Reach.IDENTITY, only_with=_SASL),
    Keyword("secprops", Syntax.TEXT, Reach.TRANSPORT, only_with=_SASL),
    Keyword("starttls", Syntax.WORD, Reach.TRANSPORT, "no", words=("no", "yes", "critical")),
    Keyword("tls_cert", Syntax.FILE, Reach.TRANSPORT, since=_R24),
    Keyword("tls_key", Syntax.FILE, Reach.TRANSPORT, since=_R24),
    Keyword("tls_cacert", Syntax.FILE, Reach.TRANSPORT, since=_R24),
    Keyword("tls_cacertdir", Syntax.FILE, Reach.TRANSPORT, since=_R24),
    Keyword("tls_cipher_suite", Syntax.TEXT, Reach.TRANSPORT, since=_R24),
    Keyword("tls_reqcert", Syntax.WORD, Reach.TRANSPORT, "demand", since=_R24, words=_NEVER_DEMAND),
    Keyword("tls_crlcheck", Syntax.WORD, Reach.TRANSPORT, since=_R24, words=("none", "peer", "all")),
    Keyword("tls_protocol_min", Syntax.TLS_VERSION, Reach.TRANSPORT, since=_v("2.4.14")),
    Keyword("tls_reqsan", Syntax.WORD, Reach.TRANSPORT, "allow", since=_v("2.4.52"), words=_NEVER_DEMAND),
    Keyword("tls_ecname", Syntax.TEXT, Reach.TRANSPORT, since=_v("2.4.52"), dispensable=True),
    Keyword("timeout", Syntax.NUMBER, Reach.TRANSPORT, "0", since=_R24, dispensable=True),
    Keyword("network-timeout", Syntax.NUMBER, Reach.TRANSPORT, "0", since=_R24, dispensable=True),
    Keyword("version", Syntax.WORD, Reach.TRANSPORT, "3", since=_R24, words=("3",), dispensable=True),
    Keyword("keepalive", Syntax.KEEPALIVE, Reach.TRANSPORT, "0:0:0", since=_v("2.4.22"), dispensable=True),
    Keyword("tcp-user-timeout", Syntax.NUMBER, Reach.TRANSPORT, "0", since=_v("2.5.5"), dispensable=True),
    Keyword("logbase", Syntax.DN, Reach.DELTA, since=_v("2.3.12"), only_with=_ACCESSLOG),
    Keyword("logfilter", Syntax.FILTER, Reach.DELTA, since=_v("2.3.12"), only_with=_ACCESSLOG),
    Keyword(
        "syncdata",
        Syntax.WORD,
        Reach.DELTA,
        "default",
        since=_v("2.3.8"),
        words=("default", "accesslog", "changelog"),
    ),
    Keyword("suffixmassage", Syntax.DN, Reach.CONTENT, since=_v("2.4.24")),
    Keyword("strictrefresh", Syntax.FLAG, Reach.DELTA, since=_v("2.4.26"), only_with=_ACCESSLOG, dispensable=True),
    Keyword("lazycommit", Syntax.FLAG, Reach.WRITING, since=_R25, dispensable=True),
)

KEYWORDS: Final[Mapping[str, Keyword]] = MappingProxyType({keyword.name: keyword for keyword in _TABLE})
"""All keywords by their name in the manual page, in an order that reads well in a stanza."""

ALIAS_VERSIONS: Final[Mapping[str, tuple[Version, Version | None]]] = MappingProxyType(
    {"id": (_FIRST, Version(2, 2, 2)), "uri": (_v("2.3.12"), None), "bindprincipal": (_FIRST, _V22)}
)
"""First and last version of the second names; nothing here writes them."""

_BY_ANY_NAME: Final = {name.lower(): keyword for keyword in _TABLE for name in (keyword.name, *keyword.aliases)}


def find(name: str) -> Keyword | None:
    """The keyword of that name or alias, in any case of letters."""
    return _BY_ANY_NAME.get(name.lower())
