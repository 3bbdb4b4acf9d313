"""`ldaprepl sync`."""

from __future__ import annotations

import contextlib
import gc
import random
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ldaprepl.cli import options
from ldaprepl.cli.command import Command
from ldaprepl.cli.output import emit, progress
from ldaprepl.cli.pairing import Pairing, pairings
from ldaprepl.cli.seedfile import heading, write_ldif
from ldaprepl.domain import dn as names
from ldaprepl.domain import duration
from ldaprepl.domain.change import MaxDelete
from ldaprepl.domain.plural import counted
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.syncrun import Method, Mode, Settings, SyncReport
from ldaprepl.errors import ExitCode, GuardRefused, LdapreplError, UsageError
from ldaprepl.protocol.filters import encode_filter
from ldaprepl.report import sync as report_sync
from ldaprepl.report.values import printable
from ldaprepl.seed import seed
from ldaprepl.sync import World, sync
from ldaprepl.syncports import Parties
from ldaprepl.wire.endpoint import Endpoint, parse_uri
from ldaprepl.wire.stanzasource import SourceName
from ldaprepl.wire.statefile import open_state

_BATCH = 500  # changes in a transaction: from 100 on it is 10 times faster than one by one
_JITTER = 0.1  # part of the interval


@click.command("sync", cls=Command)
@options.one_pair
@options.any_identity
@options.any_consumer_identity
@options.tls
@options.scope
@click.option(
    "--method",
    type=click.Choice([each.value for each in Method]),
    default="auto",
    show_default=True,
    help="The provider's sync service, plain searches, or whichever it has.",
)
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="What is remembered between runs; default: /var/lib/ldaprepl for root, else ~/.local/state/ldaprepl.",
)
@click.option(
    "--max-delete",
    metavar="N|P%",
    default="10%",
    show_default=True,
    help="Refuse a run that deletes more; a percentage lets a small tree lose 5, at most half.",
)
@click.option("--accept-older-provider", is_flag=True, help="Follow a provider that went back in time, once.")
@click.option(
    "--accept-new-shape",
    is_flag=True,
    help="Follow a provider whose tree is another one, once: base re-created, a branch or an attribute gone.",
)
@click.option(
    "--write",
    type=click.Choice(["auto", *(each.value for each in Mode)]),
    default="auto",
    show_default=True,
    help="How to write; default: the best that the consumer allows.",
)
@click.option(
    "--transactions",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Commit in batches; auto: no, because slapd up to 2.6 may crash or spoil its database in them.",
)
@click.option(
    "--audit-every",
    metavar="TIME",
    default="24h",
    show_default=True,
    help="Compare all identities this often, because providers lose deletes; 0: each run; never.",
)
@click.option("--dry-run", is_flag=True, help="Write the changes as LDIF instead of doing them.")
@click.option(
    "--to-ldif",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write everything as LDIF for slapadd; no consumer is needed.",
)
@click.option("--every", metavar="TIME", help="Stay and repeat (10m, 1h30m).")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to report.")
@options.output
@options.quiet
def command(**given: Any) -> int:  # fmt: skip
    """Keep a consumer exactly like its master: pull, compare, write what differs.

    \b
    ldaprepl sync --provider ldap://old --consumer ldapi:/// -b dc=example,dc=com \\
        -D cn=replica,dc=example,dc=com -y replica.pw --dry-run
    ldaprepl sync --provider ldap://old -b dc=example,dc=com --to-ldif seed.ldif

    Exit code: 0 done, 1 entries were refused or a guard stopped it, 3 could not be finished.
    """
    pairing = _pairing(given)
    _check(pairing.scope)
    settings = _settings(pairing.given)
    gc.set_threshold(20_000, 50)  # no entry refers to itself: a whole directory in memory need not be searched for that
    if given["to_ldif"] is not None:
        return _seed(pairing)
    try:
        if given["every"] is None:
            return _once(pairing, settings)
        return _again_and_again(pairing, settings, _seconds(given["every"], "--every"))
    except KeyboardInterrupt:
        click.echo("ldaprepl: interrupted; what was done so far stays, and the next run finishes it.", err=True)
        return ExitCode.INTERRUPTED


def _pairing(given: options.Given) -> Pairing:
    """One provider and the one consumer to write to, which is never guessed. Raises `LdapreplError`."""
    if not (given["provider"] or given["stanza"] or given["profile"]):
        raise UsageError("sync needs a provider", "Name it with --provider and --base, or give --stanza or --profile.")
    found = pairings(given)
    if len(found) > 1:
        there = ", ".join(f"{each.name} ({each.uris[0]}, {each.scope.base})" for each in found)
        raise UsageError(
            "sync follows one stanza at a time", f"Choose with --stanza SOURCE#RID, --base or --provider: {there}"
        )
    pairing = found[0]
    named = given["consumers"] or (given["profile"] and pairing.consumers)
    if given["to_ldif"] is None and len(named or ()) != 1:
        raise UsageError("sync needs one --consumer", "Run it once for each consumer.")
    source = SourceName.parse(given["stanza"]) if given["stanza"] else None
    for consumer in pairing.consumers:
        if source and source.live and consumer.address == parse_uri(source.text):
            raise GuardRefused(
                f"{consumer.uri} runs native syncrepl: it is the server that the stanza was read from",
                "Two replicators would fight. Name another consumer, or remove the stanza there.",
            )
    return pairing


def _check(scope: ReplicationScope) -> None:
    """A slip in a DN or in the filter is a usage error, before any server is asked."""
    encode_filter(scope.filter)
    for option, dn in (("--base", scope.base), ("--suffixmassage", scope.suffixmassage)):
        try:
            names.parse(dn)
        except ValueError as error:
            raise UsageError(f"{option} {dn!r} is not a DN: {error}") from None


