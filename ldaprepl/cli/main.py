"""The command line, and the only place where an outcome becomes an exit code.

click would answer 1 for its own errors, for an abort and for a crash, which would read as "a divergence was found";
so it runs with its standalone mode off and everything is mapped here. Commands are imported when they are called.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from ldaprepl import __version__
from ldaprepl.errors import ExitCode, LdapreplError, MissingLibrary
from ldaprepl.report.values import printable

COMMANDS = {
    "check": "How well replication does, for Nagios, Prometheus and cron.",
    "demo": "A private provider and consumer on this machine, through the whole story.",
    "doctor": "Servers as configured, side by side: what fits, what does not.",
    "init-consumer": "Look at a provider and write the consumer's syncrepl stanza.",
    "lint": "Judge replication configuration, from files and from running servers.",
    "replay": "Close slurpd's books: what never arrived, bring it over, prove it.",
    "sync": "Keep a consumer like its master, also where the master is too old for syncrepl.",
    "status": "Where every server stands with every server ID.",
    "verify": "Compare every entry of a provider and its consumers.",
}
# Commands that speak Nagios. To a monitoring system 1 and 2 are alarms about the servers, so every failure is 3,
# UNKNOWN, and its reason stands on standard output, where it looks for it.
_NAGIOS = ("check",)
_DEBUG = "LDAPREPL_DEBUG"
_PYTHON_LDAP = ("ldap", "_ldap")  # its package and its compiled part, which may find no libldap
_NO_PYTHON_LDAP = "this needs python-ldap, which cannot be loaded here"
_GET_PYTHON_LDAP = (
    "Debian and Ubuntu: apt install python3-ldap; with pip or pipx: install 'ldaprepl[sync]', which needs the packages "
    "libldap2-dev, libsasl2-dev and gcc."
)


class _Commands(click.Group):
    """A group whose commands live in `ldaprepl.cli.<name>` and are loaded when needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(importlib.import_module(f"ldaprepl.cli.{name}"), "command", None)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else " 'ldaprepl --help' lists them."
            raise click.UsageError(f"There is no command '{args[0]}'.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ldaprepl")
def cli() -> None:
    """LDAP replication: set it up, replace it where the master is too old for it, and prove that it worked.

    \b
    ldaprepl demo
    ldaprepl verify --provider ldap://a.example.com --consumer ldap://b.example.com -b dc=example,dc=com
    """


def main() -> NoReturn:
    """Run the command and leave the process with its exit code."""
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")  # closed by the caller (>&-)
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, _terminate)
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    gc.freeze()  # or the interpreter looks for garbage in all that it is about to throw away
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line; its exit code. Nothing but `SystemExit` from SIGTERM escapes."""
    try:
        outcome = cli.main(arguments, prog_name="ldaprepl", standalone_mode=False)
        return int(outcome) if isinstance(outcome, int) else ExitCode.OK
    except (Exception, KeyboardInterrupt) as error:
        code, text = _failure(error)
    if arguments[:1] and arguments[0] in _NAGIOS:
        from ldaprepl.report import nagios

        click.echo(nagios.failure(text), nl=False)
        return nagios.UNKNOWN
    if text:
        click.echo(text, err=True)
    return code


def _failure(error: Exception | KeyboardInterrupt) -> tuple[ExitCode, str]:
    """The exit code of a command that did not get to its end, and what to say."""
    match error:
        case click.ClickException() if type(error).__name__ == "NoArgsIsHelpError":  # unknown to click before 8.2
            return ExitCode.USAGE, error.format_message()
        case click.ClickException():
            where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "ldaprepl"
            return ExitCode.USAGE, f"{where}: {printable(error.format_message())}"
        case KeyboardInterrupt() | click.Abort():
            return ExitCode.INTERRUPTED, "ldaprepl: interrupted; nothing was decided."
        case ImportError() if (error.name or "").partition(".")[0] in _PYTHON_LDAP:
            return _failure(MissingLibrary(_NO_PYTHON_LDAP, _GET_PYTHON_LDAP))
        case LdapreplError():
            cure = f"\n  {printable(error.cure)}" if error.cure else ""
            return error.exit_code, f"ldaprepl: {printable(error.message)}.{cure}"
        case BrokenPipeError():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.UNDECIDED, ""
    if os.environ.get(_DEBUG):
        raise error
    name = type(error).__name__
    bug = f"ldaprepl: a bug: {name} where none should be. Run again with {_DEBUG}=1 and report it."
    return ExitCode.UNDECIDED, bug


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM unwinds like Ctrl-C, so that temporary files and servers go away."""
    try:
        os.write(2, b"ldaprepl: ended by SIGTERM before it was done.\n")  # print() cannot be entered twice
    except OSError:
        pass
    sys.exit(128 + number)
