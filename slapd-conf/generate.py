"""Write the sample configurations of this folder, as `ldaprepl init-consumer` writes them: `make samples`.

With --check nothing is written, and the exit code is 1 when a file is not what it should be; the tests do the same.
Names, paths and passwords are placeholders.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ldaprepl.domain.blueprint import Blueprint, Line
from ldaprepl.domain.consumerplan import Manner, Mode, plan
from ldaprepl.domain.provider import Access, Method
from ldaprepl.domain.providerplan import LOG_SUFFIX, ProviderNeeds, provider_server
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.serverplan import Target, consumer, mirror, written_by_sync
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form
from ldaprepl.report.blueprint import render

HERE = Path(__file__).parent
SUFFIX = "dc=example,dc=com"
REPLICA = f"cn=replica,{SUFFIX}"
REPLICA_PASSWORD, ADMIN_PASSWORD = "CHANGE-ME-replica-password", "CHANGE-ME-admin-password"
PROVIDER, PARTNER = "ldap://provider.example.com", "ldap://partner.example.com"
TLS = {"CACertificate": "/etc/ldap/tls/ca.pem", "Certificate": "/etc/ldap/tls/cert.pem",
       "CertificateKey": "/etc/ldap/tls/key.pem"}  # fmt: skip
PART = ReplicationScope(
    SUFFIX,
    filter="(|(objectClass=domain)(objectClass=organizationalUnit)(objectClass=inetOrgPerson))",
    attrs=("objectClass", "dc", "ou", "uid", "cn", "sn", "givenName", "mail", "userPassword"),
)
_FORMS = {Form.SLAPD_CONF: "conf", Form.CN_CONFIG: "ldif"}
_VERSION = Version(2, 5)


def blueprints() -> Iterator[tuple[str, Blueprint]]:
    """Name and configuration of each sample."""
    access = Access(
        PROVIDER, Method.SIMPLE, REPLICA, Secret(REPLICA_PASSWORD), starttls=True, cacert=TLS["CACertificate"]
    )
    target = Target(SUFFIX, _VERSION, whole=True, rootpw=Secret(ADMIN_PASSWORD))
    whole = ReplicationScope(SUFFIX)
    tls = tuple(Line.of(f"TLS{name}File", path) for name, path in TLS.items())
    provider = provider_server(access, ProviderNeeds(SUFFIX, delta=True))
    *log, main = provider.databases
    yield "provider", replace(provider, lines=tls, databases=(*log, replace(main, rootpw=target.rootpw)))
    for name, scope, manner in (
        ("refreshonly", whole, Manner(Mode.REFRESH_ONLY)),
        ("refreshandpersist", whole, Manner()),
        ("delta", whole, Manner(Mode.DELTA, logbase=LOG_SUFFIX)),
        ("partial", PART, Manner()),
    ):
        yield f"consumer-{name}", consumer(plan(access, scope, 1, manner), access, target)
    yield "consumer-sync", written_by_sync("", PROVIDER, access, target)
    pair = (plan(access, whole), plan(replace(access, uri=PARTNER), whole, 2))
    both = mirror(pair, access, target)
    yield "mirror", replace(both, lines=(*tls, *both.lines))


def samples() -> dict[str, str]:
    """File name to text."""
    return {
        f"{name}.{suffix}": render(blueprint, form, _VERSION, whole=True, database="")
        for name, blueprint in blueprints()
        for form, suffix in _FORMS.items()
    }


def main(arguments: list[str]) -> int:
    """Write, or check."""
    stale = [name for name, text in samples().items() if not same(HERE / name, text)]
    if "--check" in arguments:
        for name in stale:
            print(f"{name} is stale: make samples", file=sys.stderr)
        return 1 if stale else 0
    for name, text in samples().items():
        (HERE / name).write_text(text, encoding="utf-8")
    return 0


def same(file: Path, text: str) -> bool:
    """Whether the file holds the text."""
    return file.is_file() and file.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