def _settings(given: options.Given) -> Settings:
    try:
        brake = MaxDelete.parse(given["max_delete"])
    except ValueError as error:
        raise UsageError(f"--max-delete: {error}") from None
    audit = None if given["audit_every"] == "never" else _seconds(given["audit_every"], "--audit-every")
    accepted = given["accept_older_provider"], given["accept_new_shape"]
    return Settings(Method(given["method"]), brake, audit, given["dry_run"], *accepted)


def _seconds(text: str, option: str) -> float:
    try:
        return duration.parse(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


# -- running -----------------------------------------------------------------------------------------------------------


def _once(pairing: Pairing, settings: Settings) -> int:
    report = _run(pairing, settings)
    _show(report, pairing.given)
    return report.exit_code


def _again_and_again(pairing: Pairing, settings: Settings, every: float) -> int:
    """Until somebody stops it. A run that fails is reported, and the next one tries again. One line for each run.

    SIGTERM between two runs is the ordinary end (code 0); within one it ends that run, and the next one repairs it.
    """
    given = pairing.given
    if settings.dry_run:
        raise UsageError("--every and --dry-run do not go together")
    while True:
        try:
            report = _run(pairing, settings)
            if given["format_"] == "json" or given["output"] is not None:
                _show(report, given)
            elif not given["quiet"] or report.refusals or report.notes:
                click.echo(report_sync.render_line(report))
            settings = replace(settings, older_provider=False, new_shape=False)
        except UsageError:
            raise
        except LdapreplError as error:
            click.echo(f"ldaprepl: {printable(str(error))}", err=True)
        if not _rested(every * random.uniform(1 - _JITTER, 1 + _JITTER)):
            return ExitCode.OK


class _Stopped(Exception):
    """SIGTERM came while there was nothing to do."""


def _rested(seconds: float) -> bool:
    """Sleep; False when SIGTERM ended it."""

    def stop(*_: object) -> None:
        raise _Stopped

    before = signal.signal(signal.SIGTERM, stop)
    try:
        time.sleep(seconds)
    except _Stopped:
        return False
    finally:
        signal.signal(signal.SIGTERM, before)
    return True


def _run(pairing: Pairing, settings: Settings) -> SyncReport:
    from ldaprepl.wire.applying import Applier  # with python-ldap, without which --help has to work
    from ldaprepl.wire.consumer import Consumer
    from ldaprepl.wire.provider import Provider
    from ldaprepl.wire.session import open_session

    given, scope = pairing.given, pairing.scope
    source, (target,) = pairing.provider, pairing.consumers
    _refuse_same_server(source, target, scope)
    pair = {"provider": source.uri, "consumer": target.uri, "base": scope.base, "to": scope.consumer_base}
    binding = {"scope": repr(scope), "identity": str(source.bind), "method": settings.method.value}
    with contextlib.ExitStack() as opened:
        state = opened.enter_context(open_state(given["state"] or options.state_folder(), pair, binding))
        bar = progress(given["quiet"])
        opened.callback(bar.close)
        writing = opened.enter_context(open_session(target))
        replica = Consumer(writing, scope)
        mode = replica.mode(None if given["write"] == "auto" else Mode(given["write"]))
        batch = _BATCH if given["transactions"] == "always" else 0
        reading = opened.enter_context(open_session(source))
        parties = Parties(Provider(reading, scope), replica, Applier(writing, mode, bar, batch), state)
        return sync(parties, scope, settings, World(time, bar, time.time()))


def _show(report: SyncReport, given: options.Given) -> None:
    if report.changes is not None:
        emit(report_sync.render_ldif(report.changes), given["output"], 0o600)
        click.echo(report_sync.render_text(report, verbose=given["verbose"]), nl=False, err=True)
    elif given["format_"] == "json":
        emit(report_sync.render_json(report), given["output"])
    elif not given["quiet"] or report.refusals or report.notes:
        emit(report_sync.render_text(report, verbose=given["verbose"]), given["output"])


def _refuse_same_server(source: Endpoint, target: Endpoint, scope: ReplicationScope) -> None:
    """Copying a server onto itself; under another suffix it is a copy of a tree, which is allowed."""
    one, two = source.address, target.address
    same = one == two or (one.port == two.port and one.scheme == two.scheme and bool(_ips(one.host) & _ips(two.host)))
    if same and not scope.suffixmassage:
        raise GuardRefused(f"{source.uri} and {target.uri} are the same server")


def _ips(host: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)} if host else set()
    except OSError:
        return set()


# -- a seed ------------------------------------------------------------------------------------------------------------


def _seed(pairing: Pairing) -> int:
    given, scope = pairing.given, pairing.scope
    from ldaprepl.wire.provider import Provider, read_schema
    from ldaprepl.wire.session import open_session

    file: Path = given["to_ldif"]
    with contextlib.ExitStack() as opened:
        bar = progress(given["quiet"])
        opened.callback(bar.close)
        reading = opened.enter_context(open_session(pairing.provider))
        schema, _ = read_schema(reading)
        made = seed(Provider(reading, scope), scope, schema, bar)
        head = heading(pairing.provider.uri, scope.consumer_base, "sync --to-ldif")
        count = write_ldif(file, head, scope.consumer_base, made.entries)
    if not given["quiet"]:
        click.echo(f"{counted(count)} written to {file}; load with slapadd -q", err=True)
    if not made.csns:
        options.notice(f"{pairing.provider.uri} shows no contextCSN: native syncrepl cannot go on from this seed.")
    return ExitCode.OK


__all__ = ["command"]
