"""`ldaprepl init-consumer`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ldaprepl.cli import options
from ldaprepl.cli.output import emit, progress
from ldaprepl.domain.provider import Access, Method, ProviderProfile
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form
from ldaprepl.errors import ExitCode, UsageError
from ldaprepl.init_consumer import examine, plan
from ldaprepl.report.stanza import ANY_DATABASE, render_plan, render_profile
from ldaprepl.wire.endpoint import Bind, Endpoint, External, Simple
from ldaprepl.wire.probe import Probe
from ldaprepl.wire.stream import open_stream

PRIVATE = 0o600


@click.command("init-consumer")
@options.provider
@options.base
@options.identity
@options.tls
@options.scope
@click.option("--format", "format_", type=click.Choice([form.value for form in Form]), default=Form.SLAPD_CONF.value,
              show_default=True, help="slapd.conf, or LDIF for a running consumer's cn=config.")  # fmt: skip
@click.option("--rid", type=click.IntRange(0, 999), default=1, show_default=True,
              help="Number of this consumer in its server.")  # fmt: skip
@click.option("--consumer-version", metavar="2.x", default="2.4", show_default=True,
              help="Oldest OpenLDAP that must take the stanza.")  # fmt: skip
@click.option("--database", metavar="DN", default=ANY_DATABASE, show_default=True,
              help="The consumer's database in cn=config (for --format ldif).")  # fmt: skip
@click.option("--force", is_flag=True, help="Write the stanza in spite of an error found at the provider.")
@options.output
@options.quiet
def command(**given: Any) -> int:
    """Look at a provider with the consumer's identity, and write the consumer's syncrepl stanza.

    \b
    ldaprepl init-consumer --provider ldap://a.example.com -b dc=example,dc=com \\
        -D cn=replica,dc=example,dc=com -y replica.pw --cacert /etc/ssl/ca.pem -o consumer.conf

    What is found goes to standard error, the stanza to standard output or FILE.

    Exit code: 0 written, 1 something found at the provider forbids it, 3 the provider could not be asked.
    """
    version = _version(given["consumer_version"])
    endpoint = _way(options.provider_endpoint(given))
    access = access_of(endpoint)
    scope = options.replication_scope(given)
    text = render_plan(plan(access, scope, given["rid"]), Form(given["format_"]), version, given["database"])
    _check_text(text)
    profile = _examined(given, endpoint, access, scope)
    if profile.findings or not given["quiet"]:
        click.echo(render_profile(profile), err=True, nl=False)
    if not profile.usable and not given["force"]:
        click.echo("Nothing was written; --force writes it all the same.", err=True)
        return ExitCode.FINDING
    emit(text, given["output"], PRIVATE if access.password else None)
    return ExitCode.OK


def access_of(endpoint: Endpoint) -> Access:
    """How a consumer comes to the same server. Paths of TLS files are made absolute."""
    address, tls = endpoint.address, endpoint.tls
    method, dn, password, authzid = _who(endpoint.bind)
    return Access(
        uri=endpoint.uri,
        method=method,
        dn=dn,
        password=password,
        authzid=authzid,
        starttls=endpoint.starttls,
        cacert=_absolute(tls.cacert),
        cert=_absolute(tls.cert),
        key=_absolute(tls.key),
        verify=tls.verify,
        local=address.on_this_machine,
    )


def _way(endpoint: Endpoint) -> Endpoint:
    """Probe the way the consumer will go: StartTLS over every network, whether a password is sent or not."""
    address, tls = endpoint.address, endpoint.tls
    if address.scheme != "ldap" or address.on_this_machine or tls.starttls is not None or tls.allow_cleartext:
        return endpoint
    return replace(endpoint, tls=replace(tls, starttls=True))


def _who(bind: Bind) -> tuple[Method, str, Any, str]:
    match bind:
        case Simple(dn, password):
            return Method.SIMPLE, dn, password, ""
        case External(authzid):
            return Method.EXTERNAL, "", None, authzid
        case _:
            return Method.ANONYMOUS, "", None, ""


def _examined(given: options.Given, endpoint: Endpoint, access: Access, scope: ReplicationScope) -> ProviderProfile:
    bar = progress(given["quiet"])
    try:
        with open_stream(endpoint) as stream:
            return examine(Probe(stream), access, scope, bar)
    finally:
        bar.close()


def _version(text: str) -> Version:
    try:
        version = Version.parse(text)
    except ValueError:
        raise UsageError(f"--consumer-version {text!r} is not a version such as 2.4 or 2.5.13") from None
    if not Version.OLDEST <= version.branch <= Version.NEWEST:
        raise UsageError(f"OpenLDAP {text} is not one of 2.2 to 2.7", "Syncrepl came with 2.2.")
    return version


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError("the password or a DN is not UTF-8", "Convert it; the stanza is written as UTF-8.") from None


def _absolute(path: Path | None) -> str:
    return str(path.absolute()) if path else ""


__all__ = ["access_of", "command"]
