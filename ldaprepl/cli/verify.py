"""`ldaprepl verify`."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import click

from ldaprepl.cli import options, verify_blindness, verify_mesh, verify_repair
from ldaprepl.cli.command import Command
from ldaprepl.cli.output import check_writable, emit, progress, room
from ldaprepl.cli.pairing import Pairing, pairings
from ldaprepl.cli.verify_dumps import dumps
from ldaprepl.cli.verify_memory import Amnesia, memory, memory_of
from ldaprepl.cli.verify_repair import repair_options
from ldaprepl.domain.verdict import Problem, VerifyReport, worst
from ldaprepl.errors import LdapreplError, UsageError
from ldaprepl.ports import Directory
from ldaprepl.protocol.filters import encode_filter
from ldaprepl.protocol.messages import decode_entry, decode_values
from ldaprepl.report import text
from ldaprepl.verify import Options, Tools, undecided
from ldaprepl.wire import plain
from ldaprepl.wire.directory import LdapDirectory, Unopened
from ldaprepl.wire.endpoint import Endpoint
from ldaprepl.wire.overflow import SqliteOverflow
from ldaprepl.wire.pump import pump
from ldaprepl.wire.stream import Opener, open_stream


@click.command("verify", cls=Command)
@options.pair
@options.every_replica
@options.identity
@options.consumer_identity
@options.tls
@options.scope
@click.option("--settle", metavar="SECONDS", type=click.FloatRange(min=0), default=10.0, show_default=True,
              help="How long a consumer may take to pass the provider's contextCSN.")  # fmt: skip
@click.option("--bytewise", is_flag=True, help="Compare bytes, not by the provider's schema.")
@click.option("--format", "format_", type=click.Choice(["text", "json", "ldif", "html"]), default="text",
              help="How to report; ldif: the changes of --repair (alone: --repair ldif).")  # fmt: skip
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True,
              help="Findings of each kind in the text report; 0: all.")  # fmt: skip
@dumps
@repair_options
@memory
@verify_blindness.auditor
@verify_mesh.mesh
@options.output
@options.quiet
def command(**given: Any) -> int:
    """Compare every entry of a provider and its consumers.

    \b
    ldaprepl verify --provider ldap://a --consumer ldap://b -b dc=example,dc=com
    ldaprepl verify --provider ldaps://a --consumer ldapi:/// -b dc=example,dc=com \\
        -D cn=replica,dc=example,dc=com -y replica.pw --format json
    ldaprepl verify                  # on a consumer, as root: what its stanzas say
    ldaprepl verify --ldif provider.ldif consumer.ldif.gz         # dumps of both

    Exit code: 0 equal, 1 diverged, 3 could not tell, 4 only behind.
    """
    check_writable(given["output"])
    if given["ldif"] or given["files"]:
        from ldaprepl.cli import verify_ldif

        report = verify_ldif.compared(given)
        emit(_rendered([report], given), given["output"])
        return report.verdict.exit_code
    verify_blindness.wanted(given)
    found = _checked(pairings(given))
    verify_mesh.checked(given, found)
    verify_repair.checked(given, sum(len(pairing.consumers) for pairing in found))
    with memory_of({**given, "state": _state(found, given)}) as held:
        reports = [held.recognised(pairing, _report(pairing, given, held, alone=len(found) == 1)) for pairing in found]
        verify_repair.write_ldif(reports, given)
        if held.news():
            _say(reports, given)
        return held.kept(worst([report.verdict for report in reports]).exit_code)


def _state(found: Sequence[Pairing], given: options.Given) -> Path | None:
    """The file where this run remembers: --state, or the one in the folder that the replicas name."""
    named = {pairing.given["state"] for pairing in found if pairing.given["state"]}
    if given["state"] or not named:
        state: Path | None = given["state"]
        return state
    if len(named) > 1:
        raise UsageError("the replicas keep their state in several folders", "Name one file with --state.")
    (path,) = named
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Path(path)


def _say(reports: Sequence[VerifyReport], given: options.Given) -> None:
    if not verify_repair.is_output(given):
        emit(_rendered(reports, given), given["output"])
    elif not given["quiet"]:
        click.echo(_rendered(reports, given, sys.stderr), nl=False, err=True)


def _rendered(reports: Sequence[VerifyReport], given: options.Given, to: TextIO | None = None) -> str:
    several = len(reports) > 1
    if given["format_"] == "json":
        from ldaprepl.report import json

        return json.render_several(reports) if several else json.render_verify(reports[0])
    if given["format_"] == "html":
        from ldaprepl.report import html

        now = datetime.now(UTC)
        return html.render_several(reports, now) if several else html.render_verify(reports[0], now)
    colour = options.colour_wanted() and given["output"] is None
    width = room(text.WIDTH, to or (None if given["output"] else sys.stdout))
    first = text.headline(reports) if given["cron"] else ""
    if several:
        return first + text.render_several(reports, colour=colour, limit=given["limit"], width=width)
    return first + text.render_verify(reports[0], colour=colour, limit=given["limit"], width=width)


def _checked(found: list[Pairing]) -> list[Pairing]:
    """What is wrong with the command line is said before any server is read."""
    for pairing in found:
        if pairing.problem:
            continue
        encode_filter(pairing.scope.filter)
        if not pairing.consumers:
            raise UsageError("there is nothing to compare: no consumer is named", "Give --consumer.")
        if len(pairing.uris) != 1:
            raise UsageError("verify compares with one provider", "Run it once for each.")
    return found


def _report(pairing: Pairing, given: options.Given, held: Amnesia, *, alone: bool) -> VerifyReport:
    """One pairing from the first connection to the verdict; what cannot be asked is undecided. A slip in the options
    ends the command, one in a stanza or replica leaves the others their verdict.
    """
    consumers = [consumer.uri for consumer in pairing.consumers]
    try:
        report = _compared(pairing, given, held)
    except LdapreplError as error:
        if isinstance(error, UsageError) and alone and not pairing.problem:
            raise
        report = undecided(pairing.scope, pairing.uris[0], consumers, _problem(error))
    noted = tuple(replace(consumer, notes=pairing.notes + consumer.notes) for consumer in report.consumers)
    return replace(report, name=pairing.name, consumers=noted)


def _problem(error: LdapreplError) -> Problem:
    return Problem(error.message, error.cure)


def _compared(pairing: Pairing, given: options.Given, held: Amnesia) -> VerifyReport:
    with contextlib.ExitStack() as opened:
        bar = progress(given["quiet"])
        opened.callback(bar.close)
        tools = Tools(pump, decode_entry, decode_values, SqliteOverflow, time, bar)
        opener = plain.open_socket if given["since_last"] else None  # importing ldap3 takes longer than all the rest
        settings = Options(pairing.given["settle"], pairing.given["bytewise"])
        copies = [_open_or_not(opened, endpoint, opener) for endpoint in pairing.consumers]
        if given["mesh"]:
            peers = [_open_or_not(opened, pairing.provider, opener), *copies]
            return verify_mesh.compared(peers, pairing, tools, settings)
        master = _open(opened, pairing.provider, opener)
        report = verify_blindness.looked(held.verify(pairing, master, copies, tools, settings), pairing, given, tools)
        if any(consumer.findings for consumer in report.consumers):
            from ldaprepl.explain import explain
            from ldaprepl.wire.witness import LdapWitness, witnesses

            report = explain(report, LdapWitness(master), witnesses(copies), pairing.scope, datetime.now(UTC))
        if verify_repair.mode_of(pairing.given) is None:
            return report
        from ldaprepl.cli.mending import Repairs

        return Repairs(pairing, opened, bar).step(report, master, copies)


def _open_or_not(opened: contextlib.ExitStack, endpoint: Endpoint, opener: Opener | None) -> Directory:
    """One consumer that cannot be opened leaves the others their verdict."""
    try:
        return _open(opened, endpoint, opener)
    except LdapreplError as error:
        return Unopened(endpoint.uri, error)


def _open(opened: contextlib.ExitStack, endpoint: Endpoint, opener: Opener | None) -> LdapDirectory:
    return LdapDirectory(opened.enter_context(open_stream(endpoint, opener)))


__all__ = ["command"]
