"""`ldaprepl replay`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ldaprepl.cli import options
from ldaprepl.cli.command import Command
from ldaprepl.cli.output import emit, progress
from ldaprepl.cli.pairing import filled
from ldaprepl.domain.backlog import Check
from ldaprepl.domain.compare import Comparer
from ldaprepl.domain.replog import When, replica_key
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.errors import ExitCode, UsageError
from ldaprepl.protocol.messages import decode_entry, decode_values
from ldaprepl.replay import Run, Settings, Tools, check, dry_run, explain, named
from ldaprepl.report import replay as words
from ldaprepl.wire.directory import LdapDirectory
from ldaprepl.wire.endpoint import Endpoint, Sasl
from ldaprepl.wire.plain import by_hand
from ldaprepl.wire.replaystate import RejectsFile, open_book
from ldaprepl.wire.replogfile import ReplogFile, status_of
from ldaprepl.wire.stream import open_stream

_FILE = click.Path(path_type=Path, dir_okay=False)
Logs = list[tuple[ReplogFile, dict[str, When]]]


@click.command("replay", cls=Command)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_FILE)
@click.option("--explain", "explain_", is_flag=True, help="Only say what is pending, rejected and broken.")
@click.option("--provider", metavar="URI", help="The old master, to compare with.")
@click.option("--consumer", metavar="URI", help="The server to write to.")
@click.option("-b", "--base", metavar="DN", default="", help="Only records at or below this DN.")
@options.profile
@options.any_identity
@options.any_consumer_identity
@options.tls
@click.option("--replica", metavar="HOST[:PORT]", help="Only the records for this replica.")
@click.option(
    "--status",
    metavar="FILE",
    type=_FILE,
    help="slurpd's status file, to leave out what slurpd did; default: slurpd.status beside slurpd.replog.",
)
@click.option("--no-status", is_flag=True, help="Do not look at a status file.")
@click.option(
    "--whole", is_flag=True, help="Nobody writes the files any more: a last record without its empty line counts."
)
@click.option("--dry-run", is_flag=True, help="Show what would be sent.")
@click.option("--follow", is_flag=True, help="Stay with the last file and send what is written there, as slurpd did.")
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the position is kept; default: /var/lib/ldaprepl for root, else ~/.local/state/ldaprepl.",
)
@click.option("--rejects", metavar="FILE", type=_FILE, help="Where refused records go; default: in the state folder.")
@click.option("--again", is_flag=True, help="Apply a file although it begins with a record that was dealt with.")
@click.option("--acknowledge", is_flag=True, help="Forget the refusals of earlier runs.")
@click.option("--verify-after", is_flag=True, help="Compare the entries touched with the provider's.")
@click.option("-a", "--attrs", metavar="NAME", multiple=True, help="Attributes to compare; default: * (no stamps).")
@click.option("-x", "--exattrs", metavar="NAME", multiple=True, help="Attributes not to compare.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to report.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Records of each group in the text report; 0: all.",
)
@options.output
@options.quiet
def command(**given: Any) -> int:  # fmt: skip
    """Close slurpd's books: tell what its replog and reject files hold, bring it over, prove it.

    \b
    ldaprepl replay /var/lib/ldap/replog --explain
    ldaprepl replay /var/lib/ldap/replog --consumer ldaps://new \\
        -D cn=updater,dc=example,dc=com -y updater.pw

    With --provider and --consumer, --explain also tells what is still different; with --follow, replay stays in
    slurpd's place.

    FILE may be gzipped, and is never changed. What was applied is remembered by content, so a rotated file may be
    given again; a record is applied once.

    Exit code: 0 done, 1 records were refused or are broken, or entries are still different, 3 could not be finished,
    4 changes are pending (--explain), or the last record is not whole yet.
    """
    given = dict(filled(given))
    _agree(given)
    with contextlib.ExitStack() as opened:
        if given["explain_"]:
            return _explain(given, opened)
        if given["dry_run"]:
            return _dry_run(given, opened)
        return _apply(given, opened)


def _agree(given: options.Given) -> None:
    """Refuse options that do not go together."""
    if given["explain_"] and (given["dry_run"] or given["follow"] or given["verify_after"]):
        raise UsageError("--explain only reads, and goes with none of --dry-run, --follow, --verify-after")
    if given["explain_"] and bool(given["provider"]) != bool(given["consumer"]):
        raise UsageError("--explain looks at both servers or at none", "Give --provider and --consumer.")
    if given["dry_run"] and given["follow"]:
        raise UsageError("--dry-run does not go with --follow")
    if given["follow"] and given["whole"]:
        raise UsageError("--whole says that nobody writes the files, --follow waits for that")
    if given["verify_after"] and not given["provider"]:
        raise UsageError("--verify-after compares with the provider", "Give --provider.")
    if not given["explain_"] and not given["dry_run"] and not given["consumer"]:
        raise UsageError("nothing is said about what to do", "Give --explain, --dry-run or --consumer.")
    if given["status"] and given["no_status"]:
        raise UsageError("--status and --no-status contradict each other")


# -- the three ways ----------------------------------------


def _explain(given: options.Given, opened: contextlib.ExitStack) -> int:
    from dataclasses import replace

    backlog = explain(_logs(given, opened), _replica(given))
    if given["provider"]:
        backlog = replace(backlog, checks=_check(given, opened, backlog.touched))
    if given["format_"] == "json":
        emit(words.backlog_json(backlog, time.time()), given["output"])
    else:
        emit(words.backlog_text(backlog, time.time(), given["limit"]), given["output"])
    return backlog.exit_code


def _dry_run(given: options.Given, opened: contextlib.ExitStack) -> int:
    settings = _settings(given)
    logs = _logs(given, opened)
    folder = given["state"] or options.state_folder()
    if given["consumer"] and folder.is_dir():
        book = opened.enter_context(open_book(folder, given["consumer"]))
        for log, _ in logs:
            log.resume(book.positions())
    plan = dry_run(logs, settings)
    if given["format_"] == "json":
        emit(words.plan_json(plan), given["output"])
    elif given["output"] is None:
        for piece in words.plan_text(plan):
            click.echo(piece, nl=False)
    else:
        emit("".join(words.plan_text(plan)), given["output"])
    return ExitCode.OK


def _apply(given: options.Given, opened: contextlib.ExitStack) -> int:
    from ldaprepl.wire.replaytarget import LdapTarget  # python-ldap, which --explain does without

    settings = _settings(given)
    folder = given["state"] or options.state_folder()
    endpoint = _consumer(given)
    if given["verify_after"]:  # what cannot be compared is said before anything is written
        for each in _both(given):
            if isinstance(each.bind, Sasl):
                by_hand(each.bind)
    book = opened.enter_context(open_book(folder, given["consumer"]))
    rejects = given["rejects"] or book.path.with_suffix(".rej")
    _not_among(rejects, given["files"])
    if given["acknowledge"]:
        book.acknowledge()
    bar = progress(given["quiet"])
    opened.callback(bar.close)
    target = LdapTarget(endpoint, base=given["base"])
    opened.callback(target.close)
    notice = (lambda text: None) if given["quiet"] else options.notice
    run = Run(target, book, RejectsFile(rejects), Tools(time, bar, notice), settings, str(rejects))
    try:
        run.replay(_logs(given, opened))
        checks = _check(given, opened, run.to_check()) if given["verify_after"] else None
    except BaseException:
        bar.close()
        _emit_run(given, run)
        raise
    bar.close()
    return _emit_run(given, run, checks)


def _emit_run(given: options.Given, run: Run, checks: tuple[Check, ...] | None = None) -> int:
    report = run.report(checks)
    if given["format_"] == "json":
        emit(words.run_json(report), given["output"])
    else:
        emit(words.run_text(report, time.time(), given["limit"]), given["output"])
    return report.exit_code


# -- parts ----------------------------------------


def _settings(given: options.Given) -> Settings:
    """Whose records: as said, or as all records of the files agree."""
    replica = _replica(given)
    everybody = None
    if replica is None:
        with contextlib.ExitStack() as opened:
            everybody = named(_logs(given, opened, quiet=True))
    return Settings(replica, everybody, given["base"], given["follow"], given["again"])


def _replica(given: options.Given) -> str | None:
    return replica_key(given["replica"]) if given["replica"] else None


def _logs(given: options.Given, opened: contextlib.ExitStack, *, quiet: bool = False) -> Logs:
    """All files, open; each with slurpd's status for it."""
    found: Logs = []
    for path in given["files"]:
        log = opened.enter_context(contextlib.closing(ReplogFile(path, whole=given["whole"])))
        status, place = ({}, None) if given["no_status"] else status_of(path, given["status"])
        if place is not None and not given["status"] and not quiet and not given["quiet"]:
            options.notice(
                f"{place} tells which records of {path} slurpd was through with (--no-status: do not ask it)"
            )
        found.append((log, status))
    return found


def _not_among(rejects: Path, files: Sequence[Path]) -> None:
    for path in files:
        with contextlib.suppress(OSError):
            if rejects.exists() and rejects.samefile(path):
                raise UsageError(
                    f"{path} is read, and refused records would be written to it",
                    "Move it away first, or name another file by --rejects.",
                )


def _consumer(given: options.Given) -> Endpoint:
    return options.consumer_endpoints({**given, "consumers": (given["consumer"],)})[0]


def _both(given: options.Given) -> tuple[Endpoint, Endpoint]:
    return options.provider_endpoint(given), _consumer(given)


def _check(given: options.Given, opened: contextlib.ExitStack, dns: Sequence[str]) -> tuple[Check, ...]:
    """The DNs on both servers, read by other code than that which wrote."""
    provider, consumer = (LdapDirectory(opened.enter_context(open_stream(each))) for each in _both(given))
    attrs, exattrs = (options.names_in(given[key]) for key in ("attrs", "exattrs"))
    scope = ReplicationScope(given["base"], attrs=attrs or ("*",), exattrs=exattrs)
    comparer = Comparer(provider.schema(), scope, decode_entry, decode_values)
    return check(provider, consumer, dns, comparer)


__all__ = ["command"]
