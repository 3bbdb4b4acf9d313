"""The keys of ldaprepl.toml: what each must be, what it means, and an example.

`profile` checks by these tables, the manual and `config new` are made of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ldaprepl.domain.mechanism import ALL as MECHANISMS
from ldaprepl.domain.scope import Scope

SERVERS: Final = "servers"
REPLICAS: Final = "replicas"


class Kind(StrEnum):
    """What a value must be; the texts are those of the manual."""

    TEXT = "text"
    SECRET = "text, secret"
    PATH = "path"
    TEXTS = "text, or list of texts"
    COMMAND = "list of texts"
    FLAG = "true or false"
    TIME = 'seconds, or text such as "5m"'
    CHOICE = "one of"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table."""

    name: str
    kind: Kind
    meaning: str
    choices: tuple[str, ...] = ()
    example: str = ""

    @property
    def command(self) -> str:
        """The only command that it is for; empty for all. Another's option of that name is another thing."""
        word, colon, _ = self.meaning.partition(": ")
        return word if colon and word.isalpha() and word.islower() else ""


SERVER_KEYS: Final = (
    Key("uri", Kind.TEXT, "ldap://, ldaps:// or ldapi:// URL; needed.", example='"ldaps://a.example.com"'),
    Key("bind_dn", Kind.TEXT, "Simple bind as this DN.", example='"cn=replica,dc=example,dc=com"'),
    Key("password_file", Kind.PATH, "File with the password (mode 0600).", example='"/etc/ldaprepl/replica.pw"'),
    Key("password_command", Kind.COMMAND, "Program that prints the password; run without a shell.",
        example='["pass", "show", "ldap/replica"]'),
    Key("password", Kind.SECRET, "The password itself; this file must then be closed to others.", example='"secret"'),
    Key("sasl", Kind.CHOICE, "SASL bind instead; bind_dn holds the name that it takes.", MECHANISMS, '"EXTERNAL"'),
    Key("authzid", Kind.TEXT, "SASL authorization identity.", example='"dn:cn=replica,dc=example,dc=com"'),
    Key("starttls", Kind.FLAG, "StartTLS; default: where a password crosses a network.", example="true"),
    Key("cacert", Kind.PATH, "CA certificates (PEM); default: ldap.conf, or the system's.",
        example='"/etc/ssl/certs/ca.pem"'),
    Key("cacertdir", Kind.PATH, "Folder of CA certificates, hashed as OpenSSL wants it.", example='"/etc/ssl/certs"'),
    Key("cert", Kind.PATH, "Client certificate (PEM).", example='"/etc/ldaprepl/client.pem"'),
    Key("key", Kind.PATH, "Its key (PEM).", example='"/etc/ldaprepl/client.key"'),
    Key("reqcert", Kind.CHOICE, "Verify the server's certificate; default: demand.", ("demand", "never"), '"demand"'),
    Key("allow_cleartext", Kind.FLAG, "Send a password without TLS.", example="false"),
    Key("timeout", Kind.TIME, "How long the server may stay silent.", example="60"),
)  # fmt: skip
REPLICA_KEYS: Final = (
    Key("provider", Kind.TEXTS, "Server (by name or URL) with the original; several are compared with each other.",
        example='"a"'),
    Key("consumers", Kind.TEXTS, "Servers with the copies; a bare URL takes the provider's identity.",
        example='["b", "c"]'),
    Key("peers", Kind.FLAG, "The consumers take writes too.", example="false"),
    Key("stanza", Kind.TEXT, "SOURCE[#RID], in place of provider, consumers and base.", example='"ldapi:///"'),
    Key("base", Kind.TEXT, "Search base on the provider; needed.", example='"dc=example,dc=com"'),
    Key("scope", Kind.CHOICE, "Search scope; default: sub.", tuple(scope.value for scope in Scope), '"sub"'),
    Key("filter", Kind.TEXT, "Only entries that match.", example='"(objectClass=*)"'),
    Key("attrs", Kind.TEXTS, "Only these attributes.", example='["*", "+"]'),
    Key("exattrs", Kind.TEXTS, "Leave these attributes out.", example='["jpegPhoto"]'),
    Key("suffixmassage", Kind.TEXT, "The base as the consumers name it.", example='"dc=copy"'),
    Key("settle", Kind.TIME, "verify: how long a consumer may take to pass the provider's contextCSN.", example="10"),
    Key("warning", Kind.TIME, "check: lag that is a WARNING.", example='"60s"'),
    Key("critical", Kind.TIME, "check: lag that is CRITICAL.", example='"5m"'),
    Key("certificate_warning", Kind.TIME, "check: time a certificate must have.", example='"14d"'),
    Key("certificate_critical", Kind.TIME, "check: the same, CRITICAL.", example='"3d"'),
    Key("skew", Kind.TIME, "check: how far clocks may differ.", example='"30s"'),
    Key("severity", Kind.TEXTS, "check: how bad a finding is, CRITERION=STATUS.", example='["extra=ok"]'),
    Key("method", Kind.CHOICE, "sync: how to read the provider.", ("auto", "refresh", "scan"), '"auto"'),
    Key("max_delete", Kind.TEXT, "sync: refuse a run that deletes more.", example='"10%"'),
    Key("state", Kind.PATH, "Folder for what is remembered between runs.", example='"/var/lib/ldaprepl"'),
)  # fmt: skip
