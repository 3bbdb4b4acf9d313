"""`ldaprepl status`."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import click

from ldaprepl.check import Options, check
from ldaprepl.cli import options
from ldaprepl.cli.command import Command
from ldaprepl.cli.members import members_of, tools
from ldaprepl.cli.output import emit
from ldaprepl.cli.pairing import Pairing, grouped
from ldaprepl.domain.health import Criterion, Health, Policy, Status, worst
from ldaprepl.domain.judgement import Debt, Key
from ldaprepl.errors import ExitCode, LdapreplError, UsageError
from ldaprepl.report import several, status
from ldaprepl.report.several import Unseen, View

_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
# Another screen, no cursor, long lines cut; and back.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"


@click.command("status", cls=Command, context_settings={"default_map": {"timeout": 10.0}})
@options.members
@options.every_replica
@options.identity
@options.consumer_identity
@options.tls
@options.scope
@click.option("--watch", is_flag=True, help="Refresh in place until Ctrl-C.")
@click.option("--interval", type=options.Duration(), default="2", show_default=True, help="Pause between refreshes.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to report.")
@options.output
@options.quiet
def command(**given: Any) -> int:
    """Show where every server stands with every server ID.

    \b
    ldaprepl status --provider ldap://a --consumer ldap://b -b dc=example,dc=com
    ldaprepl status --watch          # on a consumer, as root: what its stanzas say

    Exit code: 0 in sync, 1 something is wrong, 3 could not tell, 4 only behind.
    """
    if given["watch"] and (given["format_"] != "text" or given["output"] or not sys.stdout.isatty()):
        raise UsageError("--watch draws on a terminal", "Leave --format and --output out, or do without --watch.")
    found = grouped(given)
    with ExitStack() as opened:
        looks = [_look_at(pairing, opened) for pairing in found]
        if given["watch"]:
            return _watch(looks, given["interval"])
        views = [look() for look in looks]
    if given["format_"] == "json":
        emit(_json(views), given["output"])
    else:
        emit(_text(views, colour=options.colour_wanted() and not given["output"]), given["output"])
    return _exit_code(views)


Look = Callable[[], View]


def _look_at(pairing: Pairing, opened: ExitStack) -> Look:
    """How to look at one replica, again and again."""
    settings = Options(pairing.scope, Policy(warning=0.0), pause=0.2)
    debts: Mapping[Key, Debt] = {}
    try:
        members, _ = opened.enter_context(members_of(pairing))
    except LdapreplError as error:
        if not pairing.name or not pairing.given.get("all_"):
            raise
        unseen = Unseen(pairing.name, error.message, error.cure)
        return lambda: unseen

    def look() -> View:
        nonlocal debts
        outcome = check(members, settings, debts, tools())
        debts = outcome.debts
        return pairing.name, outcome.health, settings.policy

    return look


def _text(views: Sequence[View], *, colour: bool) -> str:
    if len(views) == 1 and not isinstance(views[0], Unseen):
        return status.render(views[0][1], colour=colour)
    return several.render_tables(views, colour=colour)


def _json(views: Sequence[View]) -> str:
    from ldaprepl.report import check as words

    if len(views) == 1 and not isinstance(views[0], Unseen):
        return words.render_json(views[0][1], "status")
    states = (Status.UNKNOWN if isinstance(view, Unseen) else view[1].status for view in views)
    return several.render_json(views, worst(states), "status")


def _exit_code(views: Sequence[View]) -> ExitCode:
    codes = [ExitCode.UNDECIDED if isinstance(view, Unseen) else exit_code(view[1]) for view in views]
    order = (ExitCode.OK, ExitCode.BEHIND, ExitCode.FINDING, ExitCode.UNDECIDED)
    return max(codes, key=order.index)


def exit_code(health: Health) -> ExitCode:
    """The common exit codes: what could not be told outweighs a finding, a finding outweighs lag."""
    findings = [finding for server in health.servers for finding in server.findings if finding.status is not Status.OK]
    blind = (Criterion.UNREACHABLE, Criterion.REFUSED, Criterion.UNREADABLE, Criterion.NO_CSN)
    if any(finding.criterion in blind for finding in findings):
        return ExitCode.UNDECIDED
    if any(finding.criterion is not Criterion.LAG for finding in findings):
        return ExitCode.FINDING
    return ExitCode.BEHIND if findings else ExitCode.OK


def _watch(looks: Sequence[Look], interval: float) -> int:
    """Draw over and over; Ctrl-C is the way out and gives the last state's exit code."""
    colour = options.colour_wanted()
    code = ExitCode.UNDECIDED
    sys.stdout.write(_ENTER)
    try:
        while True:
            views = [look() for look in looks]
            code = _exit_code(views)
            size = shutil.get_terminal_size()
            lines = _text(views, colour=colour).splitlines()[: size.lines - 1]
            sys.stdout.write(_HOME + "".join(f"{line}{_CLEAR_LINE}\r\n" for line in lines) + _CLEAR_BELOW)
            sys.stdout.flush()
            time.sleep(interval)
    except KeyboardInterrupt:
        return code
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
