"""`ldaprepl verify`."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime
from typing import Any

import click

from ldaprepl.cli import options
from ldaprepl.cli.output import check_writable, emit, progress
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.verdict import Problem, VerifyReport
from ldaprepl.errors import LdapreplError, UsageError
from ldaprepl.ports import Directory
from ldaprepl.protocol.filters import encode_filter
from ldaprepl.protocol.messages import decode_entry, decode_values
from ldaprepl.report import html, json, text
from ldaprepl.verify import Options, Tools, undecided, verify
from ldaprepl.wire.directory import LdapDirectory, Unopened
from ldaprepl.wire.endpoint import Endpoint
from ldaprepl.wire.overflow import SqliteOverflow
from ldaprepl.wire.pump import pump
from ldaprepl.wire.stream import open_stream


@click.command("verify")
@options.provider
@options.consumers
@options.base
@options.identity
@options.consumer_identity
@options.tls
@options.scope
@click.option("--settle", metavar="SECONDS", type=click.FloatRange(min=0), default=10.0, show_default=True,
              help="How long a consumer may take to pass the provider's contextCSN.")  # fmt: skip
@click.option("--bytewise", is_flag=True, help="Compare bytes, not by the provider's schema.")
@click.option("--format", "format_", type=click.Choice(["text", "json", "html"]), default="text", help="How to report.")
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True,
              help="Findings of each kind in the text report; 0: all.")  # fmt: skip
@options.output
@options.quiet
def command(**given: Any) -> int:
    """Compare every entry of a provider and its consumers.

    \b
    ldaprepl verify --provider ldap://a --consumer ldap://b -b dc=example,dc=com -D cn=replica,dc=example,dc=com -y pw
    ldaprepl verify --provider ldaps://a --consumer ldapi:/// --consumer-sasl EXTERNAL -b dc=example,dc=com --format
    json

    Exit code: 0 equal, 1 diverged, 3 could not tell, 4 only behind.
    """
    scope = options.replication_scope(given)
    check_writable(given["output"])
    encode_filter(scope.filter)  # a slip in the filter is a usage error, before any server is asked
    report = _report(given, scope)
    if given["format_"] == "json":
        emit(json.render_verify(report), given["output"])
    elif given["format_"] == "html":
        emit(html.render_verify(report, datetime.now(UTC)), given["output"])
    else:
        colour = options.colour_wanted() and given["output"] is None
        emit(text.render_verify(report, colour=colour, limit=given["limit"]), given["output"])
    return report.verdict.exit_code


def _report(given: options.Given, scope: ReplicationScope) -> VerifyReport:
    provider, consumers = options.provider_endpoint(given), options.consumer_endpoints(given)
    with contextlib.ExitStack() as opened:
        bar = progress(given["quiet"])
        opened.callback(bar.close)
        tools = Tools(pump, decode_entry, decode_values, SqliteOverflow, time, bar)
        try:
            master = _open(opened, provider)
            copies = [_open_or_not(opened, endpoint) for endpoint in consumers]
            return verify(master, copies, scope, tools, Options(given["settle"], given["bytewise"]))
        except UsageError:
            raise
        except LdapreplError as error:
            problem = Problem(error.message, error.cure)
            return undecided(scope, provider.uri, [consumer.uri for consumer in consumers], problem)


def _open_or_not(opened: contextlib.ExitStack, endpoint: Endpoint) -> Directory:
    """One consumer that cannot be opened leaves the others their verdict."""
    try:
        return _open(opened, endpoint)
    except LdapreplError as error:
        return Unopened(endpoint.uri, error)


def _open(opened: contextlib.ExitStack, endpoint: Endpoint) -> LdapDirectory:
    return LdapDirectory(opened.enter_context(open_stream(endpoint)))


__all__ = ["command"]
