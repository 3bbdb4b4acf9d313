"""All commands as one click group. Each is loaded when it is called."""

from __future__ import annotations

import importlib
import os
from typing import Any

import click

from ldaprepl import __version__
from ldaprepl.errors import ExitCode
from ldaprepl.report.values import printable

COMMANDS = {
    "check": "How well replication does, for Nagios, Prometheus and cron.",
    "completion": "What makes bash, zsh or fish complete command lines.",
    "config": "What is in force and where it came from; a new ldaprepl.toml.",
    "demo": "A private provider and consumer on this machine, through the whole story.",
    "doctor": "Servers as configured, side by side: what fits, what does not.",
    "init-consumer": "Look at a provider and write the consumer's syncrepl stanza.",
    "lint": "Judge replication configuration, from files and from running servers.",
    "replay": "Close slurpd's books: what never arrived, bring it over, prove it.",
    "sync": "Keep a consumer like its master, also where the master is too old for syncrepl.",
    "status": "Where every server stands with every server ID.",
    "verify": "Compare every entry of a provider and its consumers.",
}

_COMPLETE = "_LDAPREPL_COMPLETE"


class _Commands(click.Group):
    """A group whose commands live in `ldaprepl.cli.<name>` and are loaded when needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(importlib.import_module(f"ldaprepl.cli.{name}"), "command", None)
        if not isinstance(command, click.Command):
            return None
        if _COMPLETE in os.environ:
            from ldaprepl.cli.completion import attach

            attach(command)
        return command

    def main(self, *args: Any, **extra: Any) -> Any:
        if _COMPLETE in os.environ:  # somebody pressed Tab
            from ldaprepl.cli.completion import install

            install()
        return super().main(*args, **extra)

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


@click.command(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ldaprepl")
@click.pass_context
def cli(ctx: click.Context) -> int | None:
    """LDAP replication: set it up, replace it where the master is too old for it, and prove that it worked.

    \b
    ldaprepl demo
    ldaprepl verify --provider ldap://a --consumer ldap://b -b dc=example,dc=com

    Each command explains itself: ldaprepl COMMAND --help.
    """
    if ctx.invoked_subcommand is not None:
        return None
    click.echo(ctx.get_help(), err=True)
    return ExitCode.USAGE


_PLAINLY = {"a valid float range": "a number", "a valid integer range": "a whole number"}


def complaint(error: Exception) -> tuple[ExitCode, str] | None:
    """What click's own exceptions mean: exit code and text; None for any other."""
    match error:
        case click.ClickException():
            where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "ldaprepl"
            said = " ".join(error.format_message().split())  # click's lists of choices have lines and tabs
            for its, ours in _PLAINLY.items():
                said = said.replace(its, ours)
            return ExitCode.USAGE, f"{where}: {printable(said)}"
        case click.Abort():
            return ExitCode.INTERRUPTED, "ldaprepl: interrupted; nothing was decided."
    return None
